package redislink

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// Pace of connecting to one address. The burst lets all connections of a node
// be built at once; after that each may be tried twice a second, once a second
// while attempts keep failing.
const (
	dialEvery      = 500 * time.Millisecond
	dialEveryWorst = time.Second
	maxPacedHosts  = 4096
)

// pacer bounds how often each address is dialed. Without it every waiting
// caller would dial a refusing server, and the sentinel client would do so in a loop.
// Time is monotonic: a changed wall clock does not matter.
type pacer struct {
	rate  float64 // attempts per dialEvery: the connections of a node
	burst float64 // attempts that may be made at once

	mu    sync.Mutex
	hosts map[string]*pace
}

// pace is the token bucket of one address; guarded by pacer.mu.
type pace struct {
	tokens float64
	at     time.Time // of the last refill
	failed int       // attempts in a row
	last   error     // why the latest attempt failed
}

func newPacer(connections int) *pacer {
	// One more at once, for the check of the topology.
	return &pacer{rate: float64(connections), burst: float64(connections + 1), hosts: map[string]*pace{}}
}

// allow takes a token; without one it returns why the latest attempt failed.
func (p *pacer) allow(addr string, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[addr]
	if h == nil {
		if len(p.hosts) >= maxPacedHosts { // addresses come from the topology: a bound all the same
			clear(p.hosts)
		}
		h = &pace{tokens: p.burst, at: now}
		p.hosts[addr] = h
	}
	every := dialEvery
	if h.failed > 1 {
		every = dialEveryWorst
	}
	h.tokens = min(p.burst, h.tokens+p.rate*float64(now.Sub(h.at))/float64(every))
	h.at = now
	if h.tokens < 1 {
		if h.last != nil {
			return h.last
		}
		return ErrPaced
	}
	h.tokens--
	return nil
}

// report tells how an attempt went.
func (p *pacer) report(addr string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[addr]; h != nil {
		h.last = err
		if err == nil {
			h.failed = 0
		} else {
			h.failed++
		}
	}
}

// dial is the client's DialCtxFn. The attempt is bound by the dialer's own
// timeout: ctx may be that of whichever caller came first, and connecting must
// not fail because one caller had little time left.
func (l *Link) dial(ctx context.Context, addr string, d *net.Dialer, tc *tls.Config) (net.Conn, error) {
	if l.shut.Load() {
		return nil, errShut
	}
	if err := l.pacer.allow(addr, time.Now()); err != nil {
		return nil, err
	}
	if l.dials != nil {
		l.dials.Inc()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Timeout)
	defer cancel()
	var conn net.Conn
	var err error
	if tc != nil {
		conn, err = (&tls.Dialer{NetDialer: d, Config: tc}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = d.DialContext(ctx, "tcp", addr)
	}
	l.pacer.report(addr, err)
	if err != nil {
		return nil, err
	}
	return newGuardConn(conn, l.opts.WrapArrays && d.Resolver != l.sentinelMark), nil
}
