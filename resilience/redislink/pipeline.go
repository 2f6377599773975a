package redislink

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Pipeline sends the commands of one worker, one pipeline at a time. It belongs
// to the worker's goroutine.
type Pipeline struct {
	bound *bound // the context of the pipeline at hand
}

// Pipeline makes the pipeline of one worker.
//
// The client notices a stall by itself and ends the connection, and with it what
// is on its way. The pipeline's own bound comes after that, as a second line.
func (l *Link) Pipeline() *Pipeline {
	o := &l.opts
	return &Pipeline{bound: newBound(o.DialTimeout + 2*o.KeepAlive + 2*o.WriteTimeout)}
}

// Do sends commands and waits for all results. After an error result, or a panic
// of the client, its writer can still be busy with the commands: the memory that
// they refer to must not be used again.
func (p *Pipeline) Do(client rueidis.Client, commands []rueidis.Completed) []rueidis.RedisResult {
	returned := false
	defer func() {
		if !p.bound.end() || !returned {
			p.bound = newBound(p.bound.limit)
		}
	}()
	p.bound.begin(time.Now())
	results := client.DoMulti(p.bound, commands...)
	returned = true
	return results
}

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
