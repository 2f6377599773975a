package grpcapi

import (
	"context"
	"net"
	"sync"
	"time"
)

// listener keeps the number of open connections within a limit, and closes those
// whose client does not take its answers.
type listener struct {
	net.Listener
	limit   int
	metrics *metrics

	mu   sync.Mutex
	open map[*connection]struct{}
}

func newListener(ln net.Listener, limit int, m *metrics) *listener {
	return &listener{Listener: ln, limit: limit, metrics: m, open: map[*connection]struct{}{}}
}

// Accept gives the next connection within the limit. One over it is closed: a client
// of gRPC tries again, later each time.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn := l.admit(c); conn != nil {
			return conn, nil
		}
		l.metrics.connectionsRefused.Inc()
		c.Close()
	}
}

func (l *listener) admit(c net.Conn) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.limit {
		return nil
	}
	conn := &connection{Conn: c, listener: l}
	l.open[conn] = struct{}{}
	l.metrics.connections.Inc()
	return conn
}

// watch closes the connections of which an answer has been waiting for longer than
// patience, up to twice that, until the context ends.
func (l *listener) watch(ctx context.Context, patience time.Duration) {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		for c := range l.open {
			if c.stalled() {
				l.metrics.connectionsStalled.Inc()
				// Only the socket: grpc then closes the connection, which takes the lock.
				c.Conn.Close()
			}
		}
		l.mu.Unlock()
	}
}

// forget lets go of a connection that is closed.
func (l *listener) forget(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	l.metrics.connections.Dec()
}
