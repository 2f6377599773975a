package handoff

import (
	"sync"
	"testing"
	"time"
)

// echoWorkers finish whatever they take; the function ends them.
func echoWorkers(q *Queue[*job], workers, max int) (end func()) {
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			var items []*job
			for ok := true; ok; {
				items, ok = q.Take(items[:0], max, 0)
				for _, it := range items {
					q.Finish(it, nil)
				}
			}
		})
	}
	return func() {
		q.Close()
		running.Wait()
	}
}

func roundTrip(b *testing.B, q *Queue[*job], j *job) {
	j.ticket.Hold()
	if err := q.Submit(j, time.Now().Add(time.Minute), Normal); err != nil {
		b.Error(err)
		return
	}
	if err := j.ticket.Wait(); err != nil {
		b.Error(err)
	}
	Release(j)
}

func BenchmarkRoundTrip(b *testing.B) {
	q := NewQueue[*job](64, nil)
	defer echoWorkers(q, 1, 64)()
	j := newJob(1)
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, q, j)
	}
}

func BenchmarkRoundTripParallel(b *testing.B) {
	q := NewQueue[*job](1024, nil)
	defer echoWorkers(q, 2, 64)()
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		j := newJob(1)
		for pb.Next() {
			roundTrip(b, q, j)
		}
	})
}

// BenchmarkQueueAlone is a round trip without a change of goroutines.
func BenchmarkQueueAlone(b *testing.B) {
	q := NewQueue[*job](64, nil)
	j := newJob(1)
	var items []*job
	b.ReportAllocs()
	for b.Loop() {
		j.ticket.Hold()
		if err := q.Submit(j, time.Now().Add(time.Minute), Normal); err != nil {
			b.Fatal(err)
		}
		items, _ = q.Take(items[:0], 64, 0)
		q.Finish(items[0], nil)
		if err := j.ticket.Wait(); err != nil {
			b.Fatal(err)
		}
		Release(j)
	}
}
