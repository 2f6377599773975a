package faultproxy

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes connections on to one server. It ends with its test.
type Proxy struct {
	// Addr is where clients connect.
	Addr string

	t        testing.TB
	upstream string
	accepted atomic.Int64
	work     sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while the port is closed
	fault    Fault
	epoch    int           // counts the faults that were set
	changed  chan struct{} // closed when the next one is
	links    map[*link]struct{}
	ended    bool
}

// Start starts a proxy in front of upstream, a host:port.
func Start(t testing.TB, upstream string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, upstream: upstream, Addr: "127.0.0.1:0", changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.mu.Lock()
	p.listen()
	p.mu.Unlock()
	t.Cleanup(p.end)
	return p
}

// listen opens the port. The caller holds mu.
func (p *Proxy) listen() {
	p.t.Helper()
	ln, err := net.Listen("tcp", p.Addr)
	if err != nil {
		p.t.Fatalf("fault proxy: %v", err)
	}
	p.listener, p.Addr = ln, ln.Addr().String()
	p.work.Go(func() { p.accept(ln) })
}

// Set makes a fault that of all connections, open ones and later ones, in place
// of the one before.
func (p *Proxy) Set(f Fault) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	p.epoch++
	close(p.changed)
	p.changed = make(chan struct{})
	if f.Refuse && p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	if !f.Refuse && p.listener == nil {
		p.listen()
	}
	if f.Refuse {
		p.resetAll()
	}
}

// Drop resets all open connections.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resetAll()
}

// resetAll ends every connection. The caller holds mu.
func (p *Proxy) resetAll() {
	for l := range p.links {
		l.reset()
	}
}

// Accepted is the number of connections made so far.
func (p *Proxy) Accepted() int { return int(p.accepted.Load()) }

// Open is the number of connections that are open.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// end closes everything and waits for it.
func (p *Proxy) end() {
	p.mu.Lock()
	p.ended = true
	if p.listener != nil {
		p.listener.Close()
	}
	p.resetAll()
	p.mu.Unlock()
	p.work.Wait()
}

// state is the fault in force, its number, and what tells that it is over.
func (p *Proxy) state() (f Fault, epoch int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault, p.epoch, p.changed
}

func (p *Proxy) accept(ln net.Listener) {
	for {
		client, err := ln.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		server, err := net.DialTimeout("tcp", p.upstream, time.Second)
		if err != nil {
			client.Close()
			continue
		}
		p.add(&link{proxy: p, client: client.(*net.TCPConn), server: server, over: make(chan struct{})})
	}
}

// add starts a connection's pumps.
func (p *Proxy) add(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.fault.Refuse {
		l.reset()
		return
	}
	l.lost.Store(p.fault.Swallow || p.fault.SwallowNew)
	p.links[l] = struct{}{}
	pieces := make(chan piece, maxPieces)
	p.work.Go(l.requests)
	p.work.Go(func() { l.replies(pieces) })
	p.work.Go(func() { l.deliver(pieces); p.remove(l) })
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
