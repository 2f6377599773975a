package handoff

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const soon = time.Minute

func TestTakeOrdersByPriorityThenDeadline(t *testing.T) {
	q := NewQueue[*job](8, nil)
	submit(t, q, 1, soon+3*time.Second, Normal)
	submit(t, q, 2, soon+1*time.Second, Low)
	submit(t, q, 3, soon+2*time.Second, Normal)
	submit(t, q, 4, soon, Low)
	submit(t, q, 5, soon+4*time.Second, Normal)
	items, ok := q.Take(nil, 3, 0)
	if !ok {
		t.Fatal("closed")
	}
	wantIDs(t, items, 3, 1, 5)
	items, _ = q.Take(items[:0], 3, 0)
	wantIDs(t, items, 4, 2)
	if n := q.Weight(); n != 0 {
		t.Errorf("Len = %d", n)
	}
}

func TestTakeFinishesTheDeadInsteadOfReturningThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sem := &semaphore{limit: 8}
		q := NewQueue[*job](8, sem)
		expired := submit(t, q, 1, time.Millisecond, Normal)
		left := submit(t, q, 2, 2*time.Millisecond, Normal)
		live := submit(t, q, 3, time.Second, Normal)
		if err := left.ticket.Wait(); err != ErrDeadline {
			t.Fatal(err)
		}
		Release(left)
		time.Sleep(time.Millisecond)
		items, _ := q.Take(nil, 8, 0)
		wantIDs(t, items, 3)
		if err := expired.ticket.Wait(); err != ErrDeadline {
			t.Errorf("expired item's Wait = %v", err)
		}
		if left.recycled.Load() != 1 {
			t.Error("the item whose caller left was not recycled")
		}
		q.Finish(live, nil)
		if held, _ := sem.out(); held != 0 {
			t.Errorf("%d permits are out", held)
		}
	})
}

func TestTakeOfOnlyDeadItemsIsEmptyButOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](8, nil)
		submit(t, q, 1, time.Millisecond, Normal)
		time.Sleep(time.Second)
		items, ok := q.Take(nil, 8, 0)
		if len(items) != 0 || !ok {
			t.Errorf("Take = %d items, %v; want 0, true", len(items), ok)
		}
	})
}

func TestSubmitToAFullQueueFails(t *testing.T) {
	sem := &semaphore{limit: 10}
	q := NewQueue[*job](2, sem)
	submit(t, q, 1, soon, Normal)
	submit(t, q, 2, soon, Low)
	j := newJob(3)
	if err := q.Submit(j, time.Now().Add(soon), Low); err != ErrFull {
		t.Errorf("Submit = %v, want %v", err, ErrFull)
	}
	if j.recycled.Load() != 0 {
		t.Error("a refused item was recycled under its caller")
	}
	Release(j)
	if j.recycled.Load() != 1 {
		t.Error("a refused item is not its caller's alone")
	}
	if held, _ := sem.out(); held != 2 {
		t.Errorf("%d permits are out, want 2", held)
	}
}

func TestAFullQueueShedsTheLessImportantWithMostTimeLeft(t *testing.T) {
	sem := &semaphore{limit: 10}
	q := NewQueue[*job](4, sem)
	submit(t, q, 1, soon, Normal)
	submit(t, q, 2, soon, Low)
	last := submit(t, q, 3, soon+time.Hour, Low)
	submit(t, q, 4, soon+time.Second, Low)
	submit(t, q, 5, soon, Normal)
	if err := last.ticket.Wait(); err != ErrShed {
		t.Errorf("the shed item's Wait = %v, want %v", err, ErrShed)
	}
	Release(last)
	if last.recycled.Load() != 1 {
		t.Error("the shed item was not recycled")
	}
	if held, _ := sem.out(); held != 4 {
		t.Errorf("%d permits are out, want 4", held)
	}
	submit(t, q, 6, soon, Normal)
	submit(t, q, 7, soon, Normal)
	if err := q.Submit(newJob(8), time.Now().Add(soon), Normal); err != ErrFull {
		t.Errorf("Submit = %v although all queued are as important", err)
	}
	if n := q.Weight(); n != 4 {
		t.Errorf("Len = %d", n)
	}
}

func TestAFullQueueMakesRoomAtTheExpenseOfTheExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](2, nil)
		expired := submit(t, q, 1, time.Millisecond, Normal)
		submit(t, q, 2, time.Second, Normal)
		time.Sleep(10 * time.Millisecond)
		submit(t, q, 3, time.Second, Low)
		if err := expired.ticket.Wait(); err != ErrDeadline {
			t.Errorf("Wait = %v, want %v", err, ErrDeadline)
		}
		items, _ := q.Take(nil, 4, 0)
		wantIDs(t, items, 2, 3)
	})
}

func TestAFullBulkheadShedsTheLessImportantToo(t *testing.T) {
	sem := &semaphore{limit: 2}
	q := NewQueue[*job](8, sem)
	submit(t, q, 1, soon, Normal)
	low := submit(t, q, 2, soon, Low)
	submit(t, q, 3, soon, Normal)
	if err := low.ticket.Wait(); err != ErrShed {
		t.Errorf("Wait = %v, want %v", err, ErrShed)
	}
	if err := q.Submit(newJob(4), time.Now().Add(soon), Normal); err != ErrFull {
		t.Errorf("Submit = %v, want %v", err, ErrFull)
	}
	items, _ := q.Take(nil, 8, 0)
	wantIDs(t, items, 1, 3)
	if err := q.Submit(newJob(5), time.Now().Add(soon), Normal); err != ErrFull {
		t.Errorf("Submit = %v although the items at work hold all permits", err)
	}
	for _, j := range items {
		q.Finish(j, nil)
	}
	if held, most := sem.out(); held != 0 || most != 2 {
		t.Errorf("%d permits are out, at most %d were; want 0 and 2", held, most)
	}
}

func TestPermitsAreHeldUntilTheWorkerIsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sem := &semaphore{limit: 2}
		q := NewQueue[*job](8, sem)
		first := submit(t, q, 1, time.Millisecond, Normal)
		submit(t, q, 2, time.Second, Normal)
		items, _ := q.Take(nil, 8, 0)
		if err := first.ticket.Wait(); err != ErrDeadline {
			t.Fatal(err)
		}
		Release(first)
		if err := q.Submit(newJob(3), time.Now().Add(time.Second), Normal); err != ErrFull {
			t.Errorf("Submit = %v although the worker is not through", err)
		}
		q.Finish(items[0], nil)
		submit(t, q, 3, time.Second, Normal)
		q.Finish(items[1], nil)
		items, _ = q.Take(items[:0], 8, 0)
		q.Finish(items[0], nil)
		if held, most := sem.out(); held != 0 || most != 2 {
			t.Errorf("%d permits are out, at most %d were; want 0 and 2", held, most)
		}
	})
}

func TestCloseDrains(t *testing.T) {
	sem := &semaphore{limit: 9}
	q := NewQueue[*job](8, sem)
	submit(t, q, 1, soon, Normal)
	submit(t, q, 2, soon+time.Second, Normal)
	q.Close()
	j := newJob(3)
	if err := q.Submit(j, time.Now().Add(soon), Normal); err != ErrClosed {
		t.Errorf("Submit = %v, want %v", err, ErrClosed)
	}
	Release(j)
	for id := range 2 {
		items, ok := q.Take(nil, 1, 0)
		if !ok {
			t.Fatal("what was queued before Close is lost")
		}
		wantIDs(t, items, id+1)
		q.Finish(items[0], nil)
	}
	if items, ok := q.Take(nil, 1, 0); ok || len(items) != 0 {
		t.Errorf("Take = %d items, %v after the drain", len(items), ok)
	}
	if held, _ := sem.out(); held != 0 {
		t.Errorf("%d permits are out", held)
	}
}

func TestCloseWakesEveryIdleWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](8, nil)
		out := make(chan bool, 3)
		for i := range 3 {
			go func() {
				_, ok := q.Take(nil, 8, time.Duration(i)*time.Second)
				out <- ok
			}()
		}
		synctest.Wait()
		q.Close()
		for range 3 {
			if <-out {
				t.Error("Take says open")
			}
		}
	})
}

// lingering starts a worker that takes with a linger, and says what it took and when.
func lingering(q *Queue[*job], max int, linger time.Duration) func() (items []*job, after time.Duration) {
	type taken struct {
		items []*job
		after time.Duration
	}
	done := make(chan taken, 1)
	start := time.Now()
	go func() {
		items, _ := q.Take(nil, max, linger)
		done <- taken{items, time.Since(start)}
	}()
	synctest.Wait()
	return func() ([]*job, time.Duration) { d := <-done; return d.items, d.after }
}

func TestLingerWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](8, nil)
		result := lingering(q, 3, 10*time.Millisecond)
		submit(t, q, 1, time.Second, Normal)
		time.Sleep(4 * time.Millisecond)
		submit(t, q, 2, time.Second, Normal)
		items, after := result()
		wantIDs(t, items, 1, 2)
		if after != 10*time.Millisecond {
			t.Errorf("took after %v, want 10ms", after)
		}
	})
}

func TestLingerEndsWithAFullBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](8, nil)
		result := lingering(q, 2, 10*time.Millisecond)
		submit(t, q, 1, time.Second, Normal)
		time.Sleep(4 * time.Millisecond)
		submit(t, q, 2, time.Second+time.Millisecond, Normal)
		items, after := result()
		wantIDs(t, items, 1, 2)
		if after != 4*time.Millisecond {
			t.Errorf("took after %v, want 4ms", after)
		}
	})
}

func TestLingerEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](8, nil)
		result := lingering(q, 2, time.Hour)
		submit(t, q, 1, 10*time.Hour, Normal)
		time.Sleep(time.Millisecond)
		q.Close()
		items, after := result()
		wantIDs(t, items, 1)
		if after != time.Millisecond {
			t.Errorf("took after %v, want 1ms", after)
		}
	})
}

// An idle worker must not let an item expire for the sake of company.
func TestLingerLeavesHalfOfTheTimeForTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](8, nil)
		result := lingering(q, 8, time.Second)
		submit(t, q, 1, 10*time.Second, Normal)
		time.Sleep(100 * time.Millisecond)
		submit(t, q, 2, 40*time.Millisecond, Normal) // more urgent than the first
		items, after := result()
		wantIDs(t, items, 2, 1)
		if after != 120*time.Millisecond {
			t.Errorf("took after %v, want 120ms", after)
		}
	})
}

func TestALingeringWorkerDoesNotKeepOthersFromAFullBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](8, nil)
		one := lingering(q, 2, time.Second)
		two := lingering(q, 2, time.Second)
		for id := range 4 {
			submit(t, q, id, 10*time.Second, Normal)
		}
		a, afterA := one()
		b, afterB := two()
		if len(a) != 2 || len(b) != 2 || afterA != 0 || afterB != 0 {
			t.Errorf("took %d after %v and %d after %v; want two batches of 2 at once", len(a), afterA, len(b), afterB)
		}
	})
}

// With one processor, worker and one caller used to pass it to and fro, one item
// a batch, however many callers were ready to submit.
func TestAWokenWorkerLetsTheOthersSubmitFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const rounds, callers = 200, 16
	q := NewQueue[*job](callers, nil)
	batches := 0
	var worker, calling sync.WaitGroup
	worker.Go(func() {
		var items []*job
		for ok := true; ok; {
			if items, ok = q.Take(items[:0], callers, 0); len(items) > 0 {
				batches++
			}
			for _, it := range items {
				q.Finish(it, nil)
			}
		}
	})
	for range callers {
		calling.Go(func() {
			j := newJob(1)
			for range rounds {
				j.ticket.Hold()
				if err := q.Submit(j, time.Now().Add(soon), Normal); err != nil {
					t.Error(err)
				} else if err := j.ticket.Wait(); err != nil {
					t.Error(err)
				}
				Release(j)
			}
		})
	}
	calling.Wait()
	q.Close()
	worker.Wait()
	if mean := float64(rounds*callers) / float64(batches); mean < callers/4 {
		t.Errorf("%.1f items a batch, with %d callers ready", mean, callers)
	} else {
		t.Logf("%.1f items a batch", mean)
	}
}
