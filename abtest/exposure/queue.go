package exposure

import (
	"sync/atomic"
)

// textRoom is the memory for texts that a slot begins with: two ids of a usual
// length. A slot that meets longer ones keeps what it grew to, which the limits of
// the texts bound.
const textRoom = 96

// kind tells what a slot holds.
type kind uint8

const (
	kindExposure kind = iota
	kindFeedback
	numKinds
)

// maxDegraded bounds the fallbacks that are kept of one event; there are fewer.
const maxDegraded = 4

// slot is one event that waits, with texts of its own.
//
// A slot goes from the queue to one producer, to the worker and back. turn says
// whose it is at position p: p: a producer's, once it has claimed p by the queue's
// tail; p+1: the worker's; p+slots: the producer's of the next round. Only its
// holder touches the rest.
type slot struct {
	turn     atomic.Uint64
	kind     kind
	ends     [6]uint16 // of a feedback's texts in text
	event    Event     // of a feedback: At, and Score for its value
	degraded [maxDegraded]string
	text     []byte
}

// queue hands events from many producers to one worker. It is bounded, and neither
// side ever waits for the other: a producer that finds it full is told so.
type queue struct {
	slots []slot
	mask  uint64

	_ [64]byte
	// tail is the next position to claim, and closedBit. Producers move it.
	tail atomic.Uint64
	_    [56]byte
	// head is the next position to take. Only the worker moves it.
	head atomic.Uint64
	_    [56]byte
	// asleep is set by the worker, and cleared by whoever sends it the one wake-up,
	// or by the worker if it finds something after all.
	asleep atomic.Bool
	wake   chan struct{}
}

// closedBit in the tail refuses claims from then on: what was claimed before is
// exactly what the worker has to take yet.
const closedBit = 1 << 63

// newQueue makes a queue of at least n slots: a power of two.
func newQueue(n int) *queue {
	size := 1
	for size < n {
		size *= 2
	}
	q := &queue{slots: make([]slot, size), mask: uint64(size - 1), wake: make(chan struct{}, 1)}
	texts := make([]byte, size*textRoom)
	for i := range q.slots {
		q.slots[i].turn.Store(uint64(i))
		q.slots[i].text = texts[i*textRoom : i*textRoom : (i+1)*textRoom]
	}
	return q
}

// refusal says why the log did not take an event.
type refusal uint8

const (
	accepted refusal = iota
	queueFull
	tooLong
	notFinite
	logClosed
	numRefusals
)

var refusalNames = [numRefusals]string{"", "queue_full", "too_long", "not_finite", "closed"}

// claim gives the caller a slot to fill, and its position for publish.
func (q *queue) claim() (*slot, uint64, refusal) {
	for {
		at := q.tail.Load()
		if at&closedBit != 0 {
			return nil, 0, logClosed
		}
		s := &q.slots[at&q.mask]
		switch ahead := int64(s.turn.Load() - at); {
		case ahead == 0:
			if q.tail.CompareAndSwap(at, at+1) {
				return s, at, accepted
			}
		case ahead < 0:
			return nil, 0, queueFull
		}
		// Another producer has claimed the position: look at the next one.
	}
}

// publish gives a filled slot to the worker.
func (q *queue) publish(s *slot, at uint64) {
	s.turn.Store(at + 1)
	q.rouse()
}

// rouse wakes the worker if it sleeps. Whoever clears asleep sends, and the worker
// takes what was sent before it sleeps again: so the channel has room.
func (q *queue) rouse() {
	if q.asleep.Load() && q.asleep.CompareAndSwap(true, false) {
		q.wake <- struct{}{}
	}
}

// take is the next published slot; nil: none yet. Release gives it back.
func (q *queue) take() *slot {
	at := q.head.Load()
	if s := &q.slots[at&q.mask]; s.turn.Load() == at+1 {
		return s
	}
	return nil
}

// release gives the slot that was taken last back to the producers.
func (q *queue) release(s *slot) {
	at := q.head.Load()
	s.turn.Store(at + uint64(len(q.slots)))
	q.head.Store(at + 1)
}

// sleep waits until something is published or the queue is closed.
func (q *queue) sleep() {
	q.asleep.Store(true)
	// A producer that published before asleep was set sends nothing: look again.
	if (q.take() != nil || q.closed()) && q.asleep.CompareAndSwap(true, false) {
		return
	}
	<-q.wake
}

// close refuses claims from now on.
func (q *queue) close() {
	q.tail.Or(closedBit)
	q.rouse()
}

func (q *queue) closed() bool { return q.tail.Load()&closedBit != 0 }

// waiting counts the slots that were claimed and are not yet given back.
func (q *queue) waiting() int {
	head := q.head.Load()
	return int(q.tail.Load()&^closedBit - head)
}
