//go:build !race

package batcher

import (
	"context"
	"testing"
	"time"

	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience/handoff"
)

// 10: a regexp compiled and two log lines written per request, and no numbers at
// all. Ours are given to Observe, and a request in steady state allocates nothing.
func TestKServe10AScoreAllocatesNothingAndEveryRunIsObserved(t *testing.T) {
	observed, rows := 0, 0
	o := testOptions()
	o.Observe = func(n int, _ time.Duration, _ error) { observed, rows = observed+1, rows+n }
	b, err := New(o, testLayout, testLayout, []Runner{batchertest.NewFake(testLayout, 8)})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, b: b}
	scores := 0
	allocs := testing.AllocsPerRun(2000, func() {
		scores++
		if err := s.score(int64(scores), time.Minute, handoff.Normal); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per Score, want 0", allocs)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if observed != scores || rows != scores {
		t.Errorf("%d runs of %d rows were observed, want %d of one row", observed, rows, scores)
	}
}

// A request of tensors allocates nothing either, once its jobs have their memory:
// as rows, in parts, and as tensors of varying sizes.
func TestARequestOfTensorsAllocatesNothing(t *testing.T) {
	rows, err := New(testOptions(), testLayout, testLayout, []Runner{batchertest.NewFake(testLayout, 8)})
	if err != nil {
		t.Fatal(err)
	}
	given := sequence(1, 8, 3).tensors
	fake := &still{out: given}
	open, err := NewTensors(testOptions(), openSignature(models.Uint8), nil, []TensorRunner{fake})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b       *Batcher
		request *memory
		rows    int
	}{"rows": {rows, requestOf(1, 5), 5}, "parts": {rows, requestOf(1, 20), 20}, "sizes": {open, sequence(1, 8, 3), 8}} {
		allocs := testing.AllocsPerRun(1000, func() {
			job := c.b.AcquireTensors()
			if err := job.Score(c.request.tensors, c.rows, nil, time.Now().Add(time.Minute), handoff.Normal); err != nil {
				t.Fatal(err)
			}
			job.Release()
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations per request, want 0", name, allocs)
		}
	}
	for _, b := range []*Batcher{rows, open} {
		if err := b.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
