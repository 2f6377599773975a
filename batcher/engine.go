package batcher

import (
	"hotpath/models"
	"hotpath/resilience/handoff"
)

// engine is a runner with the memory around it: it puts jobs into a run and takes
// their results out. It belongs to one worker.
type engine interface {
	control() Control
	// company says which jobs can share a run; nil: all can.
	company() handoff.Company[*Job]
	// load puts the jobs' rows one after the other into the next run.
	load(items []*Job)
	// run scores what is loaded, rows rows.
	run(rows int) error
	// deliver takes the results of a job out: its rows begin at row at of the run.
	// The jobs of a run are delivered in the order in which they were loaded.
	deliver(j *Job, at int)
	// unload lets go of the jobs' memory and of the results, once every job is
	// finished.
	unload()
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
	rows    int // loaded since unload, at most
}

func newFrameEngine(r Runner, in *models.Layout) *frameEngine {
	e := &frameEngine{runner: r, good: in.NewRow()}
	e.in, e.out = r.Frames()
	return e
}

func (e *frameEngine) control() Control               { return e.runner }
func (e *frameEngine) company() handoff.Company[*Job] { return nil }
func (e *frameEngine) run(rows int) error             { return e.runner.Run(rows) }

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
	e.rows = max(e.rows, at)
}

// unload drops the strings, which point into the jobs' memory.
func (e *frameEngine) unload() {
	if e.in.Layout.Strings > 0 {
		for p, s := range e.in.Strings {
			if s != nil {
				clear(s[:e.rows*e.in.Layout.Width[p]])
			}
		}
	}
	e.rows = 0
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
