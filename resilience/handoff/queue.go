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
		perPrio [priorities]int // weights
		closed  bool
		waiting int // workers in wake.Wait
	}
	wake sync.Cond
	// weight of what is in mu.heap. It is written under the lock and read without.
	weight atomic.Int64
}

// NewQueue makes a queue for items that wait of at most that weight together;
// permits, if not nil, also bounds the number of those being worked on.
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
	var room eviction[T]
	if !permitted || int(q.weight.Load())+t.Weight() > q.capacity {
		if permitted, room = q.makeRoomLocked(t, permitted); !permitted {
			err := q.refuseLocked(t, room.refund, ErrFull)
			q.evict(room)
			return err
		}
	}
	q.pushLocked(item, t)
	wake := q.mu.waiting > 0
	q.mu.Unlock()

	if wake {
		q.wake.Signal()
	}
	q.evict(room)
	return nil
}

// eviction is what was taken out of a full queue for a more important item.
type eviction[T Item] struct {
	victims []T
	fates   []error
	// inherited says that the first victim's permit has gone to the new item.
	inherited bool
	// refund says that there was no room after all, and that the new item has a
	// permit to give back.
	refund bool
}

// makeRoomLocked takes victims out until the item has a permit and a place: first
// what is dead, then, if that makes room enough, what is of less importance. A
// heavy item may need several.
func (q *Queue[T]) makeRoomLocked(t *Ticket, permitted bool) (ok bool, room eviction[T]) {
	take := func(at int, fate error) {
		room.victims, room.fates = append(room.victims, q.removeLocked(at)), append(room.fates, fate)
		if !permitted {
			permitted, room.inherited = true, true
		}
	}
	missing := func() int { return int(q.weight.Load()) + t.Weight() - q.capacity }
	for (!permitted || missing() > 0) && q.deadHeadLocked(t.queuedAt) {
		take(0, ErrDeadline)
	}
	if below := q.belowLocked(t.prio); below < missing() || !permitted && below == 0 {
		room.refund = permitted
		return false, room
	}
	for !permitted || missing() > 0 {
		take(q.cheapestBelowLocked(t.prio), ErrShed)
	}
	return true, room
}

// evict ends the victims, without the lock.
func (q *Queue[T]) evict(room eviction[T]) {
	for i, victim := range room.victims {
		q.end(victim, i > 0 || !room.inherited, room.fates[i])
	}
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

// Take blocks until something is queued, then appends items of up to max weight to
// dst, most important first; the first is taken whatever its weight. With linger > 0
// it waits that long for so much to
// come together, but never beyond half of the time that the most important item
// was given: the other half is for the work. Items whose caller has left or whose deadline has passed are
// finished here and not returned, so the result can be empty while the queue is
// open; ok is false once the queue is closed and empty.
func (q *Queue[T]) Take(dst []T, max int, linger time.Duration) (items []T, ok bool) {
	return q.TakeWith(nil, dst, max, linger)
}

// TakeWith is Take for the most important item and those that company lets join it,
// which stand in no order; nil lets everything.
func (q *Queue[T]) TakeWith(company Company[T], dst []T, max int, linger time.Duration) (items []T, ok bool) {
	q.mu.Lock()
	for len(q.mu.heap) == 0 {
		if q.mu.closed {
			q.mu.Unlock()
			return dst, false
		}
		q.waitLocked()
		q.yieldLocked()
	}
	if linger > 0 && int(q.weight.Load()) < max {
		q.lingerLocked(max, linger)
	}
	dst = q.takeLocked(company, dst, max)
	more := len(q.mu.heap) > 0 && q.mu.waiting > 0
	q.mu.Unlock()
	if more {
		q.wake.Signal()
	}
	return q.DropDead(dst), true
}

// takeLocked takes items out of the heap. After a linger it may be empty: another
// worker was faster.
func (q *Queue[T]) takeLocked(company Company[T], dst []T, max int) []T {
	if company != nil && len(q.mu.heap) > 0 {
		return q.takeCompanyLocked(company, dst, max)
	}
	for room := max; len(q.mu.heap) > 0; {
		weight := q.mu.heap[0].weight
		if weight > room && len(dst) > 0 {
			break
		}
		room -= weight
		dst = append(dst, q.removeLocked(0))
		if room <= 0 {
			break
		}
	}
	return dst
}

// lingerLocked waits until items of weight max are queued, the queue closes or is emptied
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
	for n := int(q.weight.Load()); n > 0 && n < max && !q.mu.closed; n = int(q.weight.Load()) {
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

// DropDead finishes the items that need no work any more and keeps the rest. A
// worker that takes a while before it comes to some of what it took asks again.
func (q *Queue[T]) DropDead(items []T) []T {
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

// Weight of the items that wait, together.
func (q *Queue[T]) Weight() int { return int(q.weight.Load()) }

// Close refuses new items; workers still get what is queued, then ok=false.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	q.mu.closed = true
	q.mu.Unlock()
	q.wake.Broadcast()
}
