//go:build linux

package inference

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"hotpath/models"
)

// Loading and closing a model again and again, as hot swaps do, must not grow
// the process.
func TestReloadsLeaveNoMemoryBehind(t *testing.T) {
	r := openRuntime(t)
	data, err := os.ReadFile("../bench/testdata/repository/mlp/1/model.onnx")
	ok(t, err)
	reload := func(times int) {
		for range times {
			s, err := r.Load(t.Context(), data, SessionOptions{})
			ok(t, err)
			run, err := s.NewRunner([]int{1, 8, 64})
			ok(t, err)
			ok(t, run.Verify(t.Context(), nil, nil))
			ok(t, run.Close())
			ok(t, s.Close())
		}
	}
	reload(40)
	before := residentKiB(t)
	reload(200)
	after := residentKiB(t)
	t.Logf("model of %d KiB; resident %d KiB, after 200 reloads %d KiB", len(data)>>10, before, after)
	// A leak of one model each time would be 200 times its size.
	if grown, bound := after-before, 16<<10; grown > bound {
		t.Errorf("200 reloads grew the process by %d KiB, more than %d", grown, bound)
	}
}

// A closed model's memory goes back to the system at once, and does not wait in
// the allocator for the next model.
func TestAClosedModelGivesItsMemoryBack(t *testing.T) {
	r := openRuntime(t)
	data := matrixModel(2048, 2560)
	before := residentKiB(t)
	for range 5 {
		s, err := r.Load(t.Context(), data, SessionOptions{})
		ok(t, err)
		run, err := s.NewRunner([]int{1, 8})
		ok(t, err)
		ok(t, run.Verify(t.Context(), nil, nil))
		ok(t, run.Close())
		ok(t, s.Close())
	}
	after, size := residentKiB(t), len(data)>>10
	t.Logf("model of %d KiB; resident %d KiB, after 5 reloads %d KiB", size, before, after)
	// Without giving back it would be more than six times the model; the bound
	// leaves room for what the allocators of C and Go keep for themselves.
	if after-before > 4*size {
		t.Errorf("a model of %d KiB left %d KiB behind", size, after-before)
	}
}

// Runs of tensors, those that fail and those whose outputs are refused included,
// leave nothing in C's memory, and neither do loads that are refused.
func TestRunsOfTensorsLeaveNoMemoryBehind(t *testing.T) {
	r := openRuntime(t)
	mean := newTensorRunner(t, load(t, r, fixture(t, "masked_mean"), SessionOptions{}), 8)
	text := newTensorRunner(t, load(t, r, fixture(t, "text"), SessionOptions{}), 8)
	rank := identity(onnxFloat, nil, nil)
	once := func() {
		run(t, mean, floats("x", dims{2, 2}, 1, 2, 3, 4), ints("mask", dims{2, 2}, 1, 1, 0, 1))
		run(t, text, texts("words", dims{1, 2}, "a", strings.Repeat("long", 100)))
		_, err := mean.RunTensors([]models.Tensor{floats("x", dims{1, 2}, 1, 2), ints("mask", dims{1, 3}, 1, 1, 1)})
		wantError(t, err, "Mul")
		_, err = mean.RunTensors([]models.Tensor{floats("x", dims{1, 2}, 1), ints("mask", dims{1, 2}, 1, 1)})
		wantError(t, err, "not enough space")
	}
	refused := func() {
		_, err := r.Load(t.Context(), rank, SessionOptions{})
		wantError(t, err, "does not declare its shape")
	}
	for range 20 {
		once()
		refused()
	}
	before := AllocatedBytes()
	for range 3000 {
		once()
	}
	for range 100 {
		refused()
	}
	if grown := AllocatedBytes() - before; grown > 64<<10 {
		t.Errorf("%d bytes were left behind", grown)
	}
}

// matrixModel multiplies a row by a matrix of zeros.
func matrixModel(rows, columns uint64) []byte {
	w := number(number(number(nil, 1, rows), 1, columns), 2, onnxFloat)
	w = field(field(w, 8, []byte("w")), 9, make([]byte, 4*rows*columns))
	g := field(field(nil, 1, node("MatMul", []string{"x", "w"}, "y")), 2, []byte("g"))
	g = field(g, 5, w)
	g = field(g, 11, tensor{"x", onnxFloat, []int64{-1, int64(rows)}}.proto())
	g = field(g, 12, tensor{"y", onnxFloat, []int64{-1, int64(columns)}}.proto())
	return field(field(number(nil, 1, 8), 7, g), 8, number(nil, 2, 17))
}

func residentKiB(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	ok(t, err)
	_, rest, found := bytes.Cut(status, []byte("VmRSS:"))
	if !found {
		t.Fatal("no VmRSS in /proc/self/status")
	}
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	ok(t, err)
	return kib
}
