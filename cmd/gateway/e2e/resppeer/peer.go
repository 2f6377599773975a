// Package resppeer is a scripted Redis: whatever a test wants is answered to each
// command, be it what no Redis would ever say.
package resppeer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Script gives the whole reply to a command; "" is no reply. It may be called
// for several connections at a time.
type Script func(args []string) string

// Peer is a server that speaks by a script. It ends with its test.
type Peer struct {
	// Addr is where clients connect.
	Addr string

	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	script Script
	conns  map[net.Conn]struct{}
	asked  map[string]int
	ended  bool
}

// Start starts a peer that answers as Usual does.
func Start(t testing.TB) *Peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Peer{Addr: ln.Addr().String(), listener: ln, script: Usual, conns: map[net.Conn]struct{}{}, asked: map[string]int{}}
	p.work.Go(p.accept)
	t.Cleanup(p.end)
	return p
}

// Usual is what a Redis 7 without any data answers.
func Usual(args []string) string {
	switch args[0] {
	case "HELLO":
		return "%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:3\r\n"
	case "PING":
		return "+PONG\r\n"
	case "HMGET":
		n := len(args) - 2
		return fmt.Sprintf("*%d\r\n%s", n, strings.Repeat("_\r\n", n))
	}
	return "+OK\r\n"
}

// Answering is Usual but for one command.
func Answering(command, reply string) Script {
	return func(args []string) string {
		if args[0] == command {
			return reply
		}
		return Usual(args)
	}
}

// Always answers everything alike.
func Always(reply string) Script { return func([]string) string { return reply } }

// Play gives the peer another script.
func (p *Peer) Play(s Script) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = s
}

// Asked is how often a command came.
func (p *Peer) Asked(command string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[command]
}

// Drop closes all connections.
func (p *Peer) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *Peer) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.listener.Close()
	p.Drop()
	p.work.Wait()
}

func (p *Peer) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.ended {
			c.Close()
		}
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		p.work.Go(func() { p.serve(c) })
	}
}

func (p *Peer) serve(c net.Conn) {
	defer func() {
		c.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}()
	r := bufio.NewReader(c)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		args[0] = strings.ToUpper(args[0])
		p.mu.Lock()
		p.asked[args[0]]++
		script := p.script
		p.mu.Unlock()
		if _, err := io.WriteString(c, script(args)); err != nil {
			return
		}
	}
}

// The bounds of what a client may send.
const (
	maxArgs     = 1 << 16
	maxArgBytes = 1 << 20
)

// readCommand reads an array of strings, which is what every client sends.
func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readSize(r, '*', maxArgs)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("a command without a name")
	}
	args := make([]string, n)
	for i := range args {
		size, err := readSize(r, '$', maxArgBytes)
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func readSize(r *bufio.Reader, kind byte, most int) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	if err != nil || line[0] != kind || n < 0 || n > most {
		return 0, fmt.Errorf("%q is no size after %c", line, kind)
	}
	return n, nil
}
