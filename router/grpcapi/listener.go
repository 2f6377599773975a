package grpcapi

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
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

// plaintext are the credentials of a port without TLS. Their one purpose is to put
// the connection into the context of its calls.
type plaintext struct{}

// connectionInfo is what plaintext knows of the other side.
type connectionInfo struct {
	credentials.CommonAuthInfo
	connection *connection
}

// AuthType names the kind of authentication: none.
func (connectionInfo) AuthType() string { return "insecure" }

// ServerHandshake does nothing.
func (plaintext) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, _ := c.(*connection)
	return c, connectionInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}, conn}, nil
}

// ClientHandshake fails: these credentials are for a server.
func (plaintext) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("grpcapi: credentials of a server")
}

// Info describes the credentials.
func (plaintext) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "insecure"}
}

// Clone gives a copy.
func (p plaintext) Clone() credentials.TransportCredentials { return p }

// OverrideServerName does nothing.
func (plaintext) OverrideServerName(string) error { return nil }

// connectionOf is the connection that a call came over; nil where it is not known.
func connectionOf(ctx context.Context) *connection {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, _ := p.AuthInfo.(connectionInfo)
	return info.connection
}
