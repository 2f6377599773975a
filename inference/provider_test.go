package inference

import (
	"errors"
	"testing"
)

// The CPU build of ONNX Runtime, or a machine without a GPU, refuses CUDA with a
// message that says what to do, and serves on the CPU where that is allowed.
func TestCUDAThatIsNotThere(t *testing.T) {
	r := openRuntime(t)
	data := fixture(t, "f64")
	_, err := r.Load(t.Context(), data, SessionOptions{Provider: CUDA, MemoryLimitMiB: 64})
	if err == nil {
		return // this machine has one: its own tests are those of the device
	}
	if !errors.Is(err, ErrNoProvider) {
		t.Fatalf("%v is not ErrNoProvider", err)
	}
	wantError(t, err, "execution provider not available", "cuda", "on_missing: cpu")

	s := load(t, r, data, SessionOptions{Provider: CUDA, FallbackToCPU: true})
	if s.Provider() != CPU {
		t.Errorf("runs on %s", s.Provider())
	}
	run := newRunner(t, s, 1, 2)
	if run.NeedsThread() {
		t.Error("a runner on the CPU wants a thread of its own")
	}
	ok(t, run.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[1,2,3]},"outputs":{"y":[2,4,6]}}]}`), nil))
}

// The texts are those of ONNX Runtime for cudaErrorNoDevice and so on.
func TestDeviceMissing(t *testing.T) {
	for text, want := range map[string]bool{
		"CUDA failure 100: no CUDA-capable device is detected ; GPU=0 ; expr=cudaSetDevice(info_.device_id);": true,
		"CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=0":               true,
		"CUDA failure 101: invalid device ordinal ; GPU=0 ; expr=cudaSetDevice(info_.device_id);":             false,
		"CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, size);":                          false,
		"Load model failed: Fatal error: example.custom:Op(-1) is not a registered function/op":               false,
	} {
		if got := deviceMissing(errors.New(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if deviceMissing(nil) {
		t.Error("no error is one")
	}
}
