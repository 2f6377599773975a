//go:build !race

package inference

import (
	"testing"

	"hotpath/models"
)

func TestARunAllocatesNothing(t *testing.T) {
	r := openRuntime(t)
	s := load(t, r, file(t, "demo", "repository", "risk", "2", "model.onnx"), SessionOptions{})
	run := newRunner(t, s, 1, 8)
	for _, rows := range []int{1, 5, 8} {
		got := testing.AllocsPerRun(200, func() {
			if err := run.Run(rows); err != nil {
				t.Fatal(err)
			}
		})
		if got > 0 {
			t.Errorf("%d rows: %v allocations", rows, got)
		}
	}
}

func TestARunOfTensorsAllocatesNothing(t *testing.T) {
	r := openRuntime(t)
	mean := newTensorRunner(t, load(t, r, fixture(t, "masked_mean"), SessionOptions{}), 8)
	text := newTensorRunner(t, load(t, r, fixture(t, "text"), SessionOptions{}), 8)
	misaligned := floats("x", dims{1, 3}, 1, 2, 3)
	misaligned.Data = append([]byte{0}, misaligned.Data...)[1:]
	for name, c := range map[string]struct {
		r  *TensorRunner
		in []models.Tensor
	}{
		"numbers":    {mean, []models.Tensor{floats("x", dims{1, 3}, 1, 2, 3), ints("mask", dims{1, 3}, 1, 1, 0)}},
		"misaligned": {mean, []models.Tensor{misaligned, ints("mask", dims{1, 3}, 1, 1, 0)}},
		"strings":    {text, []models.Tensor{texts("words", dims{1, 3}, "a", "", "long enough not to be kept in place")}},
	} {
		got := testing.AllocsPerRun(200, func() {
			if _, err := c.r.RunTensors(c.in); err != nil {
				t.Fatal(err)
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
