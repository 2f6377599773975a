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
		"nan":            "[x FP32[4]] [y FP32[1]] 0",
		"gather_poison":  "[index INT64[1]] [y FP32[2]] 0",
		"slow_loop":      "[x FP32[1]] [y FP32[1]] 0",
		"slow_kernel":    "[x FP32[1]] [y FP32[1]] 0",
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, r, fixture(t, name), SessionOptions{Provider: CPU})
			sig := s.Signature()
			if got := fmt.Sprint(sig.Inputs, sig.Outputs, s.FixedBatch()); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			in, out := s.Layouts()
			if len(in.Ports) != len(sig.Inputs) || len(out.Ports) != len(sig.Outputs) || s.Provider() != CPU {
				t.Errorf("layouts %v %v on %s", in.Ports, out.Ports, s.Provider())
			}
		})
	}
}

func TestRefusedFixtures(t *testing.T) {
	r := openRuntime(t)
	for name, want := range map[string][]string{
		"no_batch":      {`input "x"`, "fixed at 3", "batches along the first dimension", "dynamic_axes"},
		"zipmap":        {`output "output_probability"`, "ZipMap", `{"zipmap": False}`, "config.yaml"},
		"garbage":       {"ONNX Runtime cannot read the model"},
		"truncated":     {"ONNX Runtime cannot read the model"},
		"external_data": {"ONNX Runtime cannot read the model"},
		"custom_domain": {"ONNX Runtime cannot read the model", "example.custom"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Load(fixture(t, name), SessionOptions{Provider: CPU})
			wantError(t, err, want...)
		})
	}
	_, err := r.Load(nil, SessionOptions{})
	wantError(t, err, "ONNX Runtime cannot read the model")
}

func TestZipMapIsServedWithoutItsMap(t *testing.T) {
	r := openRuntime(t)
	s := load(t, r, fixture(t, "zipmap"), SessionOptions{Outputs: []string{"output_label"}})
	if sig := s.Signature(); len(sig.Outputs) != 1 || sig.Outputs[0].Name != "output_label" {
		t.Errorf("outputs %v", sig.Outputs)
	}
	ok(t, newRunner(t, s, 1, 4).Verify(nil))
	_, err := r.Load(fixture(t, "zipmap"), SessionOptions{Outputs: []string{"label"}})
	wantError(t, err, `no output "label"`, "output_label, output_probability")
}

func TestOutputsInTheOrderAskedFor(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "echo"), SessionOptions{Outputs: []string{"sum", "id_out"}})
	if got := fmt.Sprint(s.Signature().Outputs); got != "[sum FP32[1] id_out FP64[1]]" {
		t.Errorf("outputs %s", got)
	}
	ok(t, newRunner(t, s, 2).Verify(readGolden(t, `{"cases":[{"inputs":{"id":[7],"x":[1,2,3,4]},"outputs":{"id_out":[7],"sum":[10]}}]}`)))
}

func TestUndeclaredShapesAreFoundByATrialRun(t *testing.T) {
	r := openRuntime(t)
	asked := 0
	s := load(t, r, fixture(t, "dynamic_output"), SessionOptions{Sample: func(l *models.Layout, row *models.Row) error {
		asked++
		row.PutFloat32(l.Offset[0], 1)
		return nil
	}})
	if asked != 1 || fmt.Sprint(s.Signature().Outputs) != "[y FP32[2]]" {
		t.Errorf("asked %d times, outputs %v", asked, s.Signature().Outputs)
	}
	ok(t, newRunner(t, s, 3).Verify(readGolden(t, `{"cases":[{"inputs":{"x":[1,2,3,4]},"outputs":{"y":[1,2]}}]}`)))

	_, err := r.Load(fixture(t, "dynamic_output"), SessionOptions{Sample: func(*models.Layout, *models.Row) error {
		return fmt.Errorf("golden: cases[0]: input x is missing")
	}})
	wantError(t, err, "input x is missing")
}

// A graph for which zeros are no valid input cannot be probed without a sample:
// here a step of zero.
func TestATrialRunThatFailsAsksForAGolden(t *testing.T) {
	r := openRuntime(t)
	one := []int64{1}
	slice := graph(node("Slice", []string{"x", "starts", "ends", "axes", "steps"}, "y"), []tensor{
		{"x", onnxFloat, []int64{-1, 4}}, {"starts", onnxInt64, one}, {"ends", onnxInt64, one},
		{"axes", onnxInt64, one}, {"steps", onnxInt64, one}}, []tensor{{"y", onnxFloat, nil}})
	_, err := r.Load(slice, SessionOptions{})
	wantError(t, err, "trial run", "golden.json")
	s := load(t, r, slice, SessionOptions{Sample: func(l *models.Layout, row *models.Row) error {
		for name, v := range map[string]int64{"ends": 3, "axes": 1, "steps": 1} {
			row.PutInt64(l.Offset[l.Port(name)], v)
		}
		return nil
	}})
	if got := fmt.Sprint(s.FixedBatch(), s.Signature().Outputs); got != "1 [y FP32[3]]" {
		t.Errorf("signature %s", got)
	}
}

func TestGraphsThatCannotBeBatched(t *testing.T) {
	r := openRuntime(t)
	huge := []int64{-1, 1 << 28}
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"batch of 4":         {identity(onnxFloat, []int64{4, 2}, []int64{4, 2}), []string{`input "x"`, "fixed at 4", "export"}},
		"dynamic inside":     {identity(onnxFloat, []int64{-1, 3, -1}, []int64{-1, 3, -1}), []string{"dimension 2", "is dynamic", "export"}},
		"scalar":             {identity(onnxFloat, []int64{}, []int64{}), []string{"scalar without a batch dimension"}},
		"empty row":          {identity(onnxFloat, []int64{-1, 0}, []int64{-1, 0}), []string{`"x"`, "no fixed size"}},
		"no input":           {graph(node("Constant", nil, "y", floatAttribute("value_float")), nil, []tensor{{"y", onnxFloat, nil}}), []string{"0 inputs"}},
		"1 GiB row":          {identity(onnxFloat, huge, huge), []string{"over the limit"}},
		"1 GiB row, unknown": {identity(onnxFloat, huge, nil), []string{"over the limit"}},
		"sum of the batch": {graph(node("ReduceSum", []string{"x"}, "y", intAttribute("keepdims", 0)), []tensor{{"x", onnxFloat, []int64{-1, 2}}}, []tensor{{"y", onnxFloat, []int64{}}}),
			[]string{"an output without a batch dimension cannot be served"}},
		"transposed": {graph(node("Transpose", []string{"x"}, "y"), []tensor{{"x", onnxFloat, []int64{-1, 2}}}, []tensor{{"y", onnxFloat, nil}}),
			[]string{`output "y"`, "[2 1]", "needs outputs of shape [batch"}},
		"not for the batch": {graph(node("Shape", []string{"x"}, "y"), []tensor{{"x", onnxFloat, []int64{-1, 2}}}, []tensor{{"y", onnxInt64, []int64{2}}}),
			[]string{`output "y"`, "[2]", "needs outputs of shape [batch"}},
		"complex": {identity(14, []int64{-1}, []int64{-1}), []string{"cannot read the model", "complex64"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Load(c.data, SessionOptions{})
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
		data := graph(node("Add", []string{"p", "q"}, "y"), []tensor{{"p", onnxFloat, dims[0]}, {"q", onnxFloat, dims[1]}}, []tensor{{"y", onnxFloat, dynamic}})
		s := load(t, r, data, SessionOptions{})
		if s.FixedBatch() != 1 {
			t.Errorf("%v: batch %d", dims, s.FixedBatch())
		}
		ok(t, newRunner(t, s, 1).Verify(readGolden(t, `{"cases":[{"inputs":{"p":[1,2],"q":[10,20]},"outputs":{"y":[11,22]}}]}`)))
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
