package batcher

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"hotpath/models"
	"hotpath/resilience/handoff"
)

// TensorJob is a request of whole tensors on its way through a batcher. More rows
// than fit a run are split into parts, and their results joined. It is pooled:
// take it with AcquireTensors, give it back with Release.
type TensorJob struct {
	owner *Batcher
	rows  int
	// memory is what the inputs point into, freed with the last hold.
	memory models.Owner
	// out is written by workers: with fixed layouts each part writes the rows that
	// are its own; strings and varying sizes are kept by part and joined.
	out    []models.Tensor
	shapes []int64  // memory of out's shapes
	rest   [][]byte // of each input, what no part has taken yet
	parts  []*Job   // in flight, oldest first; scratch
	joined int      // bytes in out where parts are joined
	// holds are the caller's and one for each part that is not recycled.
	holds atomic.Int32

	queued, run time.Duration
	batch       int
}

// part is what a Job stands for when it is a part of a TensorJob.
type part struct {
	of     *TensorJob
	in     []models.Tensor
	shapes []int64 // memory of in's shapes
	// row is the first row of the part in the whole.
	row int
	// out are the results that cannot be written in place.
	out []models.Tensor
}

// AcquireTensors takes a job out of the pool.
func (b *Batcher) AcquireTensors() *TensorJob {
	t := b.tensors.Get().(*TensorJob)
	t.holds.Store(1)
	t.queued, t.run, t.batch = 0, 0, 0
	return t
}

// Release gives up the caller's hold.
func (t *TensorJob) Release() { t.release() }

func (t *TensorJob) release() {
	if t.holds.Add(-1) > 0 {
		return
	}
	if t.memory != nil {
		t.memory.Free()
		t.memory = nil
	}
	clear(t.parts[:cap(t.parts)])
	t.parts = t.parts[:0]
	clear(t.rest)
	dropLarge(t.out)
	t.owner.tensors.Put(t)
}

// dropLarge drops the memory of a large answer, which a pool should not keep.
func dropLarge(out []models.Tensor) {
	for i := range out {
		if cap(out[i].Data) > keepOutput {
			out[i].Data = nil
		}
	}
}

// keepOutput is how much memory of a large answer a pooled job keeps per output.
const keepOutput = 1 << 20

// Outputs are the results after Score returned nil, valid until Release.
func (t *TensorJob) Outputs() []models.Tensor { return t.out }

// Timing says, after Score returned nil, how long the slowest part was queued and
// ran, and the rows of the largest batch that a part ran in.
func (t *TensorJob) Timing() (queued, run time.Duration, rows int) { return t.queued, t.run, t.batch }

// maxAnswer bounds the outputs of one request together.
const maxAnswer = 256 << 20

// Score runs the tensors, rows rows, and waits for the result, no longer than
// until. It takes over memory, which the tensors point into, whatever the outcome.
// The errors are those of Job.Score.
func (t *TensorJob) Score(in []models.Tensor, rows int, memory models.Owner, until time.Time, prio handoff.Priority) error {
	t.rows, t.memory, t.joined = rows, memory, 0
	b := t.owner
	if err := b.admit(time.Now(), until, rows); err != nil {
		return err
	}
	if err := t.prepareOutputs(); err != nil {
		return err
	}
	t.rest = t.rest[:0]
	for i := range in {
		t.rest = append(t.rest, in[i].Data)
	}
	// A window bounds what one request can have queued: others get their turn, and
	// a request larger than the queue is served all the same.
	window := len(b.workers) + 1
	var j *Job
	for next := 0; j != nil || next < rows || len(t.parts) > 0; {
		if j == nil && next < rows && len(t.parts) < window {
			j = t.cut(in, next, min(b.maxRows, rows-next))
			next += j.weight()
		}
		if j != nil {
			switch err := b.queue.Submit(j, until, prio); {
			case err == nil:
				t.parts, j = append(t.parts, j), nil
				continue
			case err != handoff.ErrFull || len(t.parts) == 0:
				return t.fail(j, b.translate(err))
			}
			// Full, perhaps of parts of its own: there is room when the first is through.
		}
		if err := t.waitFirst(); err != nil {
			return t.fail(j, err)
		}
	}
	return nil
}

// fail leaves the parts that are in flight, and the one that is not queued.
func (t *TensorJob) fail(unqueued *Job, err error) error {
	if unqueued != nil {
		unqueued.Release()
	}
	for _, j := range t.parts {
		j.ticket.Abandon()
		j.Release()
	}
	clear(t.parts)
	t.parts = t.parts[:0]
	return err
}

// waitFirst waits for the oldest part and takes in its results.
func (t *TensorJob) waitFirst() error {
	j := t.parts[0]
	t.parts = slices.Delete(t.parts, 0, 1)
	defer j.Release()
	if err := j.wait(); err != nil {
		return err
	}
	queued, run, rows := j.Timing()
	t.queued, t.run, t.batch = max(t.queued, queued), max(t.run, run), max(t.batch, rows)
	return t.join(j)
}

// cut makes the job of the rows rows from row at on.
func (t *TensorJob) cut(in []models.Tensor, at, rows int) *Job {
	j := t.owner.Acquire()
	j.ticket.Weigh(rows)
	t.holds.Add(1)
	p := &j.part
	p.of, p.row = t, at
	for i := range in {
		part := in[i]
		// Of its own: those of the request live no longer than it does.
		from := len(p.shapes)
		p.shapes = append(p.shapes, part.Shape...)
		part.Shape = p.shapes[from:len(p.shapes):len(p.shapes)]
		if rows < t.rows {
			part.Shape[0] = int64(rows)
			part.Data, t.rest[i] = cutElements(&part, t.rest[i])
		}
		p.in = append(p.in, part)
	}
	return j
}

// prepareOutputs gives the outputs their shapes and memory as far as they are
// known; the rest comes with join.
func (t *TensorJob) prepareOutputs() error {
	layout := t.owner.out
	if layout == nil {
		t.out = t.out[:0]
		return nil
	}
	if layout.Bytes > maxAnswer/t.rows {
		return errAnswer(t.rows)
	}
	t.out = slices.Grow(t.out[:0], len(layout.Ports))[:len(layout.Ports)]
	t.shapes = t.shapes[:0]
	for i := range layout.Ports {
		p, o := &layout.Ports[i], &t.out[i]
		o.Name, o.DType = p.Name, p.DType
		size := 0
		if t.inPlace() {
			size = t.rows * layout.Stride[i]
		}
		o.Data = slices.Grow(o.Data[:0], size)[:size]
		from := len(t.shapes)
		if t.owner.batched {
			t.shapes = append(t.shapes, int64(t.rows))
		}
		for _, d := range p.Shape {
			t.shapes = append(t.shapes, int64(d))
		}
		o.Shape = t.shapes[from:len(t.shapes):len(t.shapes)]
	}
	return nil
}

func errAnswer(rows int) error {
	return fmt.Errorf("%w: the outputs of %d rows are over the limit of %d bytes; send fewer rows at once", ErrRow, rows, maxAnswer)
}

// inPlace says that each part's results have a place in the whole that is known
// before: then workers write there, each part to its own rows.
func (t *TensorJob) inPlace() bool { return t.owner.out != nil && t.owner.out.Strings == 0 }

// results are where a worker writes the results of a part, and the row to begin
// at: in the whole, or in memory of the part's own that join adds to the whole.
func (t *TensorJob) results(j *Job) (out []models.Tensor, row int) {
	if t.inPlace() {
		return t.out, j.part.row
	}
	n := t.owner.outputs
	j.part.out = slices.Grow(j.part.out[:0], n)[:n]
	for i := range n {
		o := &j.part.out[i]
		size := 0
		if layout := t.owner.out; layout != nil {
			size = layout.Stride[i] * j.weight()
		}
		o.Data = slices.Grow(o.Data[:0], size)[:size]
	}
	return j.part.out, 0
}

// join adds the results of a part to the whole. The parts come in order.
func (t *TensorJob) join(j *Job) error {
	if t.inPlace() {
		return nil
	}
	for i := range j.part.out {
		t.joined += len(j.part.out[i].Data)
	}
	if t.joined > maxAnswer {
		return errAnswer(t.rows)
	}
	if t.owner.out != nil {
		for i := range t.out {
			t.out[i].Data = append(t.out[i].Data, j.part.out[i].Data...)
		}
		return nil
	}
	if j.weight() < t.rows {
		return t.joinPart(j)
	}
	t.out, j.part.out = j.part.out, t.out // all of it: taken over as it is
	return nil
}

// joinPart adds a part whose shapes are not known before. Those of all parts must
// be the same but for the rows.
func (t *TensorJob) joinPart(j *Job) error {
	if len(t.out) == 0 {
		t.out, j.part.out = j.part.out, t.out
		for i := range t.out {
			if s := t.out[i].Shape; len(s) == 0 || s[0] != int64(j.weight()) {
				return errParts(&t.out[i], j.weight(), s)
			}
		}
		return nil
	}
	for i := range t.out {
		whole, part := &t.out[i], &j.part.out[i]
		if len(part.Shape) != len(whole.Shape) || part.Shape[0] != int64(j.weight()) || !slices.Equal(whole.Shape[1:], part.Shape[1:]) {
			return errParts(whole, j.weight(), part.Shape)
		}
		whole.Shape[0] += part.Shape[0]
		whole.Data = append(whole.Data, part.Data...)
	}
	return nil
}

func errParts(out *models.Tensor, rows int, shape []int64) error {
	return fmt.Errorf("%w: %d of the request's rows gave output %q the shape %s, which cannot be joined with others': send at most max_batch_size rows at once, or set max_batch_size: 0", ErrRow, rows, out.Name, models.ShapeText(shape))
}
