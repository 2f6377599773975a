package inference

import (
	"fmt"
	"testing"

	"hotpath/models"
)

func TestSignatureOfEveryFixture(t *testing.T) {
	r := openRuntime(t)
	for name, want := range map[string]string{
		"echo":           "[id FP64[1] x FP32[4]] [id_out FP64[1] sum FP32[1]] 0",
		"echo_int64":     "[id INT64[1] x FP32[4]] [id_out INT64[1] sum FP32[1]] 0",
		"f64":            "[x FP64[3]] [y FP64[3]] 0",
		"int32":          "[x INT32[3]] [y INT32[3]] 0",
		"bools":          "[x BOOL[2]] [y BOOL[2]] 0",
		"strings":        "[word BYTES[1]] [same BYTES[1] code INT64[1]] 0",
		"dynamic_output": "[x FP32[4]] [y FP32[2]] 0",
		"fixed_batch":    "[x FP32[4]] [y FP32[1]] 1",
		"no_batch":       "[x FP32[3]] [y FP32[3]] 0 unbatched",
		"nan":            "[x FP32[4]] [y FP32[1]] 0",
		"gather_poison":  "[index INT64[1]] [y FP32[2]] 0",
		"slow_loop":      "[x FP32[1]] [y FP32[1]] 0",
		"slow_kernel":    "[x FP32[1]] [y FP32[1]] 0",
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, r, fixture(t, name), SessionOptions{Provider: CPU})
			sig := s.Signature()
			if got := signatureText(s); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			in, out := s.Layouts()
			if len(in.Ports) != len(sig.Inputs) || len(out.Ports) != len(sig.Outputs) || s.Provider() != CPU {
				t.Errorf("layouts %v %v on %s", in.Ports, out.Ports, s.Provider())
			}
		})
	}
}

// signatureText shows what a session found out.
func signatureText(s *Session) string {
	sig := s.Signature()
	text := fmt.Sprint(sig.Inputs, sig.Outputs, s.FixedBatch())
	if !sig.Batched {
		text += " unbatched"
	}
	if s.Varies() != "" {
		text += " varies"
	}
	return text
}

func TestRefusedFixtures(t *testing.T) {
	r := openRuntime(t)
	for name, want := range map[string][]string{
		"zipmap":        {`output "output_probability"`, "ZipMap", `{"zipmap": False}`, "config.yaml"},
		"garbage":       {"ONNX Runtime cannot read the model"},
		"truncated":     {"ONNX Runtime cannot read the model"},
		"external_data": {"ONNX Runtime cannot read the model"},
		"custom_domain": {"ONNX Runtime cannot read the model", "example.custom"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Load(t.Context(), fixture(t, name), SessionOptions{Provider: CPU})
			wantError(t, err, want...)
		})
	}
	_, err := r.Load(t.Context(), nil, SessionOptions{})
	wantError(t, err, "ONNX Runtime cannot read the model")
}

func TestZipMapIsServedWithoutItsMap(t *testing.T) {
	r := openRuntime(t)
	s := load(t, r, fixture(t, "zipmap"), SessionOptions{Outputs: []string{"output_label"}})
	if sig := s.Signature(); len(sig.Outputs) != 1 || sig.Outputs[0].Name != "output_label" {
		t.Errorf("outputs %v", sig.Outputs)
	}
	ok(t, newRunner(t, s, 1, 4).Verify(t.Context(), nil, nil))
	_, err := r.Load(t.Context(), fixture(t, "zipmap"), SessionOptions{Outputs: []string{"label"}})
	wantError(t, err, `no output "label"`, "output_label, output_probability")
}

func TestOutputsInTheOrderAskedFor(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "echo"), SessionOptions{Outputs: []string{"sum", "id_out"}})
	if got := fmt.Sprint(s.Signature().Outputs); got != "[sum FP32[1] id_out FP64[1]]" {
		t.Errorf("outputs %s", got)
	}
	ok(t, newRunner(t, s, 2).Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"id":[7],"x":[1,2,3,4]},"outputs":{"id_out":[7],"sum":[10]}}]}`), nil))
}

func TestUndeclaredShapesAreFoundByTrialRuns(t *testing.T) {
	r := openRuntime(t)
	asked := 0
	s := load(t, r, fixture(t, "dynamic_output"), SessionOptions{Sample: func(sig *models.Signature) ([]models.Tensor, error) {
		asked++
		return (&models.Example{Random: true}).Tensors(sig, 1)
	}})
	if asked != 3 || fmt.Sprint(s.Signature().Outputs) != "[y FP32[2]]" {
		t.Errorf("asked %d times, outputs %v", asked, s.Signature().Outputs)
	}
	ok(t, newRunner(t, s, 3).Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[1,2,3,4]},"outputs":{"y":[1,2]}}]}`), nil))
}

// Where neither zeros nor random values are valid, a sample is needed: here the
// number of the one axis that can be taken out.
func TestATrialRunThatFailsAsksForAGolden(t *testing.T) {
	r := openRuntime(t)
	squeeze := onnxModel(node("Squeeze", []string{"x", "axes"}, "y"), []tensor{
		{"x", onnxFloat, []int64{2, 3, 1}}, {"axes", onnxInt64, []int64{1}}}, []tensor{{"y", onnxFloat, nil}})
	_, err := r.Load(t.Context(), squeeze, SessionOptions{})
	wantError(t, err, `shape of output "y"`, "trial run", "golden.json")
	_, err = r.Load(t.Context(), squeeze, SessionOptions{Sample: func(*models.Signature) ([]models.Tensor, error) {
		return nil, fmt.Errorf("golden: cases[0]: input x is missing")
	}})
	wantError(t, err, "golden.json")
	s := load(t, r, squeeze, SessionOptions{Sample: func(sig *models.Signature) ([]models.Tensor, error) {
		return (&models.Example{Inputs: map[string][]any{"axes": {2}}}).Tensors(sig, 1)
	}})
	if got := signatureText(s); got != "[x FP32[2 3 1] axes INT64[1]] [y FP32[2 3]] 0 unbatched" {
		t.Errorf("signature %s", got)
	}
}

// What can be read from a graph, and what trial runs add to it.
func TestShapesOfEveryKind(t *testing.T) {
	r := openRuntime(t)
	sum := node("ReduceSum", []string{"x"}, "y", intAttribute("keepdims", 0))
	nonZero := node("NonZero", []string{"x"}, "y")
	for name, c := range map[string]struct {
		data []byte
		o    SessionOptions
		want string
	}{
		"dynamic inside":     {identity(onnxFloat, []int64{-1, 3, -1}, []int64{-1, 3, -1}), SessionOptions{}, "[x FP32[3 -1]] [y FP32[3 -1]] 0 varies"},
		"fixed by config":    {identity(onnxFloat, []int64{-1, 3, -1}, []int64{-1, 3, -1}), SessionOptions{Shapes: map[string][]int{"x": {-1, 2}}}, "[x FP32[3 2]] [y FP32[3 2]] 0"},
		"batch of 4":         {identity(onnxFloat, []int64{4, 2}, []int64{4, 2}), SessionOptions{}, "[x FP32[4 2]] [y FP32[4 2]] 0 unbatched"},
		"batch of 4, padded": {identity(onnxFloat, []int64{4, 2}, []int64{4, 2}), SessionOptions{PadBatch: true}, "[x FP32[2]] [y FP32[2]] 4"},
		"scalar":             {identity(onnxFloat, []int64{}, []int64{}), SessionOptions{}, "[x FP32[]] [y FP32[]] 0 unbatched"},
		"empty row":          {identity(onnxFloat, []int64{-1, 0}, []int64{-1, 0}), SessionOptions{}, "[x FP32[0]] [y FP32[0]] 0 varies"},
		"said to be whole":   {identity(onnxFloat, []int64{-1, 2}, []int64{-1, 2}), SessionOptions{Unbatched: true}, "[x FP32[-1 2]] [y FP32[-1 2]] 0 unbatched varies"},
		"whole, fixed by config": {identity(onnxFloat, []int64{-1, 2}, []int64{-1, 2}), SessionOptions{Unbatched: true, Shapes: map[string][]int{"x": {5, 2}}},
			"[x FP32[5 2]] [y FP32[5 2]] 0 unbatched"},
		"undeclared input": {identity(onnxFloat, nil, nil), SessionOptions{Shapes: map[string][]int{"x": {3}}}, "[x FP32[3]] [y FP32[3]] 0"},
		"sum of the batch": {onnxModel(sum, []tensor{{"x", onnxFloat, []int64{-1, 2}}}, []tensor{{"y", onnxFloat, []int64{}}}), SessionOptions{},
			"[x FP32[-1 2]] [y FP32[]] 0 unbatched varies"},
		"sum of the batch, undeclared": {onnxModel(sum, []tensor{{"x", onnxFloat, []int64{-1, 2}}}, []tensor{{"y", onnxFloat, nil}}), SessionOptions{},
			"[x FP32[-1 2]] [y FP32[]] 0 unbatched varies"},
		"sum of one": {onnxModel(sum, []tensor{{"x", onnxFloat, []int64{1, 2}}}, []tensor{{"y", onnxFloat, []int64{}}}), SessionOptions{}, "[x FP32[1 2]] [y FP32[]] 0 unbatched"},
		"transposed": {onnxModel(node("Transpose", []string{"x"}, "y"), []tensor{{"x", onnxFloat, []int64{-1, 2}}}, []tensor{{"y", onnxFloat, nil}}), SessionOptions{},
			"[x FP32[-1 2]] [y FP32[2 -1]] 0 unbatched varies"},
		"not for the batch": {onnxModel(node("Shape", []string{"x"}, "y"), []tensor{{"x", onnxFloat, []int64{-1, 2}}}, []tensor{{"y", onnxInt64, []int64{2}}}), SessionOptions{},
			"[x FP32[-1 2]] [y INT64[2]] 0 unbatched varies"},
		// Two dimensions that are open, of which the second is data.
		"found by data":           {onnxModel(nonZero, []tensor{{"x", onnxFloat, []int64{6}}}, []tensor{{"y", onnxInt64, []int64{1, -1}}}), SessionOptions{}, "[x FP32[6]] [y INT64[1 -1]] 0 unbatched varies"},
		"found by data, a batch":  {onnxModel(nonZero, []tensor{{"x", onnxFloat, []int64{-1, 6}}}, []tensor{{"y", onnxInt64, []int64{-1, -1}}}), SessionOptions{}, "[x FP32[-1 6]] [y INT64[2 -1]] 0 unbatched varies"},
		"declared as traced":      {identity(onnxFloat, []int64{-1, 3}, []int64{1, 3}), SessionOptions{}, "[x FP32[3]] [y FP32[3]] 0"},
		"open, but one size":      {identity(onnxFloat, []int64{-1, 3}, []int64{-1, -1}), SessionOptions{}, "[x FP32[3]] [y FP32[3]] 0"},
		"unknown, varies":         {identity(onnxFloat, []int64{-1, -1}, nil), SessionOptions{}, "[x FP32[-1]] [y FP32[-1]] 0 varies"},
		"no input":                {onnxModel(node("Constant", nil, "y", floatAttribute("value_float")), nil, []tensor{{"y", onnxFloat, nil}}), SessionOptions{}, "[] [y FP32[]] 0 unbatched"},
		"shapes of another input": {identity(onnxFloat, []int64{-1, 3}, []int64{-1, 3}), SessionOptions{Shapes: map[string][]int{"z": {4}}}, "[x FP32[3]] [y FP32[3]] 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, r, c.data, c.o)
			if got := signatureText(s); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			in, out := s.Layouts()
			if varies := s.Varies() != ""; varies != (in == nil) || varies != (out == nil) {
				t.Errorf("layouts %v %v, varies: %s", in, out, s.Varies())
			}
		})
	}
}

func TestGraphsThatCannotBeServed(t *testing.T) {
	r := openRuntime(t)
	huge := []int64{-1, 1 << 28}
	for name, c := range map[string]struct {
		data []byte
		o    SessionOptions
		want []string
	}{
		"1 GiB row":          {identity(onnxFloat, huge, huge), SessionOptions{}, []string{"over the limit"}},
		"1 GiB row, unknown": {identity(onnxFloat, huge, nil), SessionOptions{}, []string{"over the limit"}},
		"complex":            {identity(14, []int64{-1}, []int64{-1}), SessionOptions{}, []string{"cannot read the model", "complex64"}},
		"undeclared input":   {identity(onnxFloat, nil, nil), SessionOptions{}, []string{`input "x"`, "does not declare its shape", "inputs[].shape"}},
		"another fixed size": {identity(onnxFloat, []int64{-1, 3, -1}, []int64{-1, 3, -1}), SessionOptions{Shapes: map[string][]int{"x": {4, 2}}},
			[]string{`input "x"`, "inputs[].shape is [4 2]", "the graph has [3 -1]", "of one row"}},
		"another rank": {identity(onnxFloat, []int64{4, -1}, []int64{4, -1}), SessionOptions{Shapes: map[string][]int{"x": {2}}},
			[]string{"inputs[].shape is [2]", "the graph has [4 -1]", "of the whole tensor", "no batch dimension"}},
		"nothing to pad":  {identity(onnxFloat, []int64{-1, 2}, []int64{-1, 2}), SessionOptions{PadBatch: true}, []string{"pad_batch", "x [-1 2]", "leave pad_batch out"}},
		"pad what varies": {identity(onnxFloat, []int64{4, -1}, []int64{4, -1}), SessionOptions{PadBatch: true}, []string{"pad_batch", `input "x" has shape [-1,-1]`, "inputs[].shape"}},
		"pad a sum": {onnxModel(node("ReduceSum", []string{"x"}, "y", intAttribute("keepdims", 0)), []tensor{{"x", onnxFloat, []int64{4, 2}}}, []tensor{{"y", onnxFloat, []int64{}}}),
			SessionOptions{PadBatch: true}, []string{"pad_batch", "outputs"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Load(t.Context(), c.data, c.o)
			wantError(t, err, c.want...)
		})
	}
}

func floatAttribute(name string) []byte { return number(field(nil, 1, []byte(name)), 20, 1) }

func intAttribute(name string, v uint64) []byte {
	return number(number(field(nil, 1, []byte(name)), 3, v), 20, 2)
}

// One input with a batch of 1 holds the whole graph to it, wherever it stands.
func TestOneFixedInputFixesTheBatch(t *testing.T) {
	r := openRuntime(t)
	dynamic, one := []int64{-1, 2}, []int64{1, 2}
	for _, dims := range [][2][]int64{{dynamic, one}, {one, dynamic}} {
		data := onnxModel(node("Add", []string{"p", "q"}, "y"), []tensor{{"p", onnxFloat, dims[0]}, {"q", onnxFloat, dims[1]}}, []tensor{{"y", onnxFloat, dynamic}})
		s := load(t, r, data, SessionOptions{})
		if s.FixedBatch() != 1 {
			t.Errorf("%v: batch %d", dims, s.FixedBatch())
		}
		ok(t, newRunner(t, s, 1).Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"p":[1,2],"q":[10,20]},"outputs":{"y":[11,22]}}]}`), nil))
		_, err := s.NewRunner([]int{1, 2})
		wantError(t, err, "fixed at 1")
	}
}

// A trial takes what some config can serve, though Load with another cannot: what
// ONNX Runtime itself refuses, or does not survive, is what it is for.
func TestTryTakesWhateverONNXRuntimeDoes(t *testing.T) {
	r := openRuntime(t)
	for _, name := range []string{"echo", "strings", "dynamic_output", "fixed_batch", "no_batch", "zipmap", "slow_loop"} {
		if err := r.Try(fixture(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"garbage", "truncated", "external_data", "custom_domain"} {
		if r.Try(fixture(t, name)) == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
