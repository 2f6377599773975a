package sticky

import (
	"errors"
	"time"
	"unique"
	"unsafe"

	"github.com/redis/rueidis"

	"hotpath/abtest"
	"hotpath/resilience/redislink"
)

// errRead says that a lookup was not answered.
var errRead = errors.New("store of sticky assignments gave no answer")

// maxName is how much of a stored value is read, in bytes: a longer one is no
// variant's name.
const maxName = abtest.MaxNameBytes + 1

// foreignFor is how long a key of another type is not asked about again.
const foreignFor = time.Minute

// pipe collects the commands of one pipeline. Everything in it belongs to its
// worker's goroutine.
type pipe struct {
	store    *Store
	pipeline *redislink.Pipeline
	commands []rueidis.Completed
	keys     []byte // memory of the commands' keys
}

// key copies a key into the worker's memory.
func (p *pipe) key(k []byte) string {
	from := len(p.keys)
	p.keys = append(p.keys, k...)
	// When keys grows it moves; keys made before keep the old memory.
	own := p.keys[from:]
	return unsafe.String(unsafe.SliceData(own), len(own))
}

// read adds the commands whose results learn takes.
func (p *pipe) read(b rueidis.Builder, key string) {
	p.commands = append(p.commands, b.Getrange().Key(key).Start(0).End(maxName-1).Build(), b.Pttl().Key(key).Build())
}

// readCommands is how many commands read adds.
const readCommands = 2

// begin empties the pipe.
func (p *pipe) begin() { p.commands, p.keys = p.commands[:0], p.keys[:0] }

// forget drops the memory that the client may still read: after an error its
// writer can be busy with the commands although the results are there.
func (p *pipe) forget() { p.commands, p.keys = nil, nil }

// learn makes a fact of the results of read. Only an error that is about the
// connection or the server is returned.
func (s *Store) learn(e *abtest.Experiment, results []rueidis.RedisResult) (fact, error) {
	now := s.moment(time.Now())
	text, err := results[0].ToString()
	if err == nil {
		var left int64
		if left, err = results[1].AsInt64(); err == nil {
			return s.factOf(e, text, left, now), nil
		}
	}
	if redislink.Classify(err) == redislink.WrongType {
		s.metrics.errors[redislink.WrongType].Inc()
		return fact{state: foreign, until: now + moment(foreignFor)}, nil
	}
	return fact{}, err
}

// The answers of PTTL that are no time.
const (
	noKey    = -2
	noExpiry = -1
)

// factOf says what a stored value means that lives for so many milliseconds.
func (s *Store) factOf(e *abtest.Experiment, text string, left int64, now moment) fact {
	v := e.Variant(text)
	switch {
	case left == noKey:
		return fact{state: absent, until: now + moment(s.opts.AbsentFor)}
	case v == nil:
		return fact{state: unknown, until: now + moment(s.opts.AbsentFor)}
	}
	ttl := moment(s.opts.TTL)
	f := fact{state: stored, name: unique.Make(v.Name()), until: now + ttl}
	if left != noExpiry {
		life := min(moment(left)*moment(time.Millisecond), ttl)
		f.until, f.due = now+life, now+life-ttl+ttl/renewals
	}
	return f
}

// failed reports the error of a pipeline.
func (s *Store) failed(err error) {
	state := s.link.Failed(err)
	s.metrics.errors[state.Code].Inc()
}

// reader takes lookups, sends them as one pipeline, and hands the facts out. All its
// fields belong to its goroutine.
type reader struct {
	pipe
	items []*lookup
	done  int // items[:done] are finished
}

func newReader(s *Store) *reader {
	return &reader{pipe: pipe{store: s, pipeline: s.link.Pipeline()}}
}

func (r *reader) loop() {
	for {
		var open bool
		r.items, open = r.store.queue.Take(r.items[:0], r.store.opts.MaxBatch, 0)
		if !open {
			return
		}
		if len(r.items) > 0 {
			r.serve()
		}
		clear(r.items)
	}
}

// serve runs one pipeline. A panic in the client fails the lookups at hand and
// leaves the reader alive.
func (r *reader) serve() {
	r.done = 0
	defer func() {
		if recover() != nil {
			r.store.metrics.panics.Inc()
			r.forget()
		}
		r.finish(len(r.items), errRead)
	}()
	client := r.store.link.Client()
	if client == nil {
		return
	}
	r.begin()
	for _, l := range r.items {
		for i := range l.asks {
			k := l.asks[i].key
			r.read(client.B(), r.key(l.keys[k[0]:k[1]]))
		}
	}
	r.handOut(r.pipeline.Do(client, r.commands))
}

// handOut gives every lookup its facts, and memory too: a caller that has left finds
// them there when it comes again.
func (r *reader) handOut(results []rueidis.RedisResult) {
	var failure error
	for n, l := range r.items {
		var missed error
		for i := range l.asks {
			a := &l.asks[i]
			var err error
			if a.found, err = r.store.learn(a.experiment, results[:readCommands]); err != nil {
				failure, missed = err, errRead
			} else {
				r.store.cache.put(a.cacheKey, a.found, r.store.moment(time.Now()))
			}
			results = results[readCommands:]
		}
		r.finish(n+1, missed)
	}
	if failure != nil {
		r.forget()
		r.store.failed(failure)
	}
}

// finish ends the items before n.
func (r *reader) finish(n int, err error) {
	for r.done < n {
		l := r.items[r.done]
		r.done++
		r.store.queue.Finish(l, err)
	}
}
