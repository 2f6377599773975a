package faultproxy

import (
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pieceBytes = 16 << 10
	// maxPieces of a connection's replies are on their way at a time.
	maxPieces = 1024
)

// link is one connection through the proxy.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	server net.Conn
	// lost says that bytes were swallowed: whatever follows is swallowed, too.
	lost  atomic.Bool
	once  sync.Once
	over  chan struct{} // closed when the connection has ended
	epoch int           // of replied; both belong to deliver
	// replied counts the bytes of replies under the fault in force.
	replied int
}

// piece is a part of a reply on its way.
type piece struct {
	bytes []byte
	due   time.Time
}

// close ends both sides.
func (l *link) close() {
	l.once.Do(func() {
		close(l.over)
		l.client.Close()
		l.server.Close()
	})
}

// reset ends the client's side with a RST.
func (l *link) reset() {
	// Without it the close is an ordinary one, which ends the connection as well.
	_ = l.client.SetLinger(0)
	l.close()
}

// hears waits while the proxy is deaf. False means that the connection ended.
func (l *link) hears() bool {
	for {
		f, _, changed := l.proxy.state()
		if !f.Deaf {
			return true
		}
		select {
		case <-changed:
		case <-l.over:
			return false
		}
	}
}

// swallows says whether bytes that just came are lost.
func (l *link) swallows() bool {
	if f, _, _ := l.proxy.state(); f.Swallow {
		l.lost.Store(true)
	}
	return l.lost.Load()
}

// requests passes the client's bytes on.
func (l *link) requests() {
	defer l.close()
	buffer := make([]byte, pieceBytes)
	for {
		n, err := l.client.Read(buffer)
		if err != nil || !l.hears() {
			return
		}
		if l.swallows() {
			continue
		}
		if _, err := l.server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// replies reads the server's bytes and says when they are due.
func (l *link) replies(to chan<- piece) {
	defer close(to)
	buffer := make([]byte, pieceBytes)
	for {
		n, err := l.server.Read(buffer)
		if err != nil || !l.hears() {
			return
		}
		f, _, _ := l.proxy.state()
		late := f.Delay
		if f.Jitter > 0 {
			late += time.Duration((2*rand.Float64() - 1) * float64(f.Jitter))
		}
		select {
		case to <- piece{slices.Clone(buffer[:n]), time.Now().Add(late)}:
		case <-l.over:
			return
		}
	}
}

// deliver hands out the pieces in their order, each when it is due.
func (l *link) deliver(pieces <-chan piece) {
	defer l.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range pieces {
		timer.Reset(time.Until(p.due))
		select {
		case <-timer.C:
		case <-l.over:
			return
		}
		if l.swallows() {
			continue
		}
		if !l.give(p.bytes) {
			return
		}
	}
}

// give writes a piece as the fault has it; false ends the connection.
func (l *link) give(b []byte) bool {
	f, epoch, _ := l.proxy.state()
	if epoch != l.epoch {
		l.epoch, l.replied = epoch, 0
	}
	if f.Garble {
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
	}
	cut := f.ResetAfter > 0 && l.replied+len(b) >= f.ResetAfter
	if cut {
		b = b[:f.ResetAfter-l.replied]
	}
	l.replied += len(b)
	if _, err := l.client.Write(b); err != nil {
		return false
	}
	if cut {
		// A reset throws away what the other side has not read yet: it is to see the
		// beginning of the reply first.
		time.Sleep(cutPause)
		l.reset()
	}
	return !cut
}

// cutPause is for the client to read the beginning of a reply that is cut off.
const cutPause = 2 * time.Millisecond
