package batcher

import (
	"fmt"
	"slices"

	"hotpath/models"
	"hotpath/resilience/handoff"
)

// tensorEngine runs tensors whose sizes vary. A job that runs alone is handed to
// the runner as it came; several are copied together.
type tensorEngine struct {
	runner TensorRunner
	sig    *models.Signature
	group  group
	// alone says that the outputs were found to have no batch dimension: no two
	// jobs share a run any more.
	alone bool

	in, out []models.Tensor // of the run; in may point into a job's memory
	rest    [][]byte        // of out's strings, what is not delivered yet
	memory  [][]byte        // of in where it was copied together, by input
	shapes  [][]int64
	jobs    int
	rows    int

	good     []models.Tensor
	goodRows int // 0: nothing is remembered
}

// maxGoodBytes bounds what is remembered of a run: a model with larger inputs has
// no proof that it works but its next success.
const maxGoodBytes = 1 << 20

func newTensorEngine(r TensorRunner, sig *models.Signature, merging []Merge) *tensorEngine {
	n := len(sig.Inputs)
	return &tensorEngine{runner: r, sig: sig, group: newGroup(merging, sig.Inputs), alone: !sig.Batched,
		in: make([]models.Tensor, n), rest: make([][]byte, len(sig.Outputs)), memory: make([][]byte, n), shapes: make([][]int64, n)}
}

func (e *tensorEngine) control() Control               { return e.runner }
func (e *tensorEngine) company() handoff.Company[*Job] { return e }

// Begin is told the first job of the next run.
func (e *tensorEngine) Begin(j *Job) {
	if !e.alone {
		e.group.begin(j.part.in, j.weight())
	}
}

// Joins says whether another job can share the run.
func (e *tensorEngine) Joins(j *Job) bool { return !e.alone && e.group.add(j.part.in, j.weight()) }

func (e *tensorEngine) load(items []*Job) {
	e.jobs, e.rows = len(items), 0
	for _, j := range items {
		e.rows += j.weight()
	}
	if len(items) == 1 {
		copy(e.in, items[0].part.in)
		return
	}
	for p := range e.in {
		e.merge(p, items)
	}
}

// merge copies one input of several jobs together.
func (e *tensorEngine) merge(p int, items []*Job) {
	first := &items[0].part.in[p]
	shape := append(e.shapes[p][:0], first.Shape...)
	shape[0] = int64(e.rows)
	ragged := false
	for _, j := range items {
		for d, n := range j.part.in[p].Shape[1:] {
			ragged = ragged || n != shape[d+1]
			shape[d+1] = max(shape[d+1], n)
		}
	}
	data := e.memory[p][:0]
	for _, j := range items {
		if ragged {
			data = appendPadded(data, &j.part.in[p], shape, e.group.merging[p].Pad)
		} else {
			data = append(data, j.part.in[p].Data...)
		}
	}
	e.shapes[p], e.memory[p] = shape, data
	e.in[p] = models.Tensor{Name: first.Name, DType: first.DType, Shape: shape, Data: data}
}

// keepMerged is how much memory of a large merge an engine keeps for the next.
const keepMerged = 4 << 20

func (e *tensorEngine) run(int) error {
	out, err := e.runner.RunTensors(e.in)
	if err != nil {
		return err
	}
	e.out = out
	for i := range out {
		e.rest[i] = out[i].Data
	}
	if e.jobs == 1 {
		return nil
	}
	for i := range out {
		if s := out[i].Shape; len(s) == 0 || s[0] != int64(e.rows) {
			e.alone = true
			return fmt.Errorf("output %q has shape %s for %d rows: it has no batch dimension, so requests cannot share a run; set max_batch_size: 0", out[i].Name, models.ShapeText(s), e.rows)
		}
	}
	return nil
}

func (e *tensorEngine) deliver(j *Job, _ int) {
	out, _ := j.part.of.results(j)
	for i := range out {
		from, to := &e.out[i], &out[i]
		to.Name, to.DType = from.Name, from.DType
		to.Shape = append(to.Shape[:0], from.Shape...)
		if e.jobs == 1 {
			to.Data = append(to.Data[:0], from.Data...)
			continue
		}
		to.Shape[0] = int64(j.weight())
		var data []byte
		data, e.rest[i] = cutElements(to, e.rest[i])
		to.Data = append(to.Data[:0], data...)
	}
}

// cutElements takes the elements of a tensor's shape off the front of data.
func cutElements(t *models.Tensor, data []byte) (head, tail []byte) {
	n, _ := models.Elements(t.Shape)
	if t.DType == models.String {
		return models.CutStrings(data, n)
	}
	n *= t.DType.Size()
	return data[:n], data[n:]
}

func (e *tensorEngine) unload() {
	clear(e.in)
	clear(e.rest)
	e.out = nil
	e.runner.Discard()
	for p := range e.memory {
		if cap(e.memory[p]) > keepMerged {
			e.memory[p] = nil
		}
	}
}

func (e *tensorEngine) remember() {
	if e.goodRows > 0 {
		return
	}
	size := 0
	for i := range e.in {
		size += len(e.in[i].Data)
	}
	if size > maxGoodBytes {
		return
	}
	e.good, e.goodRows = make([]models.Tensor, len(e.in)), e.rows
	for i, t := range e.in {
		// Not the name of the request, which is in its memory.
		e.good[i] = models.Tensor{Name: e.sig.Inputs[i].Name, DType: t.DType, Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
	}
}

func (e *tensorEngine) recall() (rows int) {
	if e.goodRows > 0 {
		copy(e.in, e.good)
		e.jobs, e.rows = 1, e.goodRows
	}
	return e.goodRows
}
