package handoff

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errWork = errors.New("work failed")

func TestWaitReturnsTheOutcome(t *testing.T) {
	for _, outcome := range []error{nil, errWork} {
		synctest.Test(t, func(t *testing.T) {
			q := NewQueue[*job](4, nil)
			j := submit(t, q, 1, 50*time.Millisecond, Normal)
			go func() {
				items, _ := q.Take(nil, 4, 0)
				time.Sleep(30 * time.Millisecond)
				q.Finish(items[0], outcome)
			}()
			start := time.Now()
			if err := j.ticket.Wait(); err != outcome {
				t.Errorf("Wait = %v, want %v", err, outcome)
			}
			if d := time.Since(start); d != 30*time.Millisecond {
				t.Errorf("waited %v, want 30ms", d)
			}
			Release(j)
			if n := j.recycled.Load(); n != 1 {
				t.Errorf("recycled %d times", n)
			}
		})
	}
}

func TestWaitLeavesAtTheDeadlineThoughTheWorkerIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](4, nil)
		j := submit(t, q, 1, 20*time.Millisecond, Normal)
		j.payload[0] = 7
		stuck := make(chan struct{})
		finished := make(chan struct{})
		go func() {
			items, _ := q.Take(nil, 4, 0)
			<-stuck
			if got := items[0].payload[0]; got != 7 {
				t.Errorf("the worker's item holds %d: reused under the worker", got)
			}
			if !items[0].ticket.Abandoned() {
				t.Error("the worker is not told that the caller has left")
			}
			q.Finish(items[0], nil)
			close(finished)
		}()
		start := time.Now()
		if err := j.ticket.Wait(); err != ErrDeadline {
			t.Errorf("Wait = %v, want %v", err, ErrDeadline)
		}
		if d := time.Since(start); d != 20*time.Millisecond {
			t.Errorf("waited %v, want 20ms", d)
		}
		Release(j)
		if n := j.recycled.Load(); n != 0 {
			t.Error("recycled while the worker holds it")
		}
		close(stuck)
		<-finished
		if n := j.recycled.Load(); n != 1 {
			t.Errorf("recycled %d times, want 1", n)
		}
	})
}

// Both happen at the same instant of the fake clock; either may win, once.
func TestOutcomeAndDeadlineAtTheSameInstant(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			q := NewQueue[*job](1, nil)
			j := submit(t, q, 1, time.Millisecond, Normal)
			go func() {
				items, _ := q.Take(nil, 1, 0)
				time.Sleep(time.Millisecond)
				q.Finish(items[0], errWork)
			}()
			if err := j.ticket.Wait(); err != errWork && err != ErrDeadline {
				t.Errorf("Wait = %v", err)
			}
			Release(j)
			synctest.Wait()
			if n := j.recycled.Load(); n != 1 {
				t.Errorf("recycled %d times", n)
			}
		})
	}
}

func TestAnOutcomeThatIsThereWinsOverAPassedDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](1, nil)
		j := submit(t, q, 1, time.Millisecond, Normal)
		items, _ := q.Take(nil, 1, 0)
		q.Finish(items[0], nil)
		time.Sleep(time.Second)
		if err := j.ticket.Wait(); err != nil {
			t.Errorf("Wait = %v, want the outcome", err)
		}
		Release(j)
	})
}

// A used item starts anew: no outcome, token or timer of its last life is left.
func TestAReusedItemHasNoPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](1, nil)
		j := submit(t, q, 1, 5*time.Millisecond, Normal)
		items, _ := q.Take(nil, 1, 0)
		if err := j.ticket.Wait(); err != ErrDeadline {
			t.Fatalf("Wait = %v", err)
		}
		Release(j)
		q.Finish(items[0], errWork)
		for range 3 {
			j.ticket.Hold()
			if err := q.Submit(j, time.Now().Add(time.Second), Normal); err != nil {
				t.Fatal(err)
			}
			go func() {
				items, _ := q.Take(nil, 1, 0)
				time.Sleep(10 * time.Millisecond)
				q.Finish(items[0], nil)
			}()
			start := time.Now()
			if err := j.ticket.Wait(); err != nil {
				t.Errorf("Wait = %v after %v", err, time.Since(start))
			}
			if d := time.Since(start); d != 10*time.Millisecond {
				t.Errorf("waited %v, want 10ms", d)
			}
			Release(j)
		}
	})
}

func TestTicketTellsWhenItWasQueuedAndUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue[*job](1, nil)
		now := time.Now()
		j := submit(t, q, 1, time.Second, Normal)
		if !j.ticket.QueuedAt().Equal(now) || !j.ticket.Until().Equal(now.Add(time.Second)) {
			t.Errorf("queued %v until %v, want %v and a second later", j.ticket.QueuedAt(), j.ticket.Until(), now)
		}
	})
}
