package inference

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"hotpath/models"
)

// Runner runs batches of one session whose rows have a fixed layout. It belongs to
// one goroutine; only Cancel may be called from another, while Run is in progress.
type Runner struct {
	stopper
	session    *Session
	in, out    *buffers
	sizes      []int // batch sizes that have values, ascending
	inputs     []*values
	outputs    []*values
	hasStrings bool
	echoes     []echo
}

// echo is an output that is an input as well, by its place in both. ONNX Runtime
// leaves the value that it is given for such an output as it was.
type echo struct{ in, out int }

// maxFrameBytes bounds the memory of one side of a runner's largest batch.
const maxFrameBytes = 1 << 30

// BatchSizes is the default list of batch sizes: powers of two where each new
// shape costs a search for kernels (CUDA). On the CPU shapes cost nothing, and
// every size up to 128 is listed; above, steps of a 64th, since each size is run
// once at load, and those of all sizes up to 4096 would take as long as eight
// million rows.
func BatchSizes(p Provider, most int) []int {
	var sizes []int
	for n := 1; n < most; {
		sizes = append(sizes, n)
		if p == CUDA {
			n *= 2
		} else {
			n += 1 + max(n-64, 0)/64
		}
	}
	return append(sizes, most)
}

// NewRunner makes a runner for batches of the given sizes (ascending). Other
// sizes up to the largest are padded. The session must have Layouts.
func (s *Session) NewRunner(sizes []int) (*Runner, error) {
	if err := s.checkSizes(sizes); err != nil {
		return nil, err
	}
	top := sizes[len(sizes)-1]
	r := &Runner{session: s, sizes: sizes, in: newBuffers(s, s.in, top), out: newBuffers(s, s.out, top),
		hasStrings: s.in.Strings+s.out.Strings > 0}
	for i := range s.out.Ports {
		if in := s.in.Port(s.out.Ports[i].Name); in >= 0 {
			r.echoes = append(r.echoes, echo{in, i})
		}
	}
	for _, n := range sizes {
		in, err := r.in.values(n)
		if err == nil {
			r.inputs = append(r.inputs, in)
			var out *values
			if out, err = r.out.values(n); err == nil {
				r.outputs = append(r.outputs, out)
			}
		}
		if err != nil {
			r.Close()
			return nil, err
		}
	}
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (s *Session) checkSizes(sizes []int) error {
	if s.in == nil {
		return fmt.Errorf("rows have no fixed size: %s", s.varies)
	}
	if len(sizes) == 0 || sizes[0] < 1 || !slices.IsSorted(sizes) {
		return fmt.Errorf("batch sizes %v: must be positive and ascending", sizes)
	}
	top := sizes[len(sizes)-1]
	switch {
	case !s.sig.Batched && top != 1:
		return fmt.Errorf("batches of %d rows are asked for, but the model has no batch dimension: leave batch_sizes out", top)
	case s.fixed > 0 && top != s.fixed:
		return fmt.Errorf("batches of %d rows are asked for, but the graph's batch dimension is fixed at %d: leave batch_sizes out, or export the model with a dynamic batch dimension", top, s.fixed)
	case s.fixed > 0 && sizes[0] != s.fixed:
		return fmt.Errorf("batches of %d rows are asked for, but the graph's batch dimension is fixed at %d: leave batch_sizes out", sizes[0], s.fixed)
	}
	for _, l := range []*models.Layout{s.in, s.out} {
		if row := l.Bytes + l.Strings*stringBytes; row > maxFrameBytes/top {
			return fmt.Errorf("batches of %d rows of %d bytes need more than %d MiB of memory: lower max_batch_size", top, row, maxFrameBytes>>20)
		}
	}
	return nil
}

// Frames are the memory that Run reads and writes, valid until Close.
func (r *Runner) Frames() (in, out *models.Frame) { return r.in.Frame, r.out.Frame }

// MaxRows is the largest batch.
func (r *Runner) MaxRows() int { return r.sizes[len(r.sizes)-1] }

// FrameBytes is the size of the runner's own memory, that of the strings' text aside.
func (r *Runner) FrameBytes() int {
	in, out := r.session.in, r.session.out
	return r.MaxRows() * (in.Bytes + out.Bytes + (in.Strings+out.Strings)*stringBytes)
}

// NeedsThread says that the runner's goroutine should keep to one OS thread:
// CUDA memory grows when consecutive runs come from different ones. On the CPU
// a locked thread only makes each hand-over dearer.
func (r *Runner) NeedsThread() bool { return r.session.provider == CUDA }

// Run scores the first rows rows of the input frame into the output frame.
func (r *Runner) Run(rows int) error {
	at, exact := slices.BinarySearch(r.sizes, rows)
	if rows < 1 || at == len(r.sizes) {
		return fmt.Errorf("batch of %d rows: must be 1 to %d", rows, r.MaxRows())
	}
	if !exact {
		r.pad(rows, r.sizes[at])
	}
	options, err := r.begin()
	if err != nil {
		return err
	}
	if err := r.run(options, at); err != nil {
		return err
	}
	for _, e := range r.echoes {
		r.copyEcho(e, rows)
	}
	return nil
}

// run makes a run of the size at that place of sizes.
func (r *Runner) run(options unsafe.Pointer, at int) error {
	s, in, out := r.session, r.inputs[at], r.outputs[at]
	if !r.hasStrings {
		return s.api.run(s.pointer, options, &s.inNames, in, &s.outNames, out)
	}
	if err := r.in.fillStrings(in, r.sizes[at]); err != nil {
		return err
	}
	if err := r.out.emptyStrings(out, r.sizes[at]); err != nil {
		return err
	}
	if err := s.api.run(s.pointer, options, &s.inNames, in, &s.outNames, out); err != nil {
		return err
	}
	return r.out.readStrings(out, r.sizes[at])
}

// copyEcho copies the rows of an input to the output that it is.
func (r *Runner) copyEcho(e echo, rows int) {
	copy(r.out.Data[e.out], r.in.Data[e.in][:rows*r.in.Layout.Stride[e.in]])
	for i, s := range r.in.Strings[e.in][:min(rows*r.in.Layout.Width[e.in], len(r.in.Strings[e.in]))] {
		r.out.Strings[e.out][i] = strings.Clone(s) // the input's may be a request's memory
	}
}

// pad repeats row 0, which is known to be a valid input, up to the batch size.
func (r *Runner) pad(rows, size int) {
	f := r.in.Frame
	for i := range f.Layout.Ports {
		if d := f.Data[i]; d != nil {
			n := f.Layout.Stride[i]
			for row := rows; row < size; row++ {
				copy(d[row*n:(row+1)*n], d[:n])
			}
			continue
		}
		w := f.Layout.Width[i]
		for row := rows; row < size; row++ {
			copy(f.Strings[i][row*w:(row+1)*w], f.Strings[i][:w])
		}
	}
}

// Close frees the values. No run may be in progress. Closing twice does nothing
// more.
func (r *Runner) Close() error {
	for _, v := range slices.Concat(r.inputs, r.outputs) {
		v.free()
	}
	r.inputs, r.outputs = nil, nil
	r.in.free()
	r.out.free()
	return r.close()
}
