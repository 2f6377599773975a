package features

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/resilience/handoff"
	"hotpath/resilience/redislink"
)

// Store reads features from Redis with a fixed set of workers. Its methods, and
// those of its views, may be called by any number of goroutines.
type Store struct {
	opts    Options
	schema  atomic.Pointer[Schema]
	metrics *metrics
	link    *redislink.Link
	queue   *handoff.Queue[*call]
	calls   sync.Pool // of *call; taken by Fetch, returned by call.Recycle
	copies  *copies   // nil: none are kept
	workers sync.WaitGroup
	closed  atomic.Bool
}

// New starts a store: the keeper of the connection and o.Workers workers. It
// does not wait for Redis, which need not be there. permits, if not nil, is the
// bulkhead that bounds fetches not yet over. The caller closes the store.
func New(o Options, schema *Schema, permits handoff.Permits, reg prometheus.Registerer) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	s := &Store{opts: o, metrics: m, copies: newCopies(o.Copies), queue: handoff.NewQueue[*call](o.Queue, permits)}
	s.schema.Store(schema)
	s.calls.New = func() any {
		c := &call{store: s}
		c.Init()
		return c
	}
	if s.link, err = redislink.Open(o.link(), m.dials); err != nil {
		return nil, err
	}
	for range o.Workers {
		s.workers.Go(newWorker(s).loop)
	}
	return s, nil
}

// Schema is the one in use.
func (s *Store) Schema() *Schema { return s.schema.Load() }

// State is how the connection does.
type State = redislink.State

// State is how the connection does, for readiness.
func (s *Store) State() State { return *s.link.State() }

// Queued is the number of fetches that wait for a worker.
func (s *Store) Queued() int { return s.queue.Weight() }

// Close refuses new fetches, finishes those that are queued, and ends the
// workers and the connection. With a stalled Redis that takes as long as the
// stall needs to be noticed: 2 x keep_alive + write_timeout.
func (s *Store) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.queue.Close()
	s.workers.Wait()
	s.link.Close()
}
