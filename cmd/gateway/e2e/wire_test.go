package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// wire is one keep-alive connection, without a client library's retries, reuse
// of connections and buffers between: what it reads is what the gateway sent.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
}

// reply is one HTTP answer.
type reply struct {
	status  int
	header  map[string]string // names in lower case
	body    []byte
	closing bool // the gateway said Connection: close
}

var errMoreThanOneAnswer = errors.New("bytes follow the answer to the only request of the connection")

func dialWire(addr string) (*wire, error) {
	c, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return &wire{c, bufio.NewReader(c)}, nil
}

func (w *wire) Close() { w.conn.Close() }

// closedByServer looks whether the server has closed the connection while it was
// idle, as it may at any time: a request must not be sent then.
func (w *wire) closedByServer() bool {
	raw, err := w.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n == 0 && err == nil || err != nil && err != syscall.EAGAIN
		return true
	})
	return closed || err != nil
}

// do sends one whole request and reads its one answer.
func (w *wire) do(request []byte, limit time.Duration) (reply, error) {
	if err := w.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return reply{}, err
	}
	if _, err := w.conn.Write(request); err != nil {
		return reply{}, fmt.Errorf("sending: %w", err)
	}
	a, err := w.read()
	if err == nil && w.r.Buffered() > 0 {
		err = errMoreThanOneAnswer
	}
	return a, err
}

// read parses an answer strictly: a status line, headers, and a body of the
// length that they declare.
func (w *wire) read() (reply, error) {
	line, err := w.line()
	if err != nil {
		return reply{}, fmt.Errorf("no answer: %w", err)
	}
	status, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if !ok || len(status) < 3 {
		return reply{}, fmt.Errorf("status line %q", line)
	}
	a := reply{header: map[string]string{}}
	if a.status, err = strconv.Atoi(status[:3]); err != nil {
		return reply{}, fmt.Errorf("status line %q", line)
	}
	for {
		if line, err = w.line(); err != nil {
			return reply{}, fmt.Errorf("half an answer: %w", err)
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return reply{}, fmt.Errorf("header line %q", line)
		}
		a.header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	a.closing = strings.EqualFold(a.header["connection"], "close")
	n, err := strconv.Atoi(a.header["content-length"])
	if err != nil {
		return reply{}, fmt.Errorf("content-length %q", a.header["content-length"])
	}
	a.body = make([]byte, n)
	if _, err := io.ReadFull(w.r, a.body); err != nil {
		return reply{}, fmt.Errorf("half a body: %w", err)
	}
	return a, nil
}

func (w *wire) line() (string, error) {
	b, err := w.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b[:len(b)-1], []byte("\r"))), nil
}

// post makes the bytes of a POST. header holds whole lines without their ends.
func post(path, body string, header ...string) []byte {
	lines := append([]string{"POST " + path + " HTTP/1.1", "Host: gateway", "Content-Type: application/json",
		"Content-Length: " + strconv.Itoa(len(body))}, header...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
}
