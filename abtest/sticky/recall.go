package sticky

import (
	"time"
	"unique"
	"unsafe"

	"hotpath/abtest"
	"hotpath/resilience"
	"hotpath/resilience/handoff"
)

// lookup is the part of one Recall that memory did not answer, on its way through
// the queue of the readers.
//
// The caller writes asks and keys before it submits and reads the facts in asks after
// Wait returned nil; in between the reader owns them. The keys are copies.
type lookup struct {
	handoff.Ticket
	store *Store
	asks  []ask
	keys  []byte
}

// ask is about one unit of one experiment.
type ask struct {
	at         int // in the arguments of Recall
	experiment *abtest.Experiment
	key        [2]int // in lookup.keys
	cacheKey   cacheKey
	found      fact
}

// Handoff implements handoff.Item.
func (l *lookup) Handoff() *handoff.Ticket { return &l.Ticket }

// Recycle implements handoff.Item.
func (l *lookup) Recycle() {
	clear(l.asks)
	l.asks, l.keys = l.asks[:0], l.keys[:0]
	l.store.asked.Put(l)
}

// Recall puts into variants[i] the name of the variant that is kept for the unit
// ids[i] of experiments[i]; empty where none is, or is known by until or within the
// budget. All that memory does not know is asked of Redis in one pipeline. The names
// are read only, and do not change.
func (s *Store) Recall(until time.Time, experiments []*abtest.Experiment, ids, variants [][]byte) {
	start := time.Now()
	now := s.moment(start)
	var l *lookup
	for i, e := range experiments {
		variants[i] = nil
		if !storable(ids[i]) {
			continue
		}
		k := s.cache.key(e.StickyKey(), ids[i])
		f, due := s.cache.get(k, now, pauseOf(s.opts.TTL))
		if f.state != unread {
			s.metrics.recalls[fromCache].Inc()
			variants[i] = f.variant()
			if due {
				s.refresh(e, ids[i], k, f)
			}
			continue
		}
		if l == nil {
			l = s.asked.Get().(*lookup)
			l.Hold()
		}
		from := len(l.keys)
		l.keys = s.appendKey(l.keys, e, ids[i])
		l.asks = append(l.asks, ask{at: i, experiment: e, key: [2]int{from, len(l.keys)}, cacheKey: k})
	}
	if l == nil {
		return
	}
	if result, n := s.await(l, start, until), len(l.asks); result != fromRedis {
		s.metrics.recalls[result].Add(float64(n))
	} else {
		s.collect(l, ids, variants, now)
	}
	handoff.Release(l)
}

// await has a lookup read. Only after fromRedis its facts may be looked at.
func (s *Store) await(l *lookup, start, until time.Time) recalled {
	pass, err := s.guard.Enter()
	if err != nil {
		return recallRefused
	}
	// Time that the caller did not have is not the fault of Redis.
	late := resilience.Failure
	if budget := start.Add(s.opts.Budget); budget.Before(until) {
		until = budget
	} else {
		late = resilience.Ignored
	}
	if s.link.Client() == nil {
		s.metrics.errors[s.link.State().Code].Inc()
		pass.Leave(resilience.Failure)
		return recallError
	}
	l.Weigh(len(l.asks))
	if err = s.queue.Submit(l, until, handoff.Normal); err == nil {
		err = l.Wait()
	}
	switch err {
	case nil:
		pass.Leave(resilience.Success)
		return fromRedis
	case handoff.ErrDeadline:
		pass.Leave(late)
		return recallTimeout
	case errRead:
		pass.Leave(resilience.Failure)
		return recallError
	}
	pass.Leave(resilience.Ignored) // our own queue is full, or closed
	return recallRefused
}

// collect hands the facts of a lookup that was read to the caller.
func (s *Store) collect(l *lookup, ids, variants [][]byte, now moment) {
	for i := range l.asks {
		a := &l.asks[i]
		variants[a.at] = a.found.variant()
		switch a.found.state {
		case stored:
			s.metrics.recalls[fromRedis].Inc()
			if _, due := s.cache.get(a.cacheKey, now, pauseOf(s.opts.TTL)); due {
				s.refresh(a.experiment, ids[a.at], a.cacheKey, a.found)
			}
		case foreign:
			s.metrics.recalls[recallError].Inc()
		default:
			s.metrics.recalls[recalledNone].Inc()
		}
	}
}

// variant is the name in a fact, in memory that nobody changes; nil where it has none.
func (f *fact) variant() []byte {
	if f.name == (unique.Handle[string]{}) {
		return nil
	}
	name := f.name.Value()
	return unsafe.Slice(unsafe.StringData(name), len(name))
}

// renewals of a key in the time that it lives.
const renewals = 10

// pauseOf is how long it takes until something that could not be written or renewed
// is tried again.
func pauseOf(ttl time.Duration) moment { return moment(min(ttl/renewals, time.Second)) }

var _ handoff.Item = (*lookup)(nil)
