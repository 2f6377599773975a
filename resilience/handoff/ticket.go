package handoff

import (
	"errors"
	"sync/atomic"
	"time"
)

// The ways in which an item ends without the worker's own outcome.
var (
	// ErrFull: the queue or its bulkhead is full; the item was never queued.
	ErrFull = errors.New("queue full")
	// ErrClosed: the queue is shutting down; the item was never queued.
	ErrClosed = errors.New("queue closed")
	// ErrDeadline: the caller's deadline passed before there was an outcome.
	ErrDeadline = errors.New("deadline passed")
	// ErrShed: a more important item took this one's place in a full queue.
	ErrShed = errors.New("shed for a more important request")
)

// Priority orders items before their deadlines do.
type Priority uint8

// Low is work that nobody waits for (shadow scoring); Normal is a request.
const (
	Low Priority = iota
	Normal
	priorities
)

const (
	idle uint32 = iota
	pending
	done
	abandoned
)

// Ticket is the shared part of an item: embed it by value. The zero value is
// ready once Init was called.
//
// until, prio, weight and queuedAt are written by the caller before Submit and
// only read after. err is written by the worker before the move to done and read by
// the caller after it. state and holds are atomic.
type Ticket struct {
	until    time.Time
	queuedAt time.Time
	prio     Priority
	weight   int // 0 counts as 1
	state    atomic.Uint32
	holds    atomic.Int32
	ready    chan struct{} // cap 1; holds a token exactly when state became done
	timer    *time.Timer
	err      error
}

// Init makes a new item's ticket usable. Call it once, when the pool makes the item.
func (t *Ticket) Init() {
	t.ready = make(chan struct{}, 1)
	t.timer = time.NewTimer(time.Hour)
	t.timer.Stop()
}

// Hold is the caller's first hold, taken when the item leaves its pool.
func (t *Ticket) Hold() {
	t.holds.Store(1)
	t.state.Store(idle)
	t.err, t.weight = nil, 1
}

// Weigh says before Submit how much of the queue's capacity, and of what a worker
// takes at once, the item is. An item that is not weighed is 1.
func (t *Ticket) Weigh(n int) { t.weight = n }

// Weight of the item.
func (t *Ticket) Weight() int { return max(t.weight, 1) }

// Until is the deadline that the item was submitted with.
func (t *Ticket) Until() time.Time { return t.until }

// QueuedAt is when the item was submitted.
func (t *Ticket) QueuedAt() time.Time { return t.queuedAt }

// Priority is what the item was submitted with.
func (t *Ticket) Priority() Priority { return t.prio }

// Abandoned says that the caller has left: the worker need not work for it.
func (t *Ticket) Abandoned() bool { return t.state.Load() == abandoned }

// Wait blocks the caller until the worker's outcome or the deadline given to
// Submit. After ErrDeadline the item still belongs to the other side as well:
// the caller may only Release it.
func (t *Ticket) Wait() error {
	select {
	case <-t.ready:
		return t.err
	default:
	}
	t.timer.Reset(time.Until(t.until))
	select {
	case <-t.ready:
		t.timer.Stop()
		return t.err
	case <-t.timer.C:
		if t.state.CompareAndSwap(pending, abandoned) {
			return ErrDeadline
		}
		<-t.ready // the worker won the race; its token is on its way
		return t.err
	}
}

// Abandon leaves without waiting: the worker need not work for the item any more.
// It stands in the place of Wait, after which it must not be called.
func (t *Ticket) Abandon() {
	if !t.state.CompareAndSwap(pending, abandoned) {
		<-t.ready // the outcome is there, or on its way
	}
}

// publish is the worker's half of the race; false when the caller has left.
func (t *Ticket) publish(err error) bool {
	t.err = err
	if !t.state.CompareAndSwap(pending, done) {
		return false
	}
	t.ready <- struct{}{}
	return true
}
