//go:build !race

package handoff

import (
	"testing"
	"time"
)

func TestARoundTripAllocatesNothing(t *testing.T) {
	q := NewQueue[*job](4, &semaphore{limit: 4})
	j := newJob(1)
	var items []*job
	items = append(items, nil)
	until := time.Now().Add(time.Hour)
	for name, round := range map[string]func(){
		"outcome first": func() {
			j.ticket.Hold()
			if err := q.Submit(j, until, Normal); err != nil {
				t.Fatal(err)
			}
			items, _ = q.Take(items[:0], 4, 0)
			q.Finish(items[0], nil)
			if err := j.ticket.Wait(); err != nil {
				t.Fatal(err)
			}
			Release(j)
		},
		"deadline first": func() {
			j.ticket.Hold()
			if err := q.Submit(j, time.Now().Add(10*time.Microsecond), Normal); err != nil {
				t.Fatal(err)
			}
			if err := j.ticket.Wait(); err != ErrDeadline {
				t.Fatal(err)
			}
			Release(j)
			items, _ = q.Take(items[:0], 4, 0)
		},
	} {
		if n := testing.AllocsPerRun(1000, round); n != 0 {
			t.Errorf("%s: %v allocations per round trip, want 0", name, n)
		}
	}
}

func TestARoundTripOverAWorkerAllocatesNothing(t *testing.T) {
	q := NewQueue[*job](4, nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var items []*job
		for ok := true; ok; {
			items, ok = q.Take(items[:0], 4, 0)
			for _, it := range items {
				q.Finish(it, nil)
			}
		}
	}()
	j := newJob(1)
	if n := testing.AllocsPerRun(1000, func() {
		j.ticket.Hold()
		if err := q.Submit(j, time.Now().Add(time.Hour), Normal); err != nil {
			t.Fatal(err)
		}
		if err := j.ticket.Wait(); err != nil {
			t.Fatal(err)
		}
		Release(j)
	}); n != 0 {
		t.Errorf("%v allocations per round trip, want 0", n)
	}
	q.Close()
	<-ended
}
