package batcher

import (
	"slices"

	"hotpath/models"
)

// engine is a runner with the memory around it: it puts jobs into a run and takes
// their results out. It belongs to one worker.
type engine interface {
	control() Control
	// together is how many of the jobs, from the first on, can share a run. It may
	// change their order.
	together(items []*Job) int
	// load puts the jobs' rows one after the other into the next run.
	load(items []*Job)
	// run scores what is loaded, rows rows.
	run(rows int) error
	// deliver takes the results of a job out: its rows begin at row at of the run.
	deliver(j *Job, at int)
	// remember keeps some of the run that succeeded, if it has kept nothing yet, as
	// proof that the model works. recall loads it and says how many rows it has; 0
	// when there is none.
	remember()
	recall() (rows int)
}

// frameEngine runs rows of a fixed layout: in place, with no copy between the
// frames and the runner.
type frameEngine struct {
	runner  Runner
	in, out *models.Frame
	good    models.Row
	hasGood bool
}

func newFrameEngine(r Runner, in *models.Layout) *frameEngine {
	e := &frameEngine{runner: r, good: in.NewRow()}
	e.in, e.out = r.Frames()
	return e
}

func (e *frameEngine) control() Control          { return e.runner }
func (e *frameEngine) together(items []*Job) int { return len(items) }
func (e *frameEngine) run(rows int) error        { return e.runner.Run(rows) }

func (e *frameEngine) load(items []*Job) {
	at := 0
	for _, j := range items {
		if j.part.of == nil {
			e.in.SetRow(at, &j.in)
		} else {
			e.in.SetTensors(at, j.weight(), j.part.in)
		}
		at += j.weight()
	}
}

func (e *frameEngine) deliver(j *Job, at int) {
	if j.part.of == nil {
		e.out.GetRow(at, &j.out)
		return
	}
	out, row := j.part.of.results(j)
	e.out.GetTensors(at, j.weight(), out, row)
}

func (e *frameEngine) remember() {
	if !e.hasGood {
		e.in.GetRow(0, &e.good)
		e.hasGood = true
	}
}

func (e *frameEngine) recall() (rows int) {
	if !e.hasGood {
		return 0
	}
	e.in.SetRow(0, &e.good)
	return 1
}

// Merge says how requests whose tensors differ in size may share a run.
type Merge struct {
	// Ragged inputs are padded to the longest of the batch, with the element Pad
	// (little-endian, as many bytes as the type has; empty for zeros).
	Ragged bool
	Pad    []byte
}

// samePack tells which jobs may share a run: all dimensions but the batch's are equal,
// save those of ragged inputs, where only their number is.
func samePack(a, b []models.Tensor, merging []Merge) bool {
	for p := range a {
		x, y := a[p].Shape[1:], b[p].Shape[1:]
		if p < len(merging) && merging[p].Ragged {
			if len(x) != len(y) {
				return false
			}
		} else if !slices.Equal(x, y) {
			return false
		}
	}
	return true
}
