package inference

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"hotpath/models"
)

func TestNewRunnerRefusesBadBatchSizes(t *testing.T) {
	r := openRuntime(t)
	s := load(t, r, fixture(t, "echo"), SessionOptions{})
	for _, sizes := range [][]int{nil, {}, {0}, {-1, 4}, {4, 1}} {
		_, err := s.NewRunner(sizes)
		wantError(t, err, fmt.Sprint(sizes), "positive and ascending")
	}
	fixed := load(t, r, fixture(t, "fixed_batch"), SessionOptions{})
	_, err := fixed.NewRunner([]int{1, 8})
	wantError(t, err, "batches of 8 rows", "fixed at 1")

	wide := load(t, r, identity(onnxFloat, []int64{-1, 4 << 20}, []int64{-1, 4 << 20}), SessionOptions{})
	_, err = wide.NewRunner([]int{1, 65})
	wantError(t, err, "batches of 65 rows of 16777216 bytes", "lower max_batch_size")
	strs := load(t, r, identity(onnxString, []int64{-1, 1 << 20}, []int64{-1, 1 << 20}), SessionOptions{})
	_, err = strs.NewRunner([]int{65})
	wantError(t, err, "lower max_batch_size")
}

func TestBatchSizes(t *testing.T) {
	for _, c := range []struct {
		p    Provider
		max  int
		want []int
	}{
		{CPU, 1, []int{1}}, {CPU, 4, []int{1, 2, 3, 4}}, {CUDA, 1, []int{1}}, {CUDA, 8, []int{1, 2, 4, 8}}, {CUDA, 9, []int{1, 2, 4, 8, 9}},
	} {
		if got := BatchSizes(c.p, c.max); !slices.Equal(got, c.want) {
			t.Errorf("%s %d: %v, want %v", c.p, c.max, got, c.want)
		}
	}
}

// Every size is run once at load: their sum is bounded, and so is the padding.
func TestBatchSizesOfLargeBatches(t *testing.T) {
	for _, most := range []int{128, 129, 1000, 65536} {
		sizes := BatchSizes(CPU, most)
		sum := 0
		for i, n := range sizes {
			sum += n
			if i > 0 && (n <= sizes[i-1] || n-sizes[i-1] > 1+sizes[i-1]/64) || i < 128 && n != i+1 {
				t.Errorf("up to %d: %d follows %d", most, n, sizes[max(i-1, 0)])
			}
		}
		if sizes[len(sizes)-1] != most || sum > 128*128+70*most {
			t.Errorf("up to %d: the last is %d, all together are %d rows", most, sizes[len(sizes)-1], sum)
		}
	}
}

func TestRunRefusesRowsOutOfRange(t *testing.T) {
	run := newRunner(t, load(t, openRuntime(t), fixture(t, "f64"), SessionOptions{}), 2, 4)
	for _, rows := range []int{-1, 0, 5} {
		wantError(t, run.Run(rows), fmt.Sprintf("batch of %d rows", rows), "1 to 4")
	}
	if run.MaxRows() != 4 || run.NeedsThread() {
		t.Errorf("rows %d, thread %v", run.MaxRows(), run.NeedsThread())
	}
	ok(t, run.Run(1))
}

// A batch that is padded repeats row 0, so that no row left over from the batch
// before it can fail the run.
func TestPaddingIsAlwaysAValidRow(t *testing.T) {
	run := newRunner(t, load(t, openRuntime(t), fixture(t, "gather_poison"), SessionOptions{}), 4)
	in, out := run.Frames()
	index := func(row int, v int64) { binary.LittleEndian.PutUint64(in.Data[0][8*row:], uint64(v)) }
	for i := range 4 {
		index(i, 8)
	}
	wantError(t, run.Run(4), "out of data bounds")
	index(0, 3)
	ok(t, run.Run(1))
	if got := math.Float32frombits(binary.LittleEndian.Uint32(out.Data[0])); got != 6 {
		t.Errorf("row 3 begins with %v, want 6", got)
	}
	for i, want := range []int64{3, 3, 3, 3} {
		if got := int64(binary.LittleEndian.Uint64(in.Data[0][8*i:])); got != want {
			t.Errorf("row %d of the batch is %d, want %d", i, got, want)
		}
	}
}

// An output that is an input as well is answered with that input, whatever the
// batch size and the kind of runner.
func TestAnOutputThatIsAnInput(t *testing.T) {
	r := openRuntime(t)
	for _, dims := range [][]int64{{-1, 1}, {-1, -1}} {
		x, text := tensor{"x", onnxInt64, dims}, tensor{"text", onnxString, dims}
		s := load(t, r, onnxModel(node("Neg", []string{"x"}, "y"), []tensor{x, text}, []tensor{text, {"y", onnxInt64, dims}, x}), SessionOptions{})
		for _, rows := range []int64{1, 3} {
			in := []models.Tensor{{Name: "x", DType: models.Int64, Shape: []int64{rows, 1}}, {Name: "text", DType: models.String, Shape: []int64{rows, 1}}}
			var negative []byte
			for i := range rows {
				in[0].Data = binary.LittleEndian.AppendUint64(in[0].Data, uint64(7+i))
				negative = binary.LittleEndian.AppendUint64(negative, -uint64(7+i))
				in[1].Data = models.AppendStringElement(in[1].Data, fmt.Sprint("text ", i))
			}
			out := answers(t, s, in, int(rows))
			if !bytes.Equal(out[0].Data, in[1].Data) || !bytes.Equal(out[1].Data, negative) || !bytes.Equal(out[2].Data, in[0].Data) {
				t.Errorf("shape %v, %d rows: %v", dims, rows, out)
			}
		}
	}
}

// answers runs tensors with the kind of runner that the session has.
func answers(t *testing.T, s *Session, in []models.Tensor, rows int) (out []models.Tensor) {
	t.Helper()
	if s.Varies() != "" {
		run, err := s.NewTensorRunner(rows)
		ok(t, err)
		defer run.Close()
		got, err := run.RunTensors(in)
		ok(t, err)
		for _, one := range got {
			out = append(out, models.Tensor{Data: bytes.Clone(one.Data)})
		}
		return out
	}
	run := newRunner(t, s, 4) // padded
	from, to := run.Frames()
	from.SetTensors(0, rows, in)
	ok(t, run.Run(rows))
	for i := range to.Layout.Ports {
		out = append(out, models.Tensor{Data: make([]byte, rows*to.Layout.Stride[i])})
	}
	to.GetTensors(0, rows, out, 0)
	return out
}

// cancelled runs a batch and stops it after a while; it returns how long the run
// took, and how long it took to stop.
func cancelled(t *testing.T, run *Runner, after time.Duration) (whole, stop time.Duration) {
	t.Helper()
	var first time.Time
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		wait := after
		for {
			select {
			case <-ended:
				return
			case <-time.After(wait):
			}
			if first.IsZero() {
				first = time.Now()
			}
			run.Cancel()
			wait = 10 * time.Millisecond
		}
	}()
	start := time.Now()
	err := run.Run(1)
	end := time.Now()
	close(ended)
	<-stopped
	wantError(t, err, "terminate")
	return end.Sub(start), end.Sub(first)
}

func TestCancelStopsALoop(t *testing.T) {
	run := newRunner(t, load(t, openRuntime(t), fixture(t, "slow_loop"), SessionOptions{}), 1)
	for range 3 {
		// A run that inherited the end of the one before would be over at once.
		whole, stop := cancelled(t, run, 50*time.Millisecond)
		t.Logf("stopped %v after Cancel", stop)
		if whole < 50*time.Millisecond {
			t.Errorf("the run ended after %v, before Cancel", whole)
		}
		if stop > time.Second {
			t.Errorf("the run ended %v after Cancel", stop)
		}
	}
}

func TestARunnerWorksAfterCancel(t *testing.T) {
	run := newRunner(t, load(t, openRuntime(t), fixture(t, "f64"), SessionOptions{}), 1)
	in, out := run.Frames()
	for i := range 5 {
		run.Cancel() // too late for the run before
		binary.LittleEndian.PutUint64(in.Data[0], math.Float64bits(float64(i)))
		ok(t, run.Run(1))
		if got := math.Float64frombits(binary.LittleEndian.Uint64(out.Data[0])); got != float64(2*i) {
			t.Errorf("got %v, want %v", got, 2*i)
		}
	}
}

// The watchdog may fire while a run begins or ends: that must not race with the
// exchange of the options, nor wedge the runner.
func TestCancelAtAnyMomentIsSafe(t *testing.T) {
	run := newRunner(t, load(t, openRuntime(t), fixture(t, "f64"), SessionOptions{}), 1)
	done := make(chan struct{})
	var cancelling sync.WaitGroup
	cancelling.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				run.Cancel()
			}
		}
	})
	for range 2000 {
		if err := run.Run(1); err != nil {
			wantError(t, err, "terminate")
		}
	}
	close(done)
	cancelling.Wait()
	ok(t, run.Run(1))
}

func TestCloseIsSafe(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "strings"), SessionOptions{})
	run, err := s.NewRunner([]int{1, 2})
	ok(t, err)
	ok(t, run.Close())
	run.Cancel()
	ok(t, run.Close())
	half := &Runner{session: s, in: newBuffers(s, s.in, 1), out: newBuffers(s, s.out, 1)}
	ok(t, half.Close())
}

// Two runners of one session at once: every row comes back to where it was sent.
func TestRunnersOfOneSessionDoNotMixRows(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "echo_int64"), SessionOptions{})
	var running sync.WaitGroup
	for worker := range 2 {
		run := newRunner(t, s, 1, 4, 16)
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			in, out := run.Frames()
			row, got := in.Layout.NewRow(), out.Layout.NewRow()
			for n := range 4000 {
				rows := 1 + random.IntN(16)
				for i := range rows {
					fillEcho(&row, in.Layout, echoID(worker, n, i))
					in.SetRow(i, &row)
				}
				if err := run.Run(rows); err != nil {
					t.Error(err)
					return
				}
				for i := range rows {
					out.GetRow(i, &got)
					if !isEcho(&got, out.Layout, echoID(worker, n, i)) {
						t.Errorf("worker %d, run %d, row %d of %d: wrong answer", worker, n, i, rows)
						return
					}
				}
			}
		})
	}
	running.Wait()
}

func echoID(worker, run, row int) int64 { return int64(worker)<<60 | int64(run)<<8 | int64(row) }

func fillEcho(r *models.Row, l *models.Layout, id int64) {
	r.PutInt64(l.Offset[l.Port("id")], id)
	x := l.Offset[l.Port("x")]
	r.PutFloat32(x, float32(id&0xffff))
	r.PutFloat32(x+4, 1)
	r.PutFloat32(x+8, 0)
	r.PutFloat32(x+12, 0)
}

func isEcho(r *models.Row, l *models.Layout, id int64) bool {
	return r.Int64(l.Offset[l.Port("id_out")]) == id && r.Float32(l.Offset[l.Port("sum")]) == float32(id&0xffff)+1
}
