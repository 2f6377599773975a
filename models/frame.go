package models

import "unsafe"

// Frame is a batch of rows in the shape that a model runs on: one flat,
// row-major buffer per port. A runner owns its two frames and C keeps pointers
// into them, so the buffers are made once and never grow.
type Frame struct {
	Layout *Layout
	// Data holds a fixed-width port's rows, Stride bytes each; nil for strings.
	Data [][]byte
	// Strings holds a string port's elements; nil for fixed-width ports.
	Strings [][]string
}

// NewFrame makes a frame for at most rows rows, on Go memory.
func NewFrame(l *Layout, rows int) *Frame {
	f := &Frame{Layout: l, Data: make([][]byte, len(l.Ports)), Strings: make([][]string, len(l.Ports))}
	for i, p := range l.Ports {
		if p.DType == String {
			f.Strings[i] = make([]string, rows*p.Width())
		} else {
			f.Data[i] = make([]byte, rows*p.Stride())
		}
	}
	return f
}

// SetRow copies r into row i. Strings are not copied: they point into r, which
// must stay unchanged until the run is over.
func (f *Frame) SetRow(i int, r *Row) {
	l := f.Layout
	for p := range l.Ports {
		if d := f.Data[p]; d != nil {
			n := l.Stride[p]
			copy(d[i*n:(i+1)*n], r.Data[l.Offset[p]:])
			continue
		}
		w := l.Width[p]
		for e := range w {
			f.Strings[p][i*w+e] = r.StringAt(l.StringOffset[p] + e)
		}
	}
}

// GetRow copies row i into r, strings included.
func (f *Frame) GetRow(i int, r *Row) {
	l := f.Layout
	r.Text = r.Text[:0]
	for p := range l.Ports {
		if d := f.Data[p]; d != nil {
			n := l.Stride[p]
			copy(r.Data[l.Offset[p]:], d[i*n:(i+1)*n])
			continue
		}
		w := l.Width[p]
		for e := range w {
			s := f.Strings[p][i*w+e]
			at := l.StringOffset[p] + e
			r.Strings[at] = Span{uint32(len(r.Text)), uint32(len(s))}
			r.Text = append(r.Text, s...)
		}
	}
}

// SetTensors copies rows whole rows of a request's tensors, one for each port in
// the ports' order, into the frame from row at on. Strings are not copied: they
// point into the tensors, which must stay unchanged until the run is over.
func (f *Frame) SetTensors(at, rows int, in []Tensor) {
	l := f.Layout
	for p := range l.Ports {
		if d := f.Data[p]; d != nil {
			n := l.Stride[p]
			copy(d[at*n:(at+rows)*n], in[p].Data)
			continue
		}
		w, rest := l.Width[p], in[p].Data
		for e := at * w; e < (at+rows)*w; e++ {
			var s []byte
			s, rest, _ = CutString(rest)
			f.Strings[p][e] = unsafe.String(unsafe.SliceData(s), len(s))
		}
	}
}

// GetTensors copies rows rows from row at on into the data of one tensor for each
// port: to the byte offset row x stride for fixed-width ports, and added at the
// end for strings.
func (f *Frame) GetTensors(at, rows int, out []Tensor, row int) {
	l := f.Layout
	for p := range l.Ports {
		if d := f.Data[p]; d != nil {
			n := l.Stride[p]
			copy(out[p].Data[row*n:], d[at*n:(at+rows)*n])
			continue
		}
		w := l.Width[p]
		for _, s := range f.Strings[p][at*w : (at+rows)*w] {
			out[p].Data = AppendStringElement(out[p].Data, s)
		}
	}
}
