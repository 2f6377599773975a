package handoff

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// weigh queues a new job of that weight.
func weigh(t *testing.T, q *Queue[*job], id, weight int, in time.Duration, p Priority) *job {
	t.Helper()
	j := newJob(id)
	j.ticket.Weigh(weight)
	if err := q.Submit(j, time.Now().Add(in), p); err != nil {
		t.Fatalf("Submit(%d) = %v", id, err)
	}
	return j
}

func refused(t *testing.T, q *Queue[*job], id, weight int, p Priority) {
	t.Helper()
	j := newJob(id)
	j.ticket.Weigh(weight)
	if err := q.Submit(j, time.Now().Add(soon), p); err != ErrFull {
		t.Errorf("Submit(%d) = %v, want %v", id, err, ErrFull)
	}
	Release(j)
	if j.recycled.Load() != 1 {
		t.Errorf("item %d is not its caller's alone", id)
	}
}

func TestWeightBoundsQueueAndTake(t *testing.T) {
	q := NewQueue[*job](10, nil)
	weigh(t, q, 1, 4, soon, Normal)
	weigh(t, q, 2, 3, soon+time.Second, Normal)
	weigh(t, q, 3, 3, soon+2*time.Second, Normal)
	refused(t, q, 4, 1, Normal)
	if n := q.Weight(); n != 10 {
		t.Errorf("weight %d, want 10", n)
	}
	items, _ := q.Take(nil, 8, 0)
	wantIDs(t, items, 1, 2) // with the third it would be 10
	items, _ = q.Take(nil, 2, 0)
	wantIDs(t, items, 3) // the first comes whatever its weight
	if n := q.Weight(); n != 0 {
		t.Errorf("weight %d, want 0", n)
	}
}

func TestAHeavyItemShedsAsManyAsItNeeds(t *testing.T) {
	sem := &semaphore{limit: 10}
	q := NewQueue[*job](6, sem)
	weigh(t, q, 1, 2, soon, Normal)
	low := []*job{weigh(t, q, 2, 1, soon, Low), weigh(t, q, 3, 2, soon+time.Second, Low), weigh(t, q, 4, 1, soon+2*time.Second, Low)}
	weigh(t, q, 5, 3, soon, Normal)
	for _, j := range low[1:] {
		if err := j.ticket.Wait(); err != ErrShed {
			t.Errorf("item %d: %v, want %v", j.id, err, ErrShed)
		}
		Release(j)
	}
	if n := q.Weight(); n != 6 {
		t.Errorf("weight %d, want 6", n)
	}
	if held, _ := sem.out(); held != 3 {
		t.Errorf("%d permits are out, want 3", held)
	}
	items, _ := q.Take(nil, 6, 0)
	ids := []int{}
	for _, j := range items {
		ids = append(ids, j.id)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []int{1, 2, 5}) {
		t.Errorf("took %v", ids)
	}
}

// What is less important is not shed for an item that finds no place even so.
func TestNothingIsShedInVain(t *testing.T) {
	sem := &semaphore{limit: 10}
	q := NewQueue[*job](6, sem)
	weigh(t, q, 1, 4, soon, Normal)
	low := weigh(t, q, 2, 2, soon, Low)
	refused(t, q, 3, 3, Normal)
	if n := q.Weight(); n != 6 || low.ticket.state.Load() != pending {
		t.Errorf("weight %d; the less important item was shed", n)
	}
	if held, _ := sem.out(); held != 2 {
		t.Errorf("%d permits are out, want 2", held)
	}
}

// The dead make room first, and go even when that is not enough.
func TestAHeavyItemTakesThePlaceOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sem := &semaphore{limit: 3}
		q := NewQueue[*job](4, sem)
		dead := []*job{weigh(t, q, 1, 1, time.Millisecond, Normal), weigh(t, q, 2, 1, time.Millisecond, Normal)}
		weigh(t, q, 3, 2, soon, Normal)
		time.Sleep(time.Second)
		refused(t, q, 4, 3, Normal)
		for _, j := range dead {
			if err := j.ticket.Wait(); err != ErrDeadline {
				t.Errorf("item %d: %v", j.id, err)
			}
		}
		if held, _ := sem.out(); held != 1 || q.Weight() != 2 {
			t.Errorf("%d permits are out, weight %d; want 1 and 2", held, q.Weight())
		}
		weigh(t, q, 5, 2, soon, Normal)
	})
}

// alike lets items join whose ids are equal modulo 2.
type alike struct{ first int }

func (a *alike) Begin(first *job)      { a.first = first.id % 2 }
func (a *alike) Joins(other *job) bool { return other.id%2 == a.first }

func TestCompanyIsChosen(t *testing.T) {
	q := NewQueue[*job](20, nil)
	for id := 1; id <= 8; id++ {
		weigh(t, q, id, 1, soon+time.Duration(id)*time.Second, Normal)
	}
	items, _ := q.TakeWith(&alike{}, nil, 3, 0)
	wantIDs(t, items, 1, 3, 5)
	items, _ = q.TakeWith(&alike{}, nil, 3, 0)
	wantIDs(t, items, 2, 4, 6)
	items, _ = q.TakeWith(&alike{}, nil, 3, 0)
	wantIDs(t, items, 7)
	items, _ = q.TakeWith(&alike{}, nil, 3, 0)
	wantIDs(t, items, 8)
}

// One that is too heavy is passed over, and company is looked for behind it.
func TestCompanyThatFits(t *testing.T) {
	q := NewQueue[*job](20, nil)
	weigh(t, q, 1, 2, soon, Normal)
	weigh(t, q, 3, 3, soon+time.Second, Normal)
	weigh(t, q, 5, 2, soon+2*time.Second, Normal)
	items, _ := q.TakeWith(&alike{}, nil, 4, 0)
	wantIDs(t, items, 1, 5)
	if q.Weight() != 3 {
		t.Errorf("weight %d", q.Weight())
	}
}

func TestAbandonLeavesWithoutWaiting(t *testing.T) {
	q := NewQueue[*job](20, nil)
	waiting, running, finished := newJob(1), newJob(2), newJob(3)
	for _, j := range []*job{finished, running, waiting} {
		if err := q.Submit(j, time.Now().Add(soon), Normal); err != nil {
			t.Fatal(err)
		}
	}
	items, _ := q.Take(nil, 2, 0)
	q.Finish(items[0], nil)
	for _, j := range []*job{waiting, running, finished} {
		j.ticket.Abandon()
		Release(j)
	}
	q.Finish(items[1], nil)
	if got, ok := q.Take(nil, 2, 0); len(got) != 0 || !ok {
		t.Errorf("an abandoned item was handed out")
	}
	for _, j := range []*job{waiting, running, finished} {
		if j.recycled.Load() != 1 {
			t.Errorf("item %d was recycled %d times", j.id, j.recycled.Load())
		}
		select {
		case <-j.ticket.ready:
			t.Errorf("item %d went back with an outcome in it", j.id)
		default:
		}
	}
}
