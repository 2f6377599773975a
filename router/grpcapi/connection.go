package grpcapi

import (
	"net"
	"sync"
	"sync/atomic"
)

// connection is an open connection. It knows the answers that wait for its client.
//
// How long they wait it knows by turns: at each look of listener.watch the turn
// changes, and an answer that is still there from the turn before has waited for a
// whole one.
type connection struct {
	net.Conn
	listener *listener
	waiting  [2]atomic.Int64 // answers by the turn that they came in
	turn     atomic.Int64

	mu     sync.Mutex
	closed bool
	lent   map[*delivery]struct{}
}

// begin counts an answer, and gives the turn that end must be told.
func (c *connection) begin() (turn int) {
	if c == nil {
		return 0
	}
	turn = int(c.turn.Load() & 1)
	c.waiting[turn].Add(1)
	return turn
}

func (c *connection) end(turn int) {
	if c != nil {
		c.waiting[turn].Add(-1)
	}
}

// stalled says whether an answer has waited for a whole turn, and begins the next
// turn where none has. It is for watch alone.
func (c *connection) stalled() bool {
	if c.waiting[c.turn.Load()&1^1].Load() > 0 {
		return true
	}
	c.turn.Add(1)
	return false
}

// lend takes in an answer whose exchange must end with the connection, if not before;
// false where the connection is closed.
func (c *connection) lend(d *delivery) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.lent == nil {
		c.lent = map[*delivery]struct{}{}
	}
	c.lent[d] = struct{}{}
	d.turn = c.begin()
	return true
}

// returned is told that an answer of lend was written.
func (c *connection) returned(d *delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.lent, d)
	c.end(d.turn)
}

// Close closes the connection, once, and ends what was lent.
func (c *connection) Close() error {
	c.mu.Lock()
	closed, lent := c.closed, c.lent
	c.closed, c.lent = true, nil
	c.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	c.listener.forget(c)
	err := c.Conn.Close()
	for d := range lent {
		d.forfeit()
	}
	return err
}
