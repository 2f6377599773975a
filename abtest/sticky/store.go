package sticky

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/resilience"
	"hotpath/resilience/handoff"
	"hotpath/resilience/redislink"
)

// Store keeps assignments. Its methods may be called by any number of goroutines.
type Store struct {
	opts    Options
	start   time.Time // moments count from here
	cache   *cache
	metrics *metrics
	guard   *resilience.Guard
	link    *redislink.Link

	queue *handoff.Queue[*lookup]
	asked sync.Pool // of *lookup; taken by Recall, returned by lookup.Recycle

	writes   chan *write
	wrote    sync.Pool // of *write
	closing  sync.RWMutex
	closed   bool         // guarded by closing: writes is closed
	ending   atomic.Bool  // closing has begun
	hurried  atomic.Bool  // what is still queued is dropped
	leftOver atomic.Int64 // writes that failed since ending
	workers  sync.WaitGroup
}

// New starts a store: its connection, readers and writer. It does not wait for
// Redis, which need not be there. The guard, named sticky, is the breaker and the
// bulkhead of the connection. The caller closes the store.
func New(o Options, guard *resilience.Guard, reg prometheus.Registerer) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if guard == nil {
		return nil, errors.New("the store of sticky assignments needs a guard")
	}
	s := &Store{opts: o, start: time.Now(), cache: newCache(o.Entries), guard: guard,
		queue: handoff.NewQueue[*lookup](o.Queue, guard.Permits()), writes: make(chan *write, o.Writes)}
	s.asked.New = func() any {
		l := &lookup{store: s}
		l.Init()
		return l
	}
	s.wrote.New = func() any { return new(write) }
	var err error
	if s.metrics, err = newMetrics(s, reg); err != nil {
		return nil, err
	}
	if s.link, err = redislink.Open(o.Redis, s.metrics.dials); err != nil {
		return nil, err
	}
	for range o.Workers {
		s.workers.Go(newReader(s).loop)
	}
	s.workers.Go(newWriter(s).loop)
	return s, nil
}

// State is how the connection does.
func (s *Store) State() redislink.State { return *s.link.State() }

// Close refuses what comes, stores what is queued, and ends the workers and the
// connection. What is not stored by the end of ctx is dropped, and the error says
// how much that is. With a stalled Redis it takes as long as the stall needs to be
// noticed: 2 x keep_alive + write_timeout.
func (s *Store) Close(ctx context.Context) error {
	s.closing.Lock()
	if s.closed {
		s.closing.Unlock()
		return nil
	}
	s.closed = true
	s.ending.Store(true)
	close(s.writes)
	s.closing.Unlock()
	s.queue.Close()
	stop := context.AfterFunc(ctx, func() { s.hurried.Store(true) })
	defer stop()
	s.workers.Wait()
	s.link.Close()
	if n := s.leftOver.Load(); n > 0 {
		return fmt.Errorf("%d sticky assignments were not stored by the end of the shutdown", n)
	}
	return nil
}

func (s *Store) moment(t time.Time) moment { return moment(t.Sub(s.start)) }

// appendKey appends the Redis key of a unit.
func (s *Store) appendKey(dst []byte, e *abtest.Experiment, unit []byte) []byte {
	dst = append(append(dst, s.opts.Prefix...), ':')
	dst = append(append(dst, e.StickyKey()...), ':')
	return append(dst, unit...)
}

// storable says whether an id can be the unit of something stored.
func storable(unit []byte) bool { return len(unit) > 0 && len(unit) <= maxUnit }
