package sticky

import (
	"time"
	"unique"

	"github.com/redis/rueidis"

	"hotpath/abtest"
	"hotpath/resilience"
	"hotpath/resilience/redislink"
)

// intent is what a write is for.
type intent uint8

const (
	// keep stores a variant where nothing is.
	keep intent = iota
	// replace stores it where something is that is no variant.
	replace
	// renew has what is stored live on.
	renew
)

// write is one thing to tell Redis, about one unit of one experiment.
type write struct {
	intent     intent
	experiment *abtest.Experiment
	variant    string
	key        []byte
	cacheKey   cacheKey
}

// Remember keeps a variant for a unit that has none yet. It does not wait.
func (s *Store) Remember(e *abtest.Experiment, unit []byte, variant string) {
	if !storable(unit) {
		return
	}
	now := s.moment(time.Now())
	k := s.cache.key(e.StickyKey(), unit)
	in, wanted := keep, false
	s.cache.change(k, now, func(known fact) (fact, bool) {
		in, wanted = intentOf(e, &known, variant)
		if !wanted {
			return known, false
		}
		return fact{state: pending, name: unique.Make(variant), until: now + moment(s.opts.TTL), due: now + pauseOf(s.opts.TTL)}, true
	})
	if wanted {
		s.offer(in, e, unit, k, variant)
	}
}

// intentOf says what is to be done about a variant that a unit was given, where
// something is known of it.
func intentOf(e *abtest.Experiment, known *fact, variant string) (in intent, wanted bool) {
	switch known.state {
	case foreign:
		return keep, false
	case unknown:
		return replace, true
	case stored:
		// A variant that is withdrawn, or not open, keeps its units.
		return replace, e.Variant(known.name.Value()) == nil
	case pending:
		return keep, known.name.Value() != variant
	}
	return keep, true
}

// refresh tells Redis of what memory has had for a while: it was not stored yet, or
// it is to live on.
func (s *Store) refresh(e *abtest.Experiment, unit []byte, k cacheKey, f fact) {
	name := f.name.Value()
	switch {
	case e.Variant(name) == nil: // the unit's next assignment replaces it
	case f.state == stored:
		s.offer(renew, e, unit, k, name)
	default:
		s.offer(keep, e, unit, k, name)
	}
}

// offer queues a write, or drops it.
func (s *Store) offer(in intent, e *abtest.Experiment, unit []byte, k cacheKey, variant string) {
	w := s.wrote.Get().(*write)
	w.intent, w.experiment, w.variant, w.cacheKey = in, e, variant, k
	w.key = s.appendKey(w.key[:0], e, unit)
	s.closing.RLock()
	defer s.closing.RUnlock()
	if !s.closed {
		select {
		case s.writes <- w:
			return
		default:
		}
	}
	s.metrics.writes[writtenDropped].Inc()
	s.drop(w)
}

// drop puts a write back into the pool.
func (s *Store) drop(w *write) {
	w.experiment, w.variant = nil, ""
	s.wrote.Put(w)
}

// writer takes writes and sends them as pipelines. All its fields belong to its
// goroutine.
type writer struct {
	pipe
	items []*write
}

func newWriter(s *Store) *writer {
	return &writer{pipe: pipe{store: s, pipeline: s.link.Pipeline()}}
}

// loop ends when the queue is closed and empty.
func (w *writer) loop() {
	for first := range w.store.writes {
		w.items = append(w.items[:0], first)
		w.fill()
		if w.store.hurried.Load() {
			w.count(writtenDropped, len(w.items))
		} else {
			w.serve()
		}
		for _, item := range w.items {
			w.store.drop(item)
		}
		clear(w.items)
	}
}

// fill takes what else is queued, up to a batch.
func (w *writer) fill() {
	for len(w.items) < w.store.opts.MaxBatch {
		select {
		case next, open := <-w.store.writes:
			if !open {
				return
			}
			w.items = append(w.items, next)
		default:
			return
		}
	}
}

// serve runs one pipeline.
func (w *writer) serve() {
	pass, err := w.store.guard.Enter()
	if err != nil {
		w.count(writtenRefused, len(w.items))
		return
	}
	outcome := resilience.Failure
	left := len(w.items)
	defer func() {
		if recover() != nil {
			w.store.metrics.panics.Inc()
			w.forget()
		}
		w.count(writtenError, left)
		pass.Leave(outcome)
	}()
	client := w.store.link.Client()
	if client == nil {
		w.store.metrics.errors[w.store.link.State().Code].Inc()
		return
	}
	w.begin()
	for _, item := range w.items {
		w.build(client.B(), item)
	}
	results := w.pipeline.Do(client, w.commands)
	var failure error
	for _, item := range w.items {
		result, err := w.settle(item, results[:writeCommands])
		if err != nil {
			failure = err
		}
		w.count(result, 1)
		left--
		results = results[writeCommands:]
	}
	if failure != nil {
		w.forget()
		w.store.failed(failure)
		return
	}
	outcome = resilience.Success
}

// writeCommands is how many commands build adds.
const writeCommands = 1 + readCommands

// build adds what an item is for, and a look at what is stored then.
func (w *writer) build(b rueidis.Builder, item *write) {
	key, ttl := w.key(item.key), w.store.opts.TTL.Milliseconds()
	var tell rueidis.Completed
	switch item.intent {
	case keep:
		tell = b.Set().Key(key).Value(item.variant).Nx().PxMilliseconds(ttl).Build()
	case replace:
		tell = b.Set().Key(key).Value(item.variant).PxMilliseconds(ttl).Build()
	case renew:
		tell = b.Pexpire().Key(key).Milliseconds(ttl).Build()
	}
	w.commands = append(w.commands, tell)
	w.read(b, key)
}

// settle learns what is stored after an item was written: what it said, or what
// somebody else did. Only an error that is about the connection or the server is
// returned: one that answers reads but takes no writes (it is full, or a replica) is
// not to be kept from answering them.
func (w *writer) settle(item *write, results []rueidis.RedisResult) (written, error) {
	told := results[0].Error()
	f, err := w.store.learn(item.experiment, results[1:])
	if err != nil {
		return writtenError, err
	}
	if told != nil && !rueidis.IsRedisNil(told) && f.state != foreign {
		w.store.metrics.errors[redislink.Classify(told)].Inc()
		return writtenError, nil
	}
	w.store.cache.put(item.cacheKey, f, w.store.moment(time.Now()))
	switch {
	case f.state == foreign:
		return writtenError, nil
	case f.state == absent:
		return writtenGone, nil
	case item.intent == renew:
		return writtenRenewed, nil
	case told != nil:
		return writtenTaken, nil
	}
	return writtenStored, nil
}

func (w *writer) count(result written, n int) {
	w.store.metrics.writes[result].Add(float64(n))
	if result >= writtenDropped && w.store.ending.Load() {
		w.store.leftOver.Add(int64(n))
	}
}
