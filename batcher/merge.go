package batcher

import (
	"slices"

	"hotpath/models"
)

// Merge says how requests whose tensors differ in size may share a run.
type Merge struct {
	// Ragged inputs are padded to the longest of the batch, with the element Pad
	// (little-endian, as many bytes as the type has; empty for zeros).
	Ragged bool
	Pad    []byte
}

// The bounds of what is copied together for one run: its size, and how much of it
// may be padding. Small batches may be all padding but for an element. Requests of
// megabytes gain nothing from company, and a long copy would count as a slow run.
const (
	maxMerged  = 8 << 20
	mostPadded = 4 // times the size of what was sent
	smallMerge = 64 << 10
)

// group is what the next run of tensors will hold: the shapes that its requests
// have together, and how large it is.
type group struct {
	merging []Merge
	// shapes of each input, the first dimension aside: equal for all, or the
	// largest yet where the input is ragged.
	shapes [][]int64
	next   [][]int64 // scratch: shapes with one more job
	// open are the dimensions whose sizes vary, where an input is ragged.
	open []dimension
	rows int
	sent int // bytes
}

// dimension is one of an input; at counts from the one after the rows.
type dimension struct{ input, at int }

func newGroup(merging []Merge, inputs []models.Port) group {
	g := group{merging: merging, shapes: make([][]int64, len(inputs)), next: make([][]int64, len(inputs))}
	if !slices.ContainsFunc(merging, func(m Merge) bool { return m.Ragged }) {
		return g
	}
	for p, in := range inputs {
		for d, n := range in.Shape {
			if n < 0 {
				g.open = append(g.open, dimension{p, d})
			}
		}
	}
	return g
}

// begin makes the group that of one job.
func (g *group) begin(in []models.Tensor, rows int) {
	g.rows, g.sent = rows, 0
	for p := range in {
		g.shapes[p] = append(g.shapes[p][:0], in[p].Shape[1:]...)
		g.sent += len(in[p].Data)
	}
}

// add takes a job in if its shapes and its size allow that.
func (g *group) add(in []models.Tensor, rows int) bool {
	sent, size := g.sent, 0
	for p := range in {
		if !g.widen(p, in[p].Shape[1:]) {
			return false
		}
		sent += len(in[p].Data)
		if !g.ragged(p) {
			continue
		}
		elements, ok := models.Elements(g.next[p])
		if !ok || elements > maxMerged/(g.rows+rows) {
			return false
		}
		size += elements * (g.rows + rows) * elementSize(in[p].DType)
	}
	if sent > maxMerged || size > maxMerged || size > max(mostPadded*sent, smallMerge) || !g.relates(in) {
		return false
	}
	g.shapes, g.next = g.next, g.shapes
	g.rows, g.sent = g.rows+rows, sent
	return true
}

// widen sets the next shape of an input; false when the job's does not go with it.
func (g *group) widen(p int, shape []int64) bool {
	if len(shape) != len(g.shapes[p]) || !g.ragged(p) && !slices.Equal(shape, g.shapes[p]) {
		return false
	}
	g.next[p] = g.next[p][:0]
	for d, n := range shape {
		g.next[p] = append(g.next[p], max(n, g.shapes[p][d]))
	}
	return true
}

// relates says whether the sizes that are equal in the job are equal with padding,
// and those that differ differ, for the job and for those before it. A model may
// need two sizes to be equal, such as those of a sequence and its mask: a request in
// which they are not fails alone, and would get an answer if padding made them so.
func (g *group) relates(in []models.Tensor) bool {
	for i, a := range g.open {
		for _, b := range g.open[:i] {
			together := g.next[a.input][a.at] == g.next[b.input][b.at]
			before := g.shapes[a.input][a.at] == g.shapes[b.input][b.at]
			job := in[a.input].Shape[a.at+1] == in[b.input].Shape[b.at+1]
			if together != before || together != job {
				return false
			}
		}
	}
	return true
}

// elementSize is the size of an element; of a string, that of its length.
func elementSize(d models.DType) int {
	if d == models.String {
		return 4
	}
	return d.Size()
}

func (g *group) ragged(p int) bool { return p < len(g.merging) && g.merging[p].Ragged }

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

// fill copies what the tensor has of one dimension and those inside it.
func (p *padder) fill(dim int) {
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
		head, _ := models.CutStrings(p.data, n)
		size = len(head)
	}
	p.dst = append(p.dst, p.data[:size]...)
	p.data = p.data[size:]
}

func (p *padder) padElements(n int) {
	if n == 0 {
		return
	}
	from := len(p.dst)
	switch {
	case p.dtype == models.String:
		p.dst = models.AppendStringElement(p.dst, string(p.pad))
	case len(p.pad) == p.dtype.Size():
		p.dst = append(p.dst, p.pad...)
	default:
		p.dst = append(p.dst, make([]byte, n*p.dtype.Size())...)
		return
	}
	// What is there is doubled until it is enough.
	for whole := n * (len(p.dst) - from); len(p.dst)-from < whole; {
		had := p.dst[from:]
		p.dst = append(p.dst, had[:min(len(had), whole-len(had))]...)
	}
}
