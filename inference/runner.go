package inference

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"hotpath/models"
)

// Runner runs batches of one session. It belongs to one goroutine; only Cancel
// may be called from another, while Run is in progress.
type Runner struct {
	session *Session
	in, out *buffers
	sizes   []int // batch sizes that have tensors, ascending
	inputs  [][]ort.Value
	outputs [][]ort.Value
	// options is written by the runner's goroutine under mu, which Cancel takes to
	// read it: a Cancel that comes while a run begins must not meet options that
	// are being exchanged. nil after Close.
	mu      sync.Mutex
	options *ort.RunOptions
	// terminated says that options were used to stop a run: ONNX Runtime may
	// keep them so, and the next run gets fresh ones.
	terminated atomic.Bool
	hasStrings bool
}

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
// sizes up to the largest are padded.
func (s *Session) NewRunner(sizes []int) (*Runner, error) {
	if len(sizes) == 0 || sizes[0] < 1 || !slices.IsSorted(sizes) {
		return nil, fmt.Errorf("batch sizes %v: must be positive and ascending", sizes)
	}
	top := sizes[len(sizes)-1]
	if s.fixed > 0 && top != s.fixed {
		return nil, fmt.Errorf("batches of %d rows are asked for, but the graph's batch dimension is fixed at %d: leave batch_sizes out, or export the model with a dynamic batch dimension", top, s.fixed)
	}
	for _, l := range []*models.Layout{s.in, s.out} {
		if row := l.Bytes + l.Strings*stringBytes; row > maxFrameBytes/top {
			return nil, fmt.Errorf("batches of %d rows of %d bytes need more than %d MiB of memory: lower max_batch_size", top, row, maxFrameBytes>>20)
		}
	}
	r := &Runner{session: s, sizes: sizes, in: newBuffers(s.in, top), out: newBuffers(s.out, top),
		hasStrings: s.in.Strings+s.out.Strings > 0}
	for _, n := range sizes {
		in, err := r.in.tensors(n)
		if err == nil {
			r.inputs = append(r.inputs, in)
			var out []ort.Value
			if out, err = r.out.tensors(n); err == nil {
				r.outputs = append(r.outputs, out)
			}
		}
		if err != nil {
			r.Close()
			return nil, err
		}
	}
	var err error
	if r.options, err = ort.NewRunOptions(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Frames are the memory that Run reads and writes, valid until Close.
func (r *Runner) Frames() (in, out *models.Frame) { return r.in.Frame, r.out.Frame }

// MaxRows is the largest batch.
func (r *Runner) MaxRows() int { return r.sizes[len(r.sizes)-1] }

// NeedsThread says that the runner's goroutine should keep to one OS thread:
// CUDA memory grows when consecutive runs come from different ones. On the CPU
// a locked thread only makes each hand-over dearer.
func (r *Runner) NeedsThread() bool { return r.session.provider == CUDA }

// Run scores the first rows rows of the input frame into the output frame.
func (r *Runner) Run(rows int) error {
	if r.terminated.Load() {
		if err := r.freshOptions(); err != nil {
			return err
		}
	}
	at, exact := slices.BinarySearch(r.sizes, rows)
	if rows < 1 || at == len(r.sizes) {
		return fmt.Errorf("batch of %d rows: must be 1 to %d", rows, r.MaxRows())
	}
	if !exact {
		r.pad(rows, r.sizes[at])
	}
	if !r.hasStrings {
		return r.session.session.RunWithOptions(r.inputs[at], r.outputs[at], r.options)
	}
	if err := r.in.fillStrings(r.inputs[at], r.sizes[at]); err != nil {
		return err
	}
	if err := r.session.session.RunWithOptions(r.inputs[at], r.outputs[at], r.options); err != nil {
		return err
	}
	return r.out.readStrings(r.outputs[at])
}

// pad repeats row 0, which is known to be a valid input, up to the batch size.
func (r *Runner) pad(rows, size int) {
	f := r.in.Frame
	for i := range f.Layout.Ports {
		if d := f.Data[i]; d != nil {
			n := f.Layout.Ports[i].Stride()
			for row := rows; row < size; row++ {
				copy(d[row*n:(row+1)*n], d[:n])
			}
			continue
		}
		w := f.Layout.Ports[i].Width()
		for row := rows; row < size; row++ {
			copy(f.Strings[i][row*w:(row+1)*w], f.Strings[i][:w])
		}
	}
}

// Cancel asks the run in progress to stop. ONNX Runtime looks at it between
// operators only: a run inside one long operator goes on to that one's end.
func (r *Runner) Cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.options == nil {
		return
	}
	r.terminated.Store(true)
	// An error means that the run cannot be stopped; its callers leave at their
	// own deadlines all the same.
	_ = r.options.Terminate()
}

func (r *Runner) freshOptions() error {
	fresh, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.options
	r.options = fresh
	r.terminated.Store(false)
	return old.Destroy()
}

// Close frees the tensors. No run may be in progress. Closing twice does nothing
// more.
func (r *Runner) Close() error {
	for _, v := range r.inputs {
		destroy(v)
	}
	for _, v := range r.outputs {
		destroy(v)
	}
	r.inputs, r.outputs = nil, nil
	r.in.free()
	r.out.free()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.options == nil {
		return nil
	}
	options := r.options
	r.options = nil
	return options.Destroy()
}
