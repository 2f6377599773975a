package httpapi

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"hotpath/router"
	"hotpath/router/httpapi/jsonwire"
)

// Listen opens a TCP listener for the traffic port.
func Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// The bounds of closing a connection that may still be sending: a close with
// bytes unread becomes a reset, which can overtake the answer.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 2 << 20
	// maxRefusing connections over the limit are answered at once; more are only
	// closed.
	maxRefusing = 64
)

// boundedListener keeps the number of open connections within a limit. Those
// over it are answered here, in our vocabulary: fasthttp's own answer is plain text.
type boundedListener struct {
	net.Listener
	limit    int64
	metrics  *metrics
	bodies   *bodyBudget
	tls      *tls.Config // nil: connections are in the clear
	open     atomic.Int64
	refusing atomic.Int64
	refused  sync.WaitGroup
	answer   []byte
}

func newBoundedListener(ln net.Listener, limit int, secure *tls.Config, m *metrics, b *bodyBudget) *boundedListener {
	body := jsonwire.AppendError(nil, router.Overloaded.String(), "too many connections (server.max_connections)", "", nil)
	return &boundedListener{Listener: ln, limit: int64(limit), metrics: m, bodies: b, tls: secure,
		answer: fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nServer: hotpath\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s", len(body), body)}
}

// Accept gives the next connection within the limit.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.limit {
			l.metrics.connections.Inc()
			if l.tls != nil {
				c = tls.Server(c, l.tls) // which shakes hands with the first read
			}
			return &trafficConn{Conn: c, listener: l, waiting: true}, nil
		}
		l.open.Add(-1)
		l.refuse(c)
	}
}

// refuse answers a connection over the limit, on a goroutine that is bounded in
// number and time. A handshake for the sake of a refusal is too dear.
func (l *boundedListener) refuse(c net.Conn) {
	l.metrics.connectionsRefused.Inc()
	if l.tls != nil {
		c.Close()
		return
	}
	if l.refusing.Add(1) > maxRefusing {
		l.refusing.Add(-1)
		c.Close()
		return
	}
	l.refused.Go(func() {
		defer l.refusing.Add(-1)
		if c.SetWriteDeadline(time.Now().Add(lingerTime)) == nil {
			// Whether the client still reads is its own affair.
			_, _ = c.Write(l.answer)
		}
		closeLingering(c)
	})
}

// wait waits for the answers of refuse, after the listener is closed.
func (l *boundedListener) wait() { l.refused.Wait() }

// trafficConn is a connection that counts, and knows when a request began to
// arrive: its deadline starts there and not when the server got round to it.
type trafficConn struct {
	net.Conn
	listener *boundedListener
	// waiting says that nothing of the next request has been read; firstByte is
	// when the first of it was. Both belong to the connection's goroutine.
	waiting   bool
	firstByte time.Time
	closed    atomic.Bool
	// linger says that the client may still be sending what is not read.
	linger atomic.Bool
	// charge is of a body that was announced and may never come; its end is that
	// of the connection.
	charge atomic.Pointer[charge]
	// names are those of the client's certificate, once named says so. Both belong to
	// the connection's goroutine.
	names []string
	named bool
}

// Read stamps the first byte of a request.
func (c *trafficConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.waiting && n > 0 {
		c.waiting, c.firstByte = false, time.Now()
	}
	return n, err
}

// arrival is when the request being handled began to arrive, and now where that
// is not known: a request pipelined behind another was read together with it.
func arrival(c net.Conn, now time.Time) time.Time {
	t, ok := c.(*trafficConn)
	if !ok || t.waiting {
		return now
	}
	t.waiting = true
	return t.firstByte
}

// Close closes the connection, once.
func (c *trafficConn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	defer func() {
		c.listener.open.Add(-1)
		c.listener.metrics.connections.Dec()
		c.listener.bodies.drop(c.charge.Load())
	}()
	if c.linger.Load() {
		return closeLingering(c.Conn)
	}
	return c.Conn.Close()
}

// closeLingering says that nothing more comes, and gives the client a moment to
// read that and stop sending.
func closeLingering(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil &&
		c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		// How the other side ends makes no difference.
		_, _ = io.CopyN(io.Discard, c, lingerBytes)
	}
	return c.Close()
}
