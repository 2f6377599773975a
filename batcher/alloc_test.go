//go:build !race

package batcher

import (
	"context"
	"testing"
	"time"

	"hotpath/batcher/batchertest"
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
