package handoff

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Item is what a queue carries: a pooled value with a Ticket in it.
type Item interface {
	// Handoff gives the item's ticket.
	Handoff() *Ticket
	// Recycle puts the item back into its pool; called once, by the last holder.
	Recycle()
}

// Permits is a bulkhead: failsafe-go's satisfies it.
type Permits interface {
	TryAcquirePermit() bool
	ReleasePermit()
}

// Queue is a bounded queue in order of priority and deadline. Any number of
// callers submit, a fixed set of workers takes.
type Queue[T Item] struct {
	capacity int
	permits  Permits // nil: bounded by capacity alone

	mu struct {
		sync.Mutex
		heap    []entry[T]
		perPrio [priorities]int
		closed  bool
		waiting int // workers in wake.Wait
	}
	wake   sync.Cond
	length atomic.Int64 // len(mu.heap), for readers without the lock
}

// NewQueue makes a queue for at most capacity items that wait; permits, if not
// nil, also bounds those being worked on.
func NewQueue[T Item](capacity int, permits Permits) *Queue[T] {
	q := &Queue[T]{capacity: capacity, permits: permits}
	q.mu.heap = make([]entry[T], 0, capacity)
	q.wake.L = &q.mu
	return q
}

// Submit queues an item until a deadline, giving the queue its own hold. On an
// error (ErrFull, ErrClosed) the item remains the caller's alone.
//
// Where queue or bulkhead is full, a more important item takes the place, and
// the permit, of a less important one that waits.
func (q *Queue[T]) Submit(item T, until time.Time, prio Priority) error {
	permitted := q.permits == nil || q.permits.TryAcquirePermit()
	t := item.Handoff()
	t.until, t.prio, t.queuedAt = until, prio, time.Now()
	t.state.Store(pending)
	t.holds.Add(1)

	q.mu.Lock()
	if q.mu.closed {
		return q.refuseLocked(t, permitted, ErrClosed)
	}
	var victim T
	var fate error
	if !permitted || len(q.mu.heap) == q.capacity {
		at := -1
		if at, fate = q.victimLocked(prio, t.queuedAt); at < 0 {
			return q.refuseLocked(t, permitted, ErrFull)
		}
		victim = q.removeLocked(at)
	}
	q.pushLocked(item, t)
	wake := q.mu.waiting > 0
	q.mu.Unlock()

	if wake {
		q.wake.Signal()
	}
	if fate != nil {
		q.end(victim, permitted, fate)
	}
	return nil
}

// refuseLocked undoes what Submit did before it held the lock, and unlocks.
func (q *Queue[T]) refuseLocked(t *Ticket, permitted bool, err error) error {
	q.mu.Unlock()
	t.holds.Add(-1)
	t.state.Store(idle)
	if permitted && q.permits != nil {
		q.permits.ReleasePermit()
	}
	return err
}

// Take blocks until something is queued, then appends up to max items to dst,
// most important first. With linger > 0 it waits that long for max items to
// come together, but never beyond half of the time that the most important item
// was given: the other half is for the work. Items whose caller has left or whose deadline has passed are
// finished here and not returned, so the result can be empty while the queue is
// open; ok is false once the queue is closed and empty.
func (q *Queue[T]) Take(dst []T, max int, linger time.Duration) (items []T, ok bool) {
	q.mu.Lock()
	for len(q.mu.heap) == 0 {
		if q.mu.closed {
			q.mu.Unlock()
			return dst, false
		}
		q.waitLocked()
		q.yieldLocked()
	}
	if linger > 0 && len(q.mu.heap) < max {
		q.lingerLocked(max, linger)
	}
	for len(dst) < max && len(q.mu.heap) > 0 {
		dst = append(dst, q.removeLocked(0))
	}
	more := len(q.mu.heap) > 0 && q.mu.waiting > 0
	q.mu.Unlock()
	if more {
		q.wake.Signal()
	}
	return q.dropDead(dst), true
}

// lingerLocked waits until max items are queued, the queue closes or is emptied
// by another worker, or the time is over.
func (q *Queue[T]) lingerLocked(max int, linger time.Duration) {
	end := time.Now().Add(linger)
	timer := time.AfterFunc(linger, func() {
		// With the lock: a worker that has seen that it is too early, and does
		// not wait yet, must not miss the call.
		q.mu.Lock()
		defer q.mu.Unlock()
		q.wake.Broadcast()
	})
	defer timer.Stop()
	for n := len(q.mu.heap); n > 0 && n < max && !q.mu.closed; n = len(q.mu.heap) {
		// The head may have changed while this worker slept.
		head := q.mu.heap[0].item.Handoff()
		stop := head.queuedAt.Add(head.until.Sub(head.queuedAt) / 2)
		if end.Before(stop) {
			stop = end
		}
		left := time.Until(stop)
		if left <= 0 {
			return
		}
		timer.Reset(left)
		q.waitLocked()
	}
}

// yieldLocked lets a worker that was just woken stand back until the goroutines
// that are ready to run have run. Go's scheduler hands the processor straight
// from the caller that submits to the worker, and back: where every processor is
// busy, worker and one caller would pass it to and fro, one item a batch, while
// the other callers, about to submit, look on. When nobody else is ready it
// returns at once, so that a lone item still waits for nothing.
func (q *Queue[T]) yieldLocked() {
	q.mu.Unlock()
	runtime.Gosched()
	q.mu.Lock()
}

func (q *Queue[T]) waitLocked() {
	q.mu.waiting++
	q.wake.Wait()
	q.mu.waiting--
}

// dropDead finishes the items that need no work any more and keeps the rest.
func (q *Queue[T]) dropDead(items []T) []T {
	now := time.Now()
	live := items[:0]
	for _, it := range items {
		t := it.Handoff()
		if t.Abandoned() || !now.Before(t.until) {
			q.Finish(it, ErrDeadline)
			continue
		}
		live = append(live, it)
	}
	return live
}

// Finish ends an item with the worker's outcome and gives up the worker's hold.
// It must be called exactly once for every item taken.
func (q *Queue[T]) Finish(item T, err error) { q.end(item, true, err) }

// end ends an item, with its permit unless another item has taken that over.
func (q *Queue[T]) end(item T, permit bool, err error) {
	if permit && q.permits != nil {
		q.permits.ReleasePermit()
	}
	item.Handoff().publish(err)
	Release(item)
}

// Release gives up one hold on an item and recycles it when it was the last.
func Release[T Item](item T) {
	if item.Handoff().holds.Add(-1) == 0 {
		item.Recycle()
	}
}

// Len is the number of items that wait.
func (q *Queue[T]) Len() int { return int(q.length.Load()) }

// Close refuses new items; workers still get what is queued, then ok=false.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	q.mu.closed = true
	q.mu.Unlock()
	q.wake.Broadcast()
}
