package batcher

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/resilience/handoff"
)

// bulkhead counts permits.
type bulkhead struct{ held, limit atomic.Int64 }

func (b *bulkhead) TryAcquirePermit() bool {
	if b.held.Add(1) > b.limit.Load() {
		b.held.Add(-1)
		return false
	}
	return true
}

func (b *bulkhead) ReleasePermit() { b.held.Add(-1) }

func poisonous(id int64) bool { return id%499 == 7 }

// uneven is a run of 0 to 300 µs that fails on poisonous rows, panics on some
// of them, and now and then outlives its limit.
func uneven(_ *batchertest.Fake, ids []int64) error {
	if rand.IntN(4) == 0 {
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
	}
	if rand.IntN(2000) == 0 {
		time.Sleep(25 * time.Millisecond)
	}
	for _, id := range ids {
		if poisonous(id) && id%2 == 0 {
			panic("poison")
		}
		if poisonous(id) {
			return errModel
		}
	}
	return nil
}

func TestStressNoAnswerIsLostDoubledOrSwapped(t *testing.T) {
	const rows, callers = 60_000, 16
	permits := &bulkhead{}
	permits.limit.Store(14)
	o := Options{QueueRows: 12, RunTimeout: 20 * time.Millisecond, Permits: permits}
	s := stage(t, o, 3, 4, uneven)
	var next, scored, wrong atomic.Int64
	counts := map[error]*atomic.Int64{ErrOverloaded: {}, ErrExpired: {}, ErrUnfinished: {}, ErrStuck: {}, ErrRow: {}, ErrTimeout: {}, ErrRun: {}}
	count := func(id int64, err error) {
		if err == nil {
			scored.Add(1)
			if poisonous(id) {
				t.Errorf("the poisonous row %d has an answer", id)
			}
			return
		}
		for kind, n := range counts {
			if errors.Is(err, kind) {
				n.Add(1)
				if kind == ErrRow && !poisonous(id) {
					wrong.Add(1)
					t.Errorf("row %d is blamed for its neighbour", id)
				}
				return
			}
		}
		t.Errorf("row %d: %v", id, err)
	}
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 3))
			for id := next.Add(1) - 1; id < rows; id = next.Add(1) - 1 {
				in := time.Duration(50+r.IntN(2000)) * time.Microsecond
				err := s.score(id, in, handoff.Priority(r.IntN(2)))
				count(id, err)
				if errors.Is(err, ErrOverloaded) || errors.Is(err, ErrStuck) {
					time.Sleep(50 * time.Microsecond)
				}
			}
		})
	}
	wg.Wait()
	s.end()

	sum := scored.Load()
	t.Logf("%d scored", sum)
	for kind, n := range counts {
		t.Logf("%6d %v", n.Load(), kind)
		sum += n.Load()
	}
	if sum != rows {
		t.Errorf("%d outcomes for %d rows", sum, rows)
	}
	if scored.Load() < rows/4 || counts[ErrRow].Load() == 0 {
		t.Error("too few rows were scored, or none was blamed: the test does not test")
	}
	if n := permits.held.Load(); n != 0 {
		t.Errorf("%d permits are out", n)
	}
	for i, f := range s.fakes {
		for _, n := range f.Runs() {
			if n < 1 || n > 4 {
				t.Errorf("runner %d made a run of %d rows, at most 4 fit", i, n)
			}
		}
	}
}
