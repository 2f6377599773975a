package promotion

import (
	"strings"
	"testing"
	"time"

	"hotpath/models"
)

func TestDifferences(t *testing.T) {
	t.Parallel()
	port := func(name string, d models.DType, shape ...int) models.Port {
		return models.Port{Name: name, DType: d, Shape: append([]int{}, shape...)}
	}
	base := models.Signature{Batched: true, Inputs: []models.Port{port("x", models.Float32, 30)}, Outputs: []models.Port{port("p", models.Float32, 2), port("l", models.Int64)}}
	with := func(edit func(s *models.Signature)) models.Signature {
		s := models.Signature{Batched: true, Inputs: append([]models.Port{}, base.Inputs...), Outputs: append([]models.Port{}, base.Outputs...)}
		edit(&s)
		return s
	}
	for name, c := range map[string]struct {
		next    models.Signature
		partial bool
		want    string
	}{
		"same":           {base, false, ""},
		"added output":   {with(func(s *models.Signature) { s.Outputs = append(s.Outputs, port("q", models.Float32)) }), false, ""},
		"other order":    {with(func(s *models.Signature) { s.Outputs[0], s.Outputs[1] = s.Outputs[1], s.Outputs[0] }), false, ""},
		"gone output":    {with(func(s *models.Signature) { s.Outputs = s.Outputs[:1] }), false, "output l INT64[] is gone"},
		"new input":      {with(func(s *models.Signature) { s.Inputs = append(s.Inputs, port("z", models.Int64, 1)) }), false, "input z INT64[1] is new"},
		"renamed input":  {with(func(s *models.Signature) { s.Inputs[0] = port("y", models.Float32, 30) }), false, "input x FP32[30] is gone; input y FP32[30] is new"},
		"other type":     {with(func(s *models.Signature) { s.Inputs[0] = port("x", models.Float64, 30) }), false, "input x was FP32[30] and is FP64[30]"},
		"other shape":    {with(func(s *models.Signature) { s.Inputs[0] = port("x", models.Float32, 31) }), true, "input x was FP32[30] and is FP32[31]"},
		"open shape":     {with(func(s *models.Signature) { s.Inputs[0] = port("x", models.Float32, -1) }), true, ""},
		"no shape":       {with(func(s *models.Signature) { s.Outputs[0].Shape = nil }), true, ""},
		"open in memory": {with(func(s *models.Signature) { s.Inputs[0] = port("x", models.Float32, -1) }), false, "input x was FP32[30] and is FP32[-1]"},
		"no batch":       {with(func(s *models.Signature) { s.Batched = false }), false, "a batch dimension"},
	} {
		got := strings.Join(Differences(base, c.next, c.partial), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	h := Health{Runs: 100, Bounds: []time.Duration{ms, 2 * ms, 4 * ms}, UpTo: []uint64{50, 90, 100}}
	for q, want := range map[float64]time.Duration{.5: ms, .9: 2 * ms, .95: 3 * ms, 1: 4 * ms, .25: ms / 2} {
		if got := h.quantile(q); got != want {
			t.Errorf("%v: %s, want %s", q, got, want)
		}
	}
	h.UpTo = []uint64{0, 0, 0} // all above the last bound
	if got := h.quantile(.99); got != 4*ms {
		t.Errorf("%s", got)
	}
	before := Health{Runs: 40, Bounds: h.Bounds, UpTo: []uint64{40, 40, 40}, Requests: 7}
	after := Health{Runs: 100, Bounds: h.Bounds, UpTo: []uint64{50, 90, 100}, Requests: 3}
	if d := after.since(before); d.Runs != 60 || d.UpTo[0] != 10 || d.UpTo[2] != 60 || d.Requests != 0 {
		t.Errorf("%+v", d)
	}
}

// TestLittleIsNoProof: a few slow runs or one failure early in the watch decide nothing.
func TestLittleIsNoProof(t *testing.T) {
	t.Parallel()
	r := quick()
	before := Health{Runs: 10000, RunTime: 10 * time.Second}
	for name, h := range map[string]Health{
		"nothing":        {},
		"one failure":    {Requests: 10, Failed: 1},
		"few slow runs":  {Runs: 50, RunTime: time.Second},
		"quick anyway":   {Runs: 1000, RunTime: 1400 * time.Millisecond},
		"below the rate": {Requests: 1000, Failed: 20, NonFinite: 20, Runs: 1000, RunErrors: 20},
	} {
		if err := r.judge(h, before, false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tail := Health{Runs: 1000, RunTime: time.Second, Bounds: []time.Duration{time.Millisecond, 100 * time.Millisecond}, UpTo: []uint64{980, 1000}}
	steady := Health{Runs: 1000, RunTime: time.Second, Bounds: tail.Bounds, UpTo: []uint64{1000, 1000}}
	if err := r.judge(tail, steady, false); err == nil || !strings.Contains(err.Error(), "the p99 of a run") {
		t.Error(err)
	}
}
