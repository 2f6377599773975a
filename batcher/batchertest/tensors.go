package batchertest

import (
	"slices"
	"sync"

	"hotpath/models"
)

// FakeTensors is a batcher.TensorRunner that gives every tensor back as it came:
// output i repeats input i, in memory of its own that Discard overwrites. Like a
// real runner it belongs to one worker; only Cancel and the counts may be used by
// other goroutines.
type FakeTensors struct {
	// OnRun, if set before the first run, is called in each run and gives its
	// outputs; nil outputs and no error stand for the inputs.
	OnRun func(in []models.Tensor) ([]models.Tensor, error)

	maxRows int
	out     []models.Tensor
	stopper

	mu     sync.Mutex
	shapes [][]string
}

// NewFakeTensors makes a runner for at most maxRows rows.
func NewFakeTensors(maxRows int) *FakeTensors {
	return &FakeTensors{maxRows: maxRows, stopper: newStopper()}
}

// MaxRows is the largest batch.
func (f *FakeTensors) MaxRows() int { return f.maxRows }

// NeedsThread is false: there is no thread-bound memory.
func (f *FakeTensors) NeedsThread() bool { return false }

// RunTensors copies the inputs to the outputs.
func (f *FakeTensors) RunTensors(in []models.Tensor) ([]models.Tensor, error) {
	f.mu.Lock()
	if len(f.shapes) < maxRuns {
		run := make([]string, len(in))
		for i := range in {
			run[i] = models.ShapeText(in[i].Shape)
		}
		f.shapes = append(f.shapes, run)
	}
	f.mu.Unlock()
	out := in
	if f.OnRun != nil {
		given, err := f.OnRun(in)
		if err != nil {
			return nil, err
		}
		if given != nil {
			out = given
		}
	}
	f.out = f.out[:0]
	for i := range out {
		t := out[i]
		t.Shape, t.Data = slices.Clone(t.Shape), slices.Clone(t.Data)
		f.out = append(f.out, t)
	}
	return f.out, nil
}

// Discard overwrites the outputs, so that somebody who still reads them sees it.
func (f *FakeTensors) Discard() {
	for i := range f.out {
		for b := range f.out[i].Data {
			f.out[i].Data[b] = 0xdb
		}
	}
	f.out = f.out[:0]
}

// Shapes are those of the inputs of the runs so far, in order, up to 65,536.
func (f *FakeTensors) Shapes() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.shapes)
}
