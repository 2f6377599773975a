package batcher

import (
	"fmt"
	"slices"

	"hotpath/models"
)

// tensorEngine runs tensors whose sizes vary. A job that runs alone is handed to
// the runner as it came; several are copied together.
type tensorEngine struct {
	runner  TensorRunner
	sig     *models.Signature
	merging []Merge

	in, out []models.Tensor // of the run; in may point into a job's memory
	memory  [][]byte        // of in where it was copied together, by port
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
	return &tensorEngine{runner: r, sig: sig, merging: merging, in: make([]models.Tensor, n), memory: make([][]byte, n), shapes: make([][]int64, n)}
}

func (e *tensorEngine) control() Control { return e.runner }

func (e *tensorEngine) together(items []*Job) int {
	if !e.sig.Batched {
		return 1
	}
	n := 1
	for i := 1; i < len(items); i++ {
		if samePack(items[0].part.in, items[i].part.in, e.merging) {
			items[n], items[i] = items[i], items[n]
			n++
		}
	}
	return n
}

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
			data = appendPadded(data, &j.part.in[p], shape, e.merging[p].Pad)
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
	e.out = out
	for p := range e.memory {
		if cap(e.memory[p]) > keepMerged {
			e.memory[p] = nil
		}
	}
	if err != nil {
		return err
	}
	if e.jobs == 1 {
		return nil
	}
	for i := range out {
		if s := out[i].Shape; len(s) == 0 || s[0] != int64(e.rows) {
			return fmt.Errorf("output %q has shape %s for %d rows: it has no batch dimension, so requests cannot share a run; set max_batch_size: 0", out[i].Name, models.ShapeText(s), e.rows)
		}
	}
	return nil
}

func (e *tensorEngine) deliver(j *Job, at int) {
	out, _ := j.part.of.results(j)
	for i := range out {
		from, to := &e.out[i], &out[i]
		to.Name, to.DType = from.Name, from.DType
		to.Shape = append(to.Shape[:0], from.Shape...)
		data := from.Data
		if e.jobs > 1 {
			to.Shape[0] = int64(j.weight())
			data = cutRows(from, at, j.weight())
		}
		to.Data = append(to.Data[:0], data...)
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
		e.good[i] = models.Tensor{Name: t.Name, DType: t.DType, Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
	}
}

func (e *tensorEngine) recall() (rows int) {
	if e.goodRows > 0 {
		copy(e.in, e.good)
		e.jobs, e.rows = 1, e.goodRows
	}
	return e.goodRows
}

// cutRows is the data of rows rows of a tensor from row at on.
func cutRows(t *models.Tensor, at, rows int) []byte {
	perRow, _ := models.Elements(t.Shape[1:])
	if t.DType != models.String {
		n := perRow * t.DType.Size()
		return t.Data[at*n : (at+rows)*n]
	}
	_, rest := splitStrings(t.Data, at*perRow)
	part, _ := splitStrings(rest, rows*perRow)
	return part
}

// splitStrings splits a String tensor's data, which was checked, after n elements.
func splitStrings(data []byte, n int) (head, tail []byte) {
	tail = data
	for range n {
		_, tail, _ = models.CutString(tail)
	}
	return data[:len(data)-len(tail)], tail
}

// appendPadded adds the rows of a tensor with every dimension after the first
// filled up to that of shape.
func appendPadded(dst []byte, t *models.Tensor, shape []int64, pad []byte) []byte {
	p := padder{dst: dst, data: t.Data, from: t.Shape, to: shape, dtype: t.DType, pad: pad}
	for range t.Shape[0] {
		p.fill(1)
	}
	return p.dst
}

// padder copies elements and fills gaps.
type padder struct {
	dst, data []byte
	from, to  []int64
	dtype     models.DType
	pad       []byte
}

func (p *padder) fill(dim int) {
	if dim == len(p.to) {
		p.copyElements(1)
		return
	}
	if dim == len(p.to)-1 {
		p.copyElements(int(p.from[dim]))
	} else {
		for range p.from[dim] {
			p.fill(dim + 1)
		}
	}
	rest, _ := models.Elements(p.to[dim+1:])
	p.padElements(int(p.to[dim]-p.from[dim]) * rest)
}

func (p *padder) copyElements(n int) {
	size := n * p.dtype.Size()
	if p.dtype == models.String {
		head, _ := splitStrings(p.data, n)
		size = len(head)
	}
	p.dst = append(p.dst, p.data[:size]...)
	p.data = p.data[size:]
}

func (p *padder) padElements(n int) {
	size := p.dtype.Size()
	for range n {
		switch {
		case p.dtype == models.String:
			p.dst = models.AppendStringElement(p.dst, string(p.pad))
		case len(p.pad) == size:
			p.dst = append(p.dst, p.pad...)
		default:
			for range size {
				p.dst = append(p.dst, 0)
			}
		}
	}
}
