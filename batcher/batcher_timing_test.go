package batcher

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience/handoff"
)

// spins is an OnRun that keeps its processor busy for that long, as a model
// does. Zero is a model that costs nothing.
func spins(d time.Duration) func(int) error {
	return func(int) error {
		for start := time.Now(); d > 0 && time.Since(start) < d; {
		}
		return nil
	}
}

var runCosts = []struct {
	name string
	cost time.Duration
}{{"run=0", 0}, {"run=5us", 5 * time.Microsecond}}

func benchmarkBatcher(b *testing.B, cost time.Duration) *Batcher {
	f := batchertest.NewFake(testLayout, 64)
	f.OnRun = spins(cost)
	bt, err := New(Options{QueueRows: 1024, RunTimeout: time.Second}, testLayout, testLayout, []Runner{f})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := bt.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return bt
}

func scoreOnce(b *testing.B, bt *Batcher, id int64) {
	j := bt.Acquire()
	fill(j, id)
	if err := j.Score(time.Now().Add(time.Minute), handoff.Normal); err != nil {
		b.Error(err)
	}
	j.Release()
}

func BenchmarkScore(b *testing.B) {
	for _, c := range runCosts {
		b.Run(c.name, func(b *testing.B) {
			bt := benchmarkBatcher(b, c.cost)
			b.ReportAllocs()
			for b.Loop() {
				scoreOnce(b, bt, 1)
			}
		})
	}
}

func BenchmarkScoreParallel(b *testing.B) {
	for _, c := range runCosts {
		b.Run(c.name, func(b *testing.B) {
			bt := benchmarkBatcher(b, c.cost)
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					scoreOnce(b, bt, 1)
				}
			})
		})
	}
}

// BenchmarkAdmitRefuses is the cheap answer to a row that would be too late.
func BenchmarkAdmitRefuses(b *testing.B) {
	bt := benchmarkBatcher(b, 0)
	bt.cost.record(1, time.Second)
	bt.cost.record(64, time.Second)
	bt.busy.Add(1)
	defer bt.busy.Add(-1)
	b.ReportAllocs()
	for b.Loop() {
		now := time.Now()
		if err := bt.admit(now, now.Add(time.Millisecond), 1); err != ErrOverloaded {
			b.Fatal(err)
		}
	}
}

// BenchmarkTensors is a request of whole tensors, of 1, 8 and 256 rows: the last
// goes in four parts.
func BenchmarkTensors(b *testing.B) {
	for _, rows := range []int{1, 8, 256} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			bt := benchmarkBatcher(b, 0)
			request := requestOf(1, rows)
			b.ReportAllocs()
			for b.Loop() {
				job := bt.AcquireTensors()
				if err := job.Score(request.tensors, rows, nil, time.Now().Add(time.Minute), handoff.Normal); err != nil {
					b.Fatal(err)
				}
				job.Release()
			}
		})
	}
}

// BenchmarkMerge is what it costs a worker to put 32 ragged requests of about 100
// elements together.
func BenchmarkMerge(b *testing.B) {
	for _, ragged := range []bool{false, true} {
		b.Run(fmt.Sprintf("ragged=%v", ragged), func(b *testing.B) {
			e := newTensorEngine(&still{}, openSignature(models.Uint8), []Merge{{Ragged: true}})
			var items []*Job
			for i := range 32 {
				n := int64(100)
				if ragged {
					n += int64(i)
				}
				items = append(items, &Job{part: part{in: sequence(1, 1, n).tensors}})
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Begin(items[0])
				for _, j := range items[1:] {
					if !e.Joins(j) {
						b.Fatal("one was left out")
					}
				}
				e.load(items)
			}
		})
	}
}
