//go:build !race

package inference

import "testing"

// What is left are the slices and handles that the binding makes for each call:
// two lists of values, and one handle for each input and output.
func TestAllocationsOfARun(t *testing.T) {
	r := openRuntime(t)
	s := load(t, r, file(t, "demo", "repository", "risk", "2", "model.onnx"), SessionOptions{})
	run := newRunner(t, s, 1, 8)
	in, out := s.Layouts()
	ceiling := float64(2 + len(in.Ports) + len(out.Ports))
	for _, rows := range []int{1, 5, 8} {
		got := testing.AllocsPerRun(200, func() {
			if err := run.Run(rows); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%d rows: %v allocations", rows, got)
		if got > ceiling {
			t.Errorf("%d rows: %v allocations, more than %v", rows, got, ceiling)
		}
	}
}
