// Package batchertest has a Runner without a model, for tests of what batches
// rows and of what serves them.
package batchertest

import (
	"sync"

	"hotpath/models"
)

// Fake is a batcher.Runner that gives every row back as it came: output port i
// repeats input port i, which must have the same type and shape. Like a real
// runner it belongs to one worker; only Cancel and the counts may be used by
// other goroutines.
type Fake struct {
	// OnRun, if set before the first run, is called in each run before the rows
	// are copied: it may take time, wait, look at Frames, panic or fail the run.
	OnRun func(rows int) error

	in, out *models.Frame
	maxRows int
	stopper

	mu   sync.Mutex
	runs []int
}

// maxRuns bounds the memory of Runs, for benchmarks.
const maxRuns = 1 << 16

// NewFake makes a runner for at most maxRows rows of that layout, in and out.
func NewFake(l *models.Layout, maxRows int) *Fake {
	return &Fake{in: models.NewFrame(l, maxRows), out: models.NewFrame(l, maxRows), maxRows: maxRows, stopper: newStopper()}
}

// Frames are the batch's memory.
func (f *Fake) Frames() (in, out *models.Frame) { return f.in, f.out }

// MaxRows is the largest batch.
func (f *Fake) MaxRows() int { return f.maxRows }

// NeedsThread is false: there is no thread-bound memory.
func (f *Fake) NeedsThread() bool { return false }

// Run copies the first rows rows of the input to the output.
func (f *Fake) Run(rows int) error {
	f.mu.Lock()
	if len(f.runs) < maxRuns {
		f.runs = append(f.runs, rows)
	}
	f.mu.Unlock()
	if f.OnRun != nil {
		if err := f.OnRun(rows); err != nil {
			return err
		}
	}
	for p := range f.in.Layout.Ports {
		if d := f.in.Data[p]; d != nil {
			copy(f.out.Data[p], d[:rows*f.in.Layout.Stride[p]])
			continue
		}
		copy(f.out.Strings[p], f.in.Strings[p][:rows*f.in.Layout.Width[p]])
	}
	return nil
}

// Runs are the sizes of the runs so far, in order, up to 65,536.
func (f *Fake) Runs() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int(nil), f.runs...)
}
