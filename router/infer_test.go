package router_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/routertest"
)

// freed counts how often a request's memory was given back.
type freed struct{ times atomic.Int32 }

func (f *freed) Free() { f.times.Add(1) }

// awaitFree fails unless the memory is freed exactly once, and soon: a worker may
// hold it a moment longer than the request.
func awaitFree(t *testing.T, f *freed) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); f.times.Load() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := f.times.Load(); n != 1 {
		t.Errorf("the request's memory was freed %d times", n)
	}
}

// tensors are the inputs of a fake model for the rows first, first+1, ...
func tensors(first int64, rows int) []models.Tensor {
	var id, version, x []byte
	for i := range rows {
		id = binary.LittleEndian.AppendUint64(id, uint64(first+int64(i)))
		version = binary.LittleEndian.AppendUint64(version, 7)
		x = binary.LittleEndian.AppendUint64(x, math.Float64bits(float64(i)))
		x = binary.LittleEndian.AppendUint64(x, math.Float64bits(0.5))
	}
	return []models.Tensor{ // not in the model's order
		{Name: "x", DType: models.Float64, Shape: []int64{int64(rows), 2}, Data: x},
		{Name: "id", DType: models.Int64, Shape: []int64{int64(rows)}, Data: id},
		{Name: "version", DType: models.Int64, Shape: []int64{int64(rows)}, Data: version},
	}
}

// infer sends a request and gives the ids answered and the lane's version.
func infer(t *testing.T, p *router.Pipeline, fill func(x *router.Exchange)) (ids []int64, lane int, refusal *router.Error) {
	t.Helper()
	x, refusal := p.Begin()
	if refusal != nil {
		return nil, 0, refusal
	}
	owner := &freed{}
	defer awaitFree(t, owner)
	defer p.Finish(x)
	x.Until = time.Now().Add(far)
	x.Tensors.Owner = owner
	fill(x)
	if refusal = p.Infer(x); refusal != nil {
		return nil, 0, refusal
	}
	out := x.Outputs()
	if len(out) != 3 || out[0].Name != "id" || out[2].Name != "x" {
		t.Fatalf("outputs are %+v", out)
	}
	for d := out[0].Data; len(d) > 0; d = d[8:] {
		ids = append(ids, int64(binary.LittleEndian.Uint64(d)))
	}
	if n, ok := models.Elements(out[2].Shape); !ok || n != 2*len(ids) || len(out[2].Data) != 8*n {
		t.Errorf("x has shape %v and %d bytes for %d rows", out[2].Shape, len(out[2].Data), len(ids))
	}
	return ids, x.Lane.Version, nil
}

func TestTensorsAreScoredWhole(t *testing.T) {
	r := rig(t)
	r.Serve(abtest.Config{}, r.Version("risk", 1))
	for _, rows := range []int{1, 2, 8, 9, 100} { // the fake's batches hold 8
		ids, _, err := infer(t, r.Pipeline, func(x *router.Exchange) { x.Tensors.Inputs = tensors(40, rows) })
		if err != nil || len(ids) != rows {
			t.Fatalf("%d rows: %v, %d answers", rows, err, len(ids))
		}
		for i, id := range ids {
			if id != 40+int64(i) {
				t.Errorf("%d rows: row %d is answered as %d", rows, i, id)
			}
		}
	}
}

func TestTensorsAndRowsShareRuns(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	r.Serve(abtest.Config{}, v)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if i%2 == 0 {
				if got := predict(t, r.Pipeline, ask{user: "u", features: []models.Value{routertest.Feature("id", "7")}}); got.id != 7 {
					t.Errorf("got %+v", got)
				}
				return
			}
			first := int64(1000 * i)
			ids, _, err := infer(t, r.Pipeline, func(x *router.Exchange) { x.Tensors.Inputs = tensors(first, 3) })
			if err != nil || len(ids) != 3 || ids[0] != first || ids[2] != first+2 {
				t.Errorf("%v %v", ids, err)
			}
		})
	}
	wg.Wait()
}

func TestTensorsAreChecked(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	r.Serve(abtest.Config{}, v)
	for name, c := range map[string]struct {
		change func(in []models.Tensor) []models.Tensor
		field  string
		text   string
	}{
		"missing":      {func(in []models.Tensor) []models.Tensor { return in[1:] }, "inputs.x", "FP64 [-1,2]"},
		"unknown":      {func(in []models.Tensor) []models.Tensor { in[0].Name = "y"; return in }, "inputs.y", "it has id, version, x"},
		"twice":        {func(in []models.Tensor) []models.Tensor { return append(in, in[0]) }, "inputs.x", "twice"},
		"type":         {func(in []models.Tensor) []models.Tensor { in[0].DType = models.Float32; return in }, "inputs.x", "is FP32; the model needs FP64"},
		"shape":        {func(in []models.Tensor) []models.Tensor { in[0].Shape = []int64{2, 3}; return in }, "inputs.x", "[2,3]"},
		"rank":         {func(in []models.Tensor) []models.Tensor { in[0].Shape = []int64{4}; return in }, "inputs.x", "needs [-1,2]"},
		"rows":         {func(in []models.Tensor) []models.Tensor { in[1].Shape = []int64{3}; return in }, "inputs.version", "2 rows where another input has 3"},
		"no rows":      {func(in []models.Tensor) []models.Tensor { in[0].Shape = []int64{0, 2}; return in }, "inputs.x", "holds no rows"},
		"no dimension": {func(in []models.Tensor) []models.Tensor { in[1].Shape = nil; return in }, "inputs.id", "no batch dimension"},
	} {
		_, _, err := infer(t, r.Pipeline, func(x *router.Exchange) { x.Tensors.Inputs = c.change(tensors(1, 2)) })
		if err == nil || err.Code != router.BadRequest || err.Field != c.field || !strings.Contains(err.Message, c.text) {
			t.Errorf("%s: got %v, want field %s and %q", name, err, c.field, c.text)
		}
	}
	if n := len(v.Runner.Runs()); n != 0 {
		t.Errorf("%d runs for requests that are wrong", n)
	}
}

func TestTensorsFindTheirVersion(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	e := split("risk", 0, 100)
	e.Variants[1].Version = 1
	s, err := r.Snapshot("", config(e), v1, v2)
	if err != nil {
		t.Fatal(err)
	}
	r.Pipeline.Swap(s)
	for name, c := range map[string]struct {
		version, user string
		lane          int
	}{
		"current":             {"", "", 2},
		"by number":           {"1", "", 1},
		"assigned":            {"", "user-1", 1},
		"number before split": {"2", "user-1", 2},
	} {
		_, lane, err := infer(t, r.Pipeline, func(x *router.Exchange) {
			x.Tensors.Inputs, x.Tensors.Version, x.Request.UserID = tensors(1, 1), []byte(c.version), []byte(c.user)
		})
		if err != nil || lane != c.lane {
			t.Errorf("%s: version %d, %v; want %d", name, lane, err, c.lane)
		}
	}
	for _, version := range []string{"3", "stable", "1x", "-1"} {
		_, _, err := infer(t, r.Pipeline, func(x *router.Exchange) {
			x.Tensors.Inputs, x.Tensors.Version = tensors(1, 1), []byte(version)
		})
		if err == nil || err.Code != router.UnknownModel || err.Field != "version" {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

func TestTensorsFallBackToTheOtherVariant(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	v2.Runner.OnRun = func(int) error { return errors.New("broken") }
	e := split("risk", 0, 100)
	e.Fallback = "control"
	r.Serve(config(e), v1, v2)
	_, lane, err := infer(t, r.Pipeline, func(x *router.Exchange) {
		x.Tensors.Inputs, x.Request.UserID = tensors(1, 2), []byte("user-1")
	})
	if err != nil || lane != 1 {
		t.Errorf("version %d, %v; want the fallback's", lane, err)
	}
}

func TestTensorsLeftAtTheDeadlineAreFreedAfterTheRun(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	release := make(chan struct{})
	v.Runner.OnRun = func(int) error { <-release; return nil }
	r.Serve(abtest.Config{}, v)
	owner := &freed{}
	x, refusal := r.Pipeline.Begin()
	if refusal != nil {
		t.Fatal(refusal)
	}
	x.Until = time.Now().Add(20 * time.Millisecond)
	x.Tensors.Inputs, x.Tensors.Owner = tensors(1, 20), owner
	if err := r.Pipeline.Infer(x); err == nil || err.Code != router.Deadline {
		t.Errorf("got %v", err)
	}
	r.Pipeline.Finish(x)
	if n := owner.times.Load(); n != 0 {
		t.Error("the memory was freed under a run")
	}
	close(release)
	awaitFree(t, owner)
}

func TestRowsAreRefusedByAModelOfTensors(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	v.Lane.In, v.Lane.Out, v.Lane.View = nil, nil, nil
	r.Serve(abtest.Config{}, v)
	if got := predict(t, r.Pipeline, ask{user: "u"}); got.code() != "bad_request" || !strings.Contains(got.err.Message, "/infer") {
		t.Errorf("got %+v", got.err)
	}
}

func BenchmarkInferOneRow(b *testing.B) {
	r := routertest.NewRig(b, routertest.Options())
	r.Serve(abtest.Config{}, r.Version("risk", 1))
	in := tensors(1, 1)
	b.ReportAllocs()
	for b.Loop() {
		x, _ := r.Pipeline.Begin()
		x.Until = time.Now().Add(far)
		x.Tensors.Inputs = append(x.Tensors.Inputs[:0], in...)
		if err := r.Pipeline.Infer(x); err != nil {
			b.Fatal(err)
		}
		r.Pipeline.Finish(x)
	}
}
