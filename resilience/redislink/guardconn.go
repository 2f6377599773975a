package redislink

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// Bounds on what a peer may announce. A client that believed any number would
// allocate it at once: one line of garbage would take the process down.
const (
	maxReplyBulk  = 512 << 20 // the largest string that Redis itself stores
	maxReplyElems = 1 << 20
	maxReplyDepth = 16
	maxReplyLine  = 64 << 10
	maxHold       = 1 << 20 // larger hash replies are passed on as they are
	guardBuffer   = 16 << 10
)

var (
	errReplySyntax = errors.New("peer does not speak the Redis protocol")
	errReplySize   = errors.New("peer announced a reply over the limits")
)

// guardConn reads Redis replies and passes them to the client, with two
// changes. It ends the connection when a reply announces a size that no Redis
// sends. And if it is to wrap, it makes of a flat array of strings, which is what
// HMGET answers, one string that holds the array's text: the client then makes one
// allocation for it, not one per field, and package features reads the fields out.
//
// Other replies of a data connection (HELLO, PING, ROLE, CLUSTER SLOTS, HSET)
// are never flat arrays of strings. Sentinel connections do not wrap.
//
// Only the client's reading goroutine calls Read.
type guardConn struct {
	net.Conn
	wrap bool

	in   []byte // read, from r on not yet scanned
	r    int
	out  []byte // ready for the client, from o on not yet given
	o    int
	hold []byte // the array being collected, while holding

	skip    int // bytes of the current string that are still to come, CRLF included
	left    [maxReplyDepth]int
	depth   int
	holding bool
}

func newGuardConn(c net.Conn, wrap bool) *guardConn {
	return &guardConn{Conn: c, wrap: wrap, in: make([]byte, 0, guardBuffer)}
}

// Read implements net.Conn.
func (g *guardConn) Read(p []byte) (int, error) {
	for g.o == len(g.out) {
		g.out, g.o = g.out[:0], 0
		g.in = g.in[:copy(g.in[:cap(g.in)], g.in[g.r:])]
		g.r = 0
		if len(g.in) == cap(g.in) {
			g.in = append(g.in, 0)[:len(g.in)] // a long line: maxReplyLine bounds it
		}
		n, err := g.Conn.Read(g.in[len(g.in):cap(g.in)])
		g.in = g.in[:len(g.in)+n]
		if scanErr := g.scan(); scanErr != nil {
			g.Conn.Close()
			return 0, scanErr
		}
		if err != nil && g.o == len(g.out) {
			return 0, err
		}
	}
	n := copy(p, g.out[g.o:])
	g.o += n
	return n, nil
}

// scan moves everything it can from in to out.
func (g *guardConn) scan() error {
	for g.r < len(g.in) {
		if g.skip > 0 {
			n := min(g.skip, len(g.in)-g.r)
			g.take(n)
			if g.skip -= n; g.skip == 0 {
				g.done()
			}
			continue
		}
		end := bytes.IndexByte(g.in[g.r:], '\n')
		if end < 0 {
			if len(g.in)-g.r > maxReplyLine {
				return errReplySize
			}
			return nil
		}
		line := g.in[g.r : g.r+end+1]
		if err := g.header(line); err != nil {
			return err
		}
	}
	return nil
}

// header handles one line that starts an element.
func (g *guardConn) header(line []byte) error {
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return errReplySyntax
	}
	top := g.depth == 0 && !g.holding
	switch t := line[0]; t {
	case '$', '=', '!':
		n, ok := ReplySize(line[1 : len(line)-2])
		if !ok {
			return errReplySyntax
		}
		if n > maxReplyBulk {
			return errReplySize
		}
		if t != '$' {
			g.spill()
		}
		g.take(len(line))
		if n < 0 {
			g.done()
		} else {
			g.skip = n + 2
		}
	case '*', '~', '>', '%', '|':
		n, ok := ReplySize(line[1 : len(line)-2])
		if !ok {
			return errReplySyntax
		}
		if n > maxReplyElems || g.depth == maxReplyDepth {
			return errReplySize
		}
		if t == '%' || t == '|' {
			n *= 2
		}
		return g.open(t, n, line, top)
	case '_':
		g.take(len(line))
		g.done()
	case '+', '-', ':', '#', ',', '(':
		g.spill()
		g.take(len(line))
		g.done()
	default:
		return errReplySyntax
	}
	return nil
}

// open starts an aggregate of n elements.
func (g *guardConn) open(t byte, n int, line []byte, top bool) error {
	if t == '|' && g.depth > 0 {
		g.left[g.depth-1]++ // attributes come before an element, they are none
	}
	if top && t == '*' && n > 0 && g.wrap {
		g.holding = true
	} else {
		g.spill()
	}
	g.take(len(line))
	if n <= 0 {
		if t != '|' || g.depth > 0 {
			g.done()
		}
		return nil
	}
	g.left[g.depth] = n
	g.depth++
	return nil
}

// take passes the next n scanned bytes on.
func (g *guardConn) take(n int) {
	b := g.in[g.r : g.r+n]
	g.r += n
	if !g.holding {
		g.out = append(g.out, b...)
		return
	}
	g.hold = append(g.hold, b...)
	if len(g.hold) > maxHold {
		g.spill()
	}
}

// spill gives up on wrapping the array at hand.
func (g *guardConn) spill() {
	if g.holding {
		g.holding = false
		g.out = append(g.out, g.hold...)
		g.dropHold()
	}
}

// done ends one element, and with it the aggregates that it completes.
func (g *guardConn) done() {
	for g.depth > 0 {
		g.left[g.depth-1]--
		if g.left[g.depth-1] > 0 {
			return
		}
		g.depth--
	}
	if g.holding {
		g.holding = false
		g.out = append(g.out, '$')
		g.out = strconv.AppendInt(g.out, int64(len(g.hold)), 10)
		g.out = append(g.out, "\r\n"...)
		g.out = append(g.out, g.hold...)
		g.out = append(g.out, "\r\n"...)
		g.dropHold()
	}
}

// dropHold empties hold and does not keep a rare large one.
func (g *guardConn) dropHold() {
	if g.hold = g.hold[:0]; cap(g.hold) > maxReplyLine {
		g.hold = nil
	}
}

// ReplySize reads the number of a reply's header; -1 is a null.
func ReplySize(b []byte) (n int, ok bool) {
	if len(b) == 2 && b[0] == '-' && b[1] == '1' {
		return -1, true
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
