package features

import (
	"context"
	"sync/atomic"
	"time"
)

// bound is a context with a deadline that its owner uses again and again, where
// context.WithTimeout would make several objects per pipeline.
//
// Only the owner calls begin and end, and writes until. done never changes, so
// a goroutine that the client derived from an earlier use may still look at it:
// it sees a channel that closes late, never one of another bound. Once the
// deadline passed, the bound is spent.
type bound struct {
	context.Context
	limit time.Duration
	until time.Time
	done  chan struct{}
	fired atomic.Bool
	timer *time.Timer
}

func newBound(limit time.Duration) *bound {
	b := &bound{Context: context.Background(), limit: limit, done: make(chan struct{})}
	b.timer = time.AfterFunc(time.Hour, func() {
		b.fired.Store(true)
		close(b.done)
	})
	b.timer.Stop()
	return b
}

// begin starts the time.
func (b *bound) begin(now time.Time) {
	b.until = now.Add(b.limit)
	b.timer.Reset(b.limit)
}

// end stops the time; false when it is spent and a new one is needed.
func (b *bound) end() bool { return b.timer.Stop() }

// Deadline implements context.Context.
func (b *bound) Deadline() (time.Time, bool) { return b.until, true }

// Done implements context.Context.
func (b *bound) Done() <-chan struct{} { return b.done }

// Err implements context.Context.
func (b *bound) Err() error {
	if b.fired.Load() {
		return context.DeadlineExceeded
	}
	return nil
}
