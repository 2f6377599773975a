package handoff

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic is the stress test's world: callers with tiny deadlines, workers of
// uneven speed, items in a pool that are poisoned when they come back.
type traffic struct {
	t        *testing.T
	q        *Queue[*job]
	sem      *semaphore
	pool     sync.Pool
	acquired atomic.Int64
	returned atomic.Int64
	worked   []atomic.Int32 // by id: times a worker finished it with a result

	ok, late, full, shed atomic.Int64
}

func newTraffic(t *testing.T, items, capacity, permits int) *traffic {
	w := &traffic{t: t, sem: &semaphore{limit: permits}, worked: make([]atomic.Int32, items)}
	w.q = NewQueue[*job](capacity, w.sem)
	w.pool.New = func() any {
		j := &job{}
		j.ticket.Init()
		j.onGone = func(j *job) {
			w.returned.Add(1)
			w.pool.Put(j)
		}
		return j
	}
	return w
}

// call is one caller's round. It may read the item's memory only on success.
func (w *traffic) call(id int, r *rand.Rand) {
	j := w.pool.Get().(*job)
	w.acquired.Add(1)
	j.ticket.Hold()
	j.id = id
	j.payload = [4]int{id, id + 1, id + 2, 0}
	j.ticket.Weigh(1 + r.IntN(3))
	err := w.q.Submit(j, time.Now().Add(time.Duration(r.IntN(300))*time.Microsecond), Priority(r.IntN(2)))
	if err == nil {
		err = j.ticket.Wait()
	}
	switch err {
	case nil:
		w.ok.Add(1)
		if j.id != id || j.payload != [4]int{id, id + 1, id + 2, 31 * id} {
			w.t.Errorf("caller %d got the answer %v of %d", id, j.payload, j.id)
		}
		if n := w.worked[id].Load(); n != 1 {
			w.t.Errorf("item %d was worked on %d times, and its caller got a result", id, n)
		}
	case ErrDeadline:
		w.late.Add(1)
	case ErrFull:
		w.full.Add(1)
		time.Sleep(50 * time.Microsecond) // or most of the items would be spent on refusals
	case ErrShed:
		w.shed.Add(1)
	default:
		w.t.Errorf("item %d: %v", id, err)
	}
	Release(j)
}

// work takes until the queue is closed. It reads each item before and after its
// work: memory that was reused in between shows as a change, and as a data race.
func (w *traffic) work(company Company[*job], max int, linger time.Duration, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	items, ok := []*job(nil), true
	for {
		if items, ok = w.q.TakeWith(company, items[:0], max, linger); !ok {
			return
		}
		weight := 0
		for _, j := range items {
			weight += j.ticket.Weight()
		}
		if weight > max {
			w.t.Errorf("items of weight %d were taken at once, at most %d should be", weight, max)
		}
		before := make([][4]int, len(items))
		for i, j := range items {
			before[i] = j.payload
			if j.payload[0] != j.id || j.payload[2] != j.id+2 {
				w.t.Errorf("a worker was handed %v for item %d", j.payload, j.id)
			}
		}
		if r.IntN(200) == 0 {
			time.Sleep(time.Duration(r.IntN(500)) * time.Microsecond)
		}
		for i, j := range items {
			if j.payload != before[i] {
				w.t.Errorf("item %d changed under its worker: %v, was %v", j.id, j.payload, before[i])
			}
			j.payload[3] = 31 * j.payload[0]
			w.worked[j.id].Add(1)
			w.q.Finish(j, nil)
		}
	}
}

func TestStressEveryItemEndsOnceAndNoneIsReusedWhileHeld(t *testing.T) {
	const items, callers = 200_000, 16
	w := newTraffic(t, items, 12, 14)
	var workers, calling sync.WaitGroup
	for i, linger := range []time.Duration{0, 0, 20 * time.Microsecond} {
		workers.Go(func() { w.work([]Company[*job]{nil, &alike{}, nil}[i], 4, linger, uint64(i)) })
	}
	var next atomic.Int64
	for c := range callers {
		calling.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 1))
			for id := next.Add(1) - 1; id < items; id = next.Add(1) - 1 {
				w.call(int(id), r)
			}
		})
	}
	calling.Wait()
	w.q.Close()
	workers.Wait()

	ok, late, full, shed := w.ok.Load(), w.late.Load(), w.full.Load(), w.shed.Load()
	t.Logf("%d results, %d deadlines, %d full, %d shed", ok, late, full, shed)
	if sum := ok + late + full + shed; sum != items {
		t.Errorf("%d outcomes for %d items", sum, items)
	}
	if ok == 0 || late == 0 {
		t.Error("the test did not race outcomes against deadlines")
	}
	if a, r := w.acquired.Load(), w.returned.Load(); a != r || a != items {
		t.Errorf("%d items acquired, %d recycled, want %d", a, r, items)
	}
	if held, most := w.sem.out(); held != 0 || most > 14 {
		t.Errorf("%d permits are out, at most %d were", held, most)
	}
	for id := range w.worked {
		if n := w.worked[id].Load(); n > 1 {
			t.Fatalf("item %d was worked on %d times", id, n)
		}
	}
}
