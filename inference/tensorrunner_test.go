package inference

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"hotpath/models"
)

func newTensorRunner(t testing.TB, s *Session, rows int) *TensorRunner {
	t.Helper()
	r, err := s.NewTensorRunner(rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ok(t, r.Close()) })
	return r
}

// floats, ints and texts are tensors of their types.
func floats(name string, shape []int64, values ...float32) models.Tensor {
	t := models.Tensor{Name: name, DType: models.Float32, Shape: shape}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	return t
}

func ints(name string, shape []int64, values ...int64) models.Tensor {
	t := models.Tensor{Name: name, DType: models.Int64, Shape: shape}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(v))
	}
	return t
}

func texts(name string, shape []int64, values ...string) models.Tensor {
	t := models.Tensor{Name: name, DType: models.String, Shape: shape}
	for _, v := range values {
		t.Data = models.AppendStringElement(t.Data, v)
	}
	return t
}

func sameTensor(t testing.TB, got, want models.Tensor) {
	t.Helper()
	if got.Name != want.Name || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("got %s %s %v %.80x, want %s %s %v %.80x", got.Name, got.DType, got.Shape, got.Data, want.Name, want.DType, want.Shape, want.Data)
	}
}

// run runs tensors that must succeed.
func run(t testing.TB, r *TensorRunner, in ...models.Tensor) []models.Tensor {
	t.Helper()
	out, err := r.RunTensors(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type dims = []int64

func TestSizesVaryFromRunToRun(t *testing.T) {
	r := openRuntime(t)
	mean := newTensorRunner(t, load(t, r, fixture(t, "masked_mean"), SessionOptions{}), 8)
	outer := newTensorRunner(t, load(t, r, fixture(t, "outer"), SessionOptions{}), 8)
	for range 3 {
		sameTensor(t, run(t, mean, floats("x", dims{2, 2}, 1, 2, 3, 4), ints("mask", dims{2, 2}, 1, 1, 0, 1))[0], floats("mean", dims{2}, 1.5, 4))
		sameTensor(t, run(t, mean, floats("x", dims{1, 5}, 1, 2, 3, 4, 9), ints("mask", dims{1, 5}, 1, 0, 0, 0, 1))[0], floats("mean", dims{1}, 5))
		sameTensor(t, run(t, outer, floats("a", dims{1, 2}, 2, 3), floats("b", dims{1, 3}, 1, 10, 100))[0], floats("product", dims{1, 2, 3}, 2, 20, 200, 3, 30, 300))
		sameTensor(t, run(t, outer, floats("a", dims{1, 1}, 2), floats("b", dims{1, 0}))[0], floats("product", dims{1, 1, 0}))
		sameTensor(t, run(t, outer, floats("a", dims{0, 1}), floats("b", dims{0, 2}))[0], floats("product", dims{0, 1, 2}))
	}
}

func TestOutputsThatTheDataDecides(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "nonzero"), SessionOptions{})
	if got := signatureText(s); got != "[x FP32[6]] [index INT64[1 -1]] 0 unbatched varies" {
		t.Errorf("signature %s", got)
	}
	r := newTensorRunner(t, s, 1)
	sameTensor(t, run(t, r, floats("x", dims{6}, 0, 1, 0, 0, 2, 3))[0], ints("index", dims{1, 3}, 1, 4, 5))
	sameTensor(t, run(t, r, floats("x", dims{6}, 0, 0, 0, 0, 0, 0))[0], ints("index", dims{1, 0}))
}

func TestScalarsInAndOut(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "scaled"), SessionOptions{})
	if got := signatureText(s); got != "[x FP32[3] scale FP32[]] [y FP32[3] total FP32[]] 0 unbatched" {
		t.Errorf("signature %s", got)
	}
	rows := newRunner(t, s, 1)
	ok(t, rows.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[1,2,3],"scale":[2]},"outputs":{"y":[2,4,6],"total":[12]}}]}`), nil))
	out := run(t, newTensorRunner(t, s, 1), floats("x", dims{3}, 1, 2, 3), floats("scale", dims{}, 0.5))
	sameTensor(t, out[0], floats("y", dims{3}, 0.5, 1, 1.5))
	sameTensor(t, out[1], floats("total", dims{}, 3))
	_, err := s.NewRunner([]int{1, 2})
	wantError(t, err, "batches of 2 rows", "no batch dimension")
}

func TestAFixedBatchIsPaddedWhenAsked(t *testing.T) {
	r := openRuntime(t)
	whole := load(t, r, fixture(t, "batch_of_4"), SessionOptions{})
	if got := signatureText(whole); got != "[x FP32[4 4]] [y FP32[4 1]] 0 unbatched" {
		t.Errorf("signature %s", got)
	}
	padded := load(t, r, fixture(t, "batch_of_4"), SessionOptions{PadBatch: true})
	if got := signatureText(padded); got != "[x FP32[4]] [y FP32[1]] 4" {
		t.Errorf("signature %s", got)
	}
	ok(t, newRunner(t, padded, 4).Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[1,2,3,4]},"outputs":{"y":[10]}},{"inputs":{"x":[5,5,5,5]},"outputs":{"y":[20]}}]}`), nil))
	_, err := padded.NewRunner([]int{1, 4})
	wantError(t, err, "fixed at 4", "batch_sizes")
}

// everyType makes an input for each element type, of rows with n elements.
func everyType(s *Session, rows, n int, random *rand.Rand) []models.Tensor {
	var in []models.Tensor
	for _, p := range s.Signature().Inputs {
		x := models.Tensor{Name: p.Name, DType: p.DType, Shape: dims{int64(rows), int64(n)}}
		for range rows * n {
			switch p.DType {
			case models.String:
				text := make([]byte, random.IntN(12))
				for i := range text {
					text[i] = byte(random.Uint32())
				}
				x.Data = models.AppendStringElement(x.Data, string(text))
			case models.Bool:
				x.Data = append(x.Data, byte(random.IntN(2)))
			default:
				for range p.DType.Size() {
					x.Data = append(x.Data, byte(random.Uint32()))
				}
			}
		}
		in = append(in, x)
	}
	return in
}

// Every element type comes through bit by bit, as rows and as tensors, from memory
// at any address.
func TestEveryElementTypeComesThrough(t *testing.T) {
	r := openRuntime(t)
	random := rand.New(rand.NewPCG(5, 6))
	for _, name := range []string{"dtypes", "dtypes_open"} {
		s := load(t, r, fixture(t, name), SessionOptions{})
		if n := len(s.Signature().Inputs); n != len(ortTypes) {
			t.Fatalf("%s has %d types, ONNX Runtime carries %d", name, n, len(ortTypes))
		}
		tensors := newTensorRunner(t, s, 8)
		for shift := range 9 {
			n := 2
			if name == "dtypes_open" {
				n = 1 + random.IntN(7)
			}
			in := everyType(s, 3, n, random)
			for i := range in {
				in[i].Data = append(make([]byte, shift), in[i].Data...)[shift:]
			}
			for i, got := range run(t, tensors, in...) {
				want := in[i]
				want.Name = strings.Replace(want.Name, "_in", "_out", 1)
				sameTensor(t, got, want)
			}
		}
		if in, _ := s.Layouts(); in == nil {
			continue
		}
		rows := newRunner(t, s, 1, 4)
		in := everyType(s, 3, 2, random)
		inFrame, outFrame := rows.Frames()
		inFrame.SetTensors(0, 3, in)
		ok(t, rows.Run(3))
		all := make([]models.Tensor, len(in))
		for i := range all {
			if in[i].DType != models.String {
				all[i].Data = make([]byte, len(in[i].Data))
			}
		}
		outFrame.GetTensors(0, 3, all, 0)
		for i := range in {
			if !bytes.Equal(all[i].Data, in[i].Data) {
				t.Errorf("%s as rows: got %x, want %x", in[i].DType, all[i].Data, in[i].Data)
			}
		}
	}
}

func TestStringsOfAnyBytesAndSizes(t *testing.T) {
	r := newTensorRunner(t, load(t, openRuntime(t), fixture(t, "text"), SessionOptions{}), 8)
	long := strings.Repeat("größer ", 1<<17)
	for _, c := range []models.Tensor{
		texts("words", dims{1, 1}, ""), texts("words", dims{2, 2}, "", "", "", ""), texts("words", dims{1, 3}, "a\x00b", "\xff\xfe", "日本語"),
		texts("words", dims{2, 1}, long, "x"), texts("words", dims{1, 0}), texts("words", dims{1, 2}, "", "z"), texts("words", dims{1, 2}, "z", ""),
	} {
		want := c
		want.Name = "same"
		sameTensor(t, run(t, r, c)[0], want)
	}
}

func TestMemoryOfLargeStringsIsNotKept(t *testing.T) {
	run := newTensorRunner(t, load(t, openRuntime(t), fixture(t, "text"), SessionOptions{}), 1)
	for _, n := range []int{10, 2 * keepText} {
		_, err := run.RunTensors([]models.Tensor{texts("words", []int64{1, 1}, strings.Repeat("a", n))})
		ok(t, err)
		run.Discard()
		if kept := cap(run.strings[0].text); kept > keepText || n < keepText && kept == 0 {
			t.Errorf("%d bytes are kept after a text of %d", kept, n)
		}
	}
}

func TestOutputsAreBounded(t *testing.T) {
	r := openRuntime(t)
	outer := newTensorRunner(t, load(t, r, fixture(t, "outer"), SessionOptions{}), 8)
	wide := make([]float32, 4200)
	_, err := outer.RunTensors([]models.Tensor{floats("a", dims{1, 4200}, wide...), floats("b", dims{1, 4200}, wide...)})
	wantError(t, err, "70560000 bytes or more", "send fewer rows")
	sameTensor(t, run(t, outer, floats("a", dims{1, 1}, 2), floats("b", dims{1, 1}, 3))[0], floats("product", dims{1, 1, 1}, 6))

	// Strings are bounded with their lengths.
	words := newTensorRunner(t, load(t, r, fixture(t, "text"), SessionOptions{}), 8)
	_, err = words.RunTensors([]models.Tensor{texts("words", dims{1, 1}, strings.Repeat("x", models.MaxRowBytes-3))})
	wantError(t, err, "67108865 bytes or more")
}

func TestWrongTensorsAreErrors(t *testing.T) {
	r := newTensorRunner(t, load(t, openRuntime(t), fixture(t, "masked_mean"), SessionOptions{}), 8)
	_, err := r.RunTensors([]models.Tensor{floats("x", dims{1, 1}, 1)})
	wantError(t, err, "1 tensors for 2 inputs")
	_, err = r.RunTensors([]models.Tensor{floats("x", dims{1, 2}, 1, 2), ints("mask", dims{1, 3}, 1, 1, 1)})
	wantError(t, err, "Mul")
	_, err = r.RunTensors([]models.Tensor{floats("x", dims{1, 2}, 1), ints("mask", dims{1, 2}, 1, 1)})
	wantError(t, err, "not enough space") // less data than the shape says
	_, err = r.RunTensors([]models.Tensor{floats("x", slices.Repeat(dims{1}, 33), 1), ints("mask", dims{1, 1}, 1)})
	wantError(t, err, `input "x"`, "33 dimensions")
	sameTensor(t, run(t, r, floats("x", dims{1, 2}, 1, 3), ints("mask", dims{1, 2}, 1, 1))[0], floats("mean", dims{1}, 2))
}

func TestATensorRunnerIsStopped(t *testing.T) {
	r := newTensorRunner(t, load(t, openRuntime(t), fixture(t, "slow_loop"), SessionOptions{}), 8)
	for range 2 {
		stop := time.AfterFunc(50*time.Millisecond, r.Cancel)
		start := time.Now()
		_, err := r.RunTensors([]models.Tensor{floats("x", dims{2, 1}, 1, 2)})
		wantError(t, err, "terminate")
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("stopped after %v", took)
		}
		stop.Stop()
	}
	ok(t, r.Close())
	r.Cancel()
	ok(t, r.Close())
}

// Runs beside one another, under a collector that never rests: what C reads must
// stay where it is, and what it wrote must outlive the run until Discard.
func TestTensorsUnderTheCollector(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "dtypes_open"), SessionOptions{})
	done := make(chan struct{})
	var collecting, running sync.WaitGroup
	collecting.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	})
	for worker := range 2 {
		r := newTensorRunner(t, s, 8)
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 9))
			for range 50 {
				in := everyType(s, 1+random.IntN(4), 1+random.IntN(300), random)
				out, err := r.RunTensors(in)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range out {
					if !bytes.Equal(out[i].Data, in[i].Data) {
						t.Errorf("worker %d: %s came out changed", worker, in[i].DType)
						return
					}
				}
				if random.IntN(2) == 0 {
					r.Discard()
				}
			}
		})
	}
	running.Wait()
	close(done)
	collecting.Wait()
}

func TestGoldenOfVaryingSizes(t *testing.T) {
	r := openRuntime(t)
	s := load(t, r, fixture(t, "masked_mean"), SessionOptions{})
	runner := newTensorRunner(t, s, 2)
	good := `{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2]}}`
	ok(t, runner.Verify(t.Context(), readGolden(t, `{"cases":[`+good+`,{"inputs":{"x":[5,3],"mask":[0,1]},"outputs":{"mean":[3]},"shapes":{"mean":[]}},`+good+
		`,{"inputs":{"x":[1,2,6],"mask":[1,1,1]},"shapes":{"x":[3],"mask":[3]},"outputs":{"mean":[3]}}]}`), nil))
	for text, want := range map[string]string{
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[9]}}`:                              "cases[0]: output mean element 0: want 9, got 2",
		`{"inputs":{"x":[1,3]},"outputs":{"mean":[2]}}`:                                           "input mask",
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2,2]}}`:                            "output mean: 2 values, want 1",
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2]},"shapes":{"mean":[1]}}`:        "output mean: shape [1] does not fit []",
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2]},"shapes":{"x":[3]}}`:           "2 values, want 3",
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2]},"shapes":{"y":[3]}}`:           `no input or output "y"`,
		`{"inputs":{"x":[1,3],"mask":[1,1,1]},"outputs":{"mean":[2]}}`:                            "golden cases 0 to 0",
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"sum":[2]}}`:                               `no output "sum"`,
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2]},"shapes":{"x":[1,2]}}`:         "shape [1 2] does not fit [-1]",
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":["x"]}}`:                            "want a number",
		`{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2]},"shapes":{"x":[67108864000]}}`: "over the limit",
	} {
		wantError(t, runner.Verify(t.Context(), readGolden(t, `{"cases":[`+text+`]}`), nil), want)
	}
	nonzero := newTensorRunner(t, load(t, r, fixture(t, "nonzero"), SessionOptions{}), 1)
	ok(t, nonzero.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[0,1,0,0,2,0]},"outputs":{"index":[1,4]},"shapes":{"index":[1,2]}},{"inputs":{"x":[0,0,0,0,0,0]},"outputs":{"index":[]}}]}`), nil))
	wantError(t, nonzero.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[0,1,0,0,2,0]},"outputs":{"index":[1,4]},"shapes":{"index":[1,3]}}]}`), nil), "2 values, want 3")
	text := newTensorRunner(t, load(t, r, fixture(t, "text"), SessionOptions{}), 4)
	ok(t, text.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"words":["a","ö"]},"outputs":{"same":["a","ö"]}}]}`), nil))
	wantError(t, text.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"words":["a","ö"]},"outputs":{"same":["a","o"]}}]}`), nil), `want "o", got "ö"`)
}

func TestWarmUpSamples(t *testing.T) {
	r := openRuntime(t)
	tensors := newTensorRunner(t, load(t, r, fixture(t, "embedding_sum"), SessionOptions{}), 4)
	rows := newRunner(t, load(t, r, fixture(t, "gather_poison"), SessionOptions{}), 1, 4)
	ok(t, tensors.Verify(t.Context(), nil, []models.WarmupSample{
		{Name: "zeros"}, {Name: "random", Random: true, Rows: 4, Count: 3, Shapes: map[string][]int{"tokens": {20}}},
		{Name: "given", Inputs: map[string][]any{"tokens": {1, 2, 7}}, Rows: 2}}))
	ok(t, rows.Verify(t.Context(), nil, []models.WarmupSample{{Name: "given", Inputs: map[string][]any{"index": {7}}, Rows: 3, Count: 2}}))
	for name, sample := range map[string]models.WarmupSample{
		"beyond the table": {Inputs: map[string][]any{"tokens": {8}}},
		"too many rows":    {Rows: 5},
		"no such input":    {Inputs: map[string][]any{"token": {8}}},
		"no such shape":    {Shapes: map[string][]int{"tokens": {2, 2}}},
	} {
		sample.Name = name
		wantError(t, tensors.Verify(t.Context(), nil, []models.WarmupSample{{Name: "good"}, sample}), fmt.Sprintf("warm-up sample %q", name))
	}
	wantError(t, rows.Verify(t.Context(), nil, []models.WarmupSample{{Name: "poison", Inputs: map[string][]any{"index": {8}}}}), `warm-up sample "poison"`, "out of data bounds")
	wantError(t, rows.Verify(t.Context(), nil, []models.WarmupSample{{Name: "large", Rows: 5}}), `warm-up sample "large"`, "largest batch of 4")
}

func TestTheMisalignedAreCopiedToTheirPlace(t *testing.T) {
	r := newTensorRunner(t, load(t, openRuntime(t), fixture(t, "masked_mean"), SessionOptions{}), 8)
	for n := range 20 {
		got := r.align(0, make([]byte, n))
		if len(got) != n || uintptr(unsafe.Pointer(unsafe.SliceData(got)))%8 != 0 {
			t.Errorf("%d bytes at %p, %d long", n, got, len(got))
		}
	}
}
