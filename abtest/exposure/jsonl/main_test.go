package jsonl_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(unit string) *exposure.Event {
	return &exposure.Event{At: time.Now().UnixNano(), RequestID: []byte("r-" + unit), Unit: []byte(unit), UnitName: "user", Experiment: "ranker-test",
		Assigned: "treatment", Served: "treatment", Reason: abtest.ReasonSplit, Model: "ranker", Version: 3, Code: "ok"}
}

// lines is a batch with a record for each number.
func lines(from, to int) []byte {
	var b []byte
	for i := from; i < to; i++ {
		b = exposure.AppendExposure(b, event(strconv.Itoa(i)))
	}
	return b
}

func open(t *testing.T, o jsonl.Options) *jsonl.Sink {
	t.Helper()
	s, err := jsonl.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, s *jsonl.Sink, batch []byte) {
	t.Helper()
	if err := s.Write(batch); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, s *jsonl.Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// heard keeps the units of what is read.
type heard struct {
	units    []string
	outcomes []string
	cancel   context.CancelFunc
}

func (h *heard) Exposed(e *exposure.Event, first bool) {
	if first {
		h.units = append(h.units, string(e.Unit))
	}
	if h.cancel != nil {
		h.cancel()
	}
}

func (h *heard) Reported(f *exposure.Feedback) { h.outcomes = append(h.outcomes, string(f.Outcome)) }

// read is the numbers in the files, which must rise.
func read(t *testing.T, limit int64, paths ...string) ([]int, jsonl.Reading) {
	t.Helper()
	var h heard
	r, err := jsonl.ReadFiles(t.Context(), paths, limit, &h)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int
	for _, u := range h.units {
		n, err := strconv.Atoi(u)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	if !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
		t.Errorf("the records are out of order, or twice there: %d", numbers)
	}
	if r.Exposures != len(numbers) {
		t.Errorf("%d exposures are counted of %d", r.Exposures, len(numbers))
	}
	return numbers, r
}

// files are the names in a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Join(dir, e.Name()))
	}
	return names
}

// wantRange wants the numbers from, ..., to-1.
func wantRange(t *testing.T, got []int, from, to int) {
	t.Helper()
	if len(got) != to-from || to > from && (got[0] != from || got[len(got)-1] != to-1) {
		t.Errorf("there are %d records, %d, not %d to %d", len(got), got, from, to-1)
	}
}
