package serving

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/features"
	"hotpath/models"
	"hotpath/models/onnxscan"
	"hotpath/models/repository"
	"hotpath/router"
)

// bare is a fixture as it is served without a config.yaml.
func bare(t testing.TB, name string) repository.Candidate {
	c := fixture(t, name)
	c.Config = models.DefaultConfig()
	return c
}

// newServing is a stage that serves what is added.
func newServing(t *testing.T) *stage {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.world.Start())
	return s
}

// values is the JSON of a tensor's elements by input, for requests of the tests.
type values map[string]struct {
	shape []int64
	data  string
}

func (v values) tensors(t testing.TB, sig *models.Signature) []models.Tensor {
	t.Helper()
	var out []models.Tensor
	for name, x := range v {
		// As rows of a signature whose input has the whole shape.
		whole := models.Port{Name: name}
		for _, p := range sig.Inputs {
			if p.Name == name {
				whole.DType = p.DType
			}
		}
		for _, d := range x.shape {
			whole.Shape = append(whole.Shape, int(d))
		}
		var elements []any
		dec := json.NewDecoder(strings.NewReader("[" + x.data + "]"))
		dec.UseNumber()
		ok(t, dec.Decode(&elements))
		e := models.Example{Inputs: map[string][]any{name: elements}}
		one, err := e.Tensors(&models.Signature{Inputs: []models.Port{whole}}, 1)
		ok(t, err)
		out = append(out, one...)
	}
	return out
}

// counted is a request's memory.
type counted struct{ freed atomic.Int32 }

func (c *counted) Free() { c.freed.Add(1) }

// infer sends tensors to a model's current version and gives the answer as text.
func (s *stage) infer(model string, v values) string {
	s.t.Helper()
	x := s.begin(model, "")
	memory := &counted{}
	x.Tensors.Owner = memory
	sig := s.set.Models[model].Versions[0].Served.(*served).lane.Signature
	x.Tensors.Inputs = append(x.Tensors.Inputs, v.tensors(s.t, &sig)...)
	refusal := s.pipeline.Infer(x)
	text := fmt.Sprint(refusal)
	if refusal == nil {
		text = tensorText(x.Outputs())
	}
	s.pipeline.Finish(x)
	eventually(s.t, "the request's memory is freed", func() bool { return memory.freed.Load() == 1 })
	return text
}

// tensorText shows float32, int64 and string tensors.
func tensorText(tensors []models.Tensor) string {
	var b strings.Builder
	for _, x := range tensors {
		fmt.Fprintf(&b, "%s%s", x.Name, models.ShapeText(x.Shape))
		for data := x.Data; len(data) > 0; {
			switch x.DType {
			case models.Float32:
				fmt.Fprintf(&b, " %g", math.Float32frombits(binary.LittleEndian.Uint32(data)))
				data = data[4:]
			case models.Int64:
				fmt.Fprintf(&b, " %d", int64(binary.LittleEndian.Uint64(data)))
				data = data[8:]
			default:
				var text []byte
				text, data, _ = models.CutString(data)
				fmt.Fprintf(&b, " %q", text)
			}
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// Every shape of model is served without a config.yaml: what the graph says is not
// asked for.
func TestEveryShapeIsServedUnasked(t *testing.T) {
	s := newServing(t)
	for name, c := range map[string]struct {
		send values
		want string
	}{
		"echo":           {values{"id": {[]int64{2, 1}, "1,2"}, "x": {[]int64{2, 4}, "1,1,1,1,2,2,2,2"}}, ""},
		"masked_mean":    {values{"x": {[]int64{2, 3}, "1,2,3,4,5,6"}, "mask": {[]int64{2, 3}, "1,1,0,0,0,1"}}, "mean[2] 1.5 6"},
		"outer":          {values{"a": {[]int64{1, 2}, "1,2"}, "b": {[]int64{1, 3}, "1,10,100"}}, "product[1,2,3] 1 10 100 2 20 200"},
		"scaled":         {values{"x": {[]int64{3}, "1,2,3"}, "scale": {[]int64{}, "2"}}, "y[3] 2 4 6; total[] 12"},
		"batch_of_4":     {values{"x": {[]int64{4, 4}, "1,1,1,1,2,2,2,2,3,3,3,3,4,4,4,4"}}, "y[4,1] 4 8 12 16"},
		"fixed_batch":    {values{"x": {[]int64{2, 4}, "1,1,1,1,2,2,2,2"}}, "y[2,1] 4 8"},
		"no_batch":       {values{"x": {[]int64{3}, "1,2,3"}}, "y[3] -1 -2 -3"},
		"nonzero":        {values{"x": {[]int64{6}, "0,5,0,0,5,5"}}, "index[1,3] 1 4 5"},
		"text":           {values{"words": {[]int64{1, 2}, `"a","größer"`}}, `same[1,2] "a" "größer"`},
		"strings":        {values{"word": {[]int64{3, 1}, `"red","x","blue"`}}, `same[3,1] "red" "x" "blue"; code[3,1] 1 -1 3`},
		"embedding_sum":  {values{"tokens": {[]int64{2, 2}, "1,2,7,7"}}, "sum[2,3] 3 30 300 14 140 1400"},
		"dynamic_output": {values{"x": {[]int64{2, 4}, "1,2,3,4,5,6,7,8"}}, "y[2,2] 1 2 5 6"},
	} {
		t.Run(name, func(t *testing.T) {
			candidate := bare(t, name)
			_, err := onnxscan.Scan(candidate.Data, onnxscan.DefaultLimits())
			ok(t, err)
			ok(t, s.add(name, s.load(candidate)))
			if got := s.infer(name, c.send); c.want != "" && got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// A model without a batch dimension, and of one size, has rows all the same: the
// whole of it is one.
func TestAWholeModelPredicts(t *testing.T) {
	s := newServing(t)
	c := bare(t, "scaled")
	c.Config.Prediction = models.Prediction{Output: "total"}
	c.Config.Inputs = []models.InputBinding{{Name: "x", Features: []string{"a", "b", "c"}}}
	ok(t, s.add("scaled", s.load(c)))
	lane := s.set.Models["scaled"].Versions[0].Served.(*served).lane
	if lane.Signature.Batched || lane.In == nil || len(lane.Features) != 4 {
		t.Fatalf("%+v", lane)
	}
	for range 3 {
		e := s.begin("scaled", "")
		for i, name := range []string{"a", "b", "c", "scale"} {
			e.Request.Features = append(e.Request.Features, models.Value{Key: []byte(name), Kind: models.KindNumber, Raw: []byte{byte('1' + i)}})
		}
		if refusal := s.pipeline.Predict(e); refusal != nil {
			t.Fatal(refusal)
		}
		if got := e.Out().Float32(lane.Out.Offset[1]); got != 24 {
			t.Errorf("(1+2+3) x 4 is %v", got)
		}
		s.pipeline.Finish(e)
	}
}

// Where sizes vary there are no rows to predict with.
func TestAModelOfVaryingSizesTakesTensorsAlone(t *testing.T) {
	s := newServing(t)
	ok(t, s.add("masked_mean", s.load(bare(t, "masked_mean"))))
	lane := s.set.Models["masked_mean"].Versions[0].Served.(*served).lane
	if lane.In != nil || lane.Out != nil || lane.View != nil || !lane.Signature.Batched || lane.Prediction.Port != -1 {
		t.Errorf("%+v", lane)
	}
	e := s.begin("masked_mean", "")
	defer s.pipeline.Finish(e)
	if refusal := s.pipeline.Predict(e); refusal == nil || refusal.Code != router.BadRequest {
		t.Errorf("%v", refusal)
	}
}

// The config fixes what the graph leaves open, and then there are rows.
func TestSizesFixedByTheConfig(t *testing.T) {
	s := newServing(t)
	c := bare(t, "masked_mean")
	c.Config.Inputs = []models.InputBinding{{Name: "x", Shape: []int{2}, Features: []string{"a", "b"}}, {Name: "mask", Shape: []int{2}}}
	ok(t, s.add("masked_mean", s.load(c)))
	lane := s.set.Models["masked_mean"].Versions[0].Served.(*served).lane
	if lane.In == nil || lane.In.Ports[0].Width() != 2 || len(lane.Features) != 3 {
		t.Fatalf("%+v", lane)
	}
	if got := s.infer("masked_mean", values{"x": {[]int64{1, 2}, "1,3"}, "mask": {[]int64{1, 2}, "1,1"}}); got != "mean[1] 2" {
		t.Error(got)
	}
	if got := s.infer("masked_mean", values{"x": {[]int64{1, 3}, "1,3,3"}, "mask": {[]int64{1, 2}, "1,1"}}); !strings.Contains(got, "inputs.x: has shape [1,3]; the model needs [-1,2]") {
		t.Error(got)
	}
}

func TestAFixedBatchIsPadded(t *testing.T) {
	s := newServing(t)
	c := bare(t, "batch_of_4")
	c.Config.PadBatch = true
	ok(t, s.add("batch_of_4", s.load(c)))
	for rows, want := range map[int64]string{1: "y[1,1] 4", 2: "y[2,1] 4 4", 6: "y[6,1] 4 4 4 4 4 4"} {
		ones := strings.TrimSuffix(strings.Repeat("1,", int(4*rows)), ",")
		if got := s.infer("batch_of_4", values{"x": {[]int64{rows, 4}, ones}}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if stats := s.set.Models["batch_of_4"].Versions[0].Served.(*served).batcher.Stats(); stats.MaxRows != 4 {
		t.Errorf("%+v", stats)
	}
}

func TestNoBatchWhereTheConfigSaysSo(t *testing.T) {
	s := newServing(t)
	c := bare(t, "masked_mean")
	c.Config.MaxBatchSize = 0
	ok(t, s.add("masked_mean", s.load(c)))
	got := s.set.Models["masked_mean"].Versions[0].Served.(*served)
	if got.lane.Signature.Batched || got.batcher.Stats().MaxRows != 1 || got.guard.State().MaxConcurrent != 257 {
		t.Errorf("%+v %+v", got.lane.Signature, got.guard.State())
	}
	if got := s.infer("masked_mean", values{"x": {[]int64{2, 2}, "1,3,5,5"}, "mask": {[]int64{2, 2}, "1,1,0,1"}}); got != "mean[2] 2 5" {
		t.Error(got)
	}
}

// Requests of different lengths, many at once: ragged ones share runs, and every
// answer is the request's own.
func TestRaggedRequestsShareRuns(t *testing.T) {
	s := newServing(t)
	c := bare(t, "embedding_sum")
	c.Config.Inputs = []models.InputBinding{{Name: "tokens", Ragged: true, Pad: 0}}
	c.Config.MaxQueueDelay = 20 * time.Millisecond
	ok(t, s.add("embedding_sum", s.load(c)))
	var callers sync.WaitGroup
	const n = 32
	for i := range n {
		callers.Go(func() {
			tokens := strings.TrimSuffix(strings.Repeat("1,", i%7+1), ",")
			want := fmt.Sprintf("sum[1,3] %d %d %d", i%7+1, 10*(i%7+1), 100*(i%7+1))
			if got := s.infer("embedding_sum", values{"tokens": {[]int64{1, int64(i%7 + 1)}, tokens}}); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	callers.Wait()
	if runs := s.metric("hotpath_batch_size", nil); runs == 0 || runs > n/2 {
		t.Errorf("%v runs for %d requests", runs, n)
	}
}

func TestWhatIsRefusedOfVaryingSizes(t *testing.T) {
	s := newServing(t)
	golden := func(text string) func(*repository.Candidate) {
		return func(c *repository.Candidate) {
			g, err := models.ReadGolden(strings.NewReader(text))
			ok(t, err)
			c.Golden = g
		}
	}
	for name, c := range map[string]struct {
		fixture string
		change  func(*repository.Candidate)
		want    []string
	}{
		"features": {"masked_mean", func(c *repository.Candidate) {
			c.Config.Inputs = []models.InputBinding{{Name: "x", Features: []string{"a"}}}
		}, []string{"inputs[0].features", "input x has shape [-1,-1]", "inputs[].shape"}},
		"features, an output varies": {"nonzero", func(c *repository.Candidate) {
			c.Config.Inputs = []models.InputBinding{{Name: "x", Features: []string{"a"}}}
		}, []string{"inputs[0].features", "output index has shape [1,-1]", "leave it out"}},
		"another shape": {"masked_mean", func(c *repository.Candidate) {
			c.Config.Inputs = []models.InputBinding{{Name: "x", Shape: []int{2, 2}}}
		}, []string{`input "x"`, "inputs[].shape is [2 2]"}},
		"ragged of one size": {"echo", func(c *repository.Candidate) { c.Config.Inputs = []models.InputBinding{{Name: "x", Ragged: true}} },
			[]string{"inputs[0].ragged", "one size"}},
		"a pad that does not fit": {"embedding_sum", func(c *repository.Candidate) {
			c.Config.Inputs = []models.InputBinding{{Name: "tokens", Ragged: true, Pad: 0.5}}
		}, []string{"inputs[0].pad", "want an integer"}},
		"prediction":      {"masked_mean", func(c *repository.Candidate) { c.Config.Prediction.Output = "mean" }, []string{"prediction.output", "fixed size"}},
		"static answer":   {"masked_mean", func(c *repository.Candidate) { c.Config.Fallback = map[string][]any{"mean": {1}} }, []string{"fallback", "fixed size"}},
		"wrong golden":    {"masked_mean", golden(`{"cases":[{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[7]}}]}`), []string{"golden: cases[0]", "want 7, got 2"}},
		"golden together": {"masked_mean", golden(`{"cases":[{"inputs":{"x":[1,3],"mask":[1,1]},"outputs":{"mean":[2]}},{"inputs":{"x":[1,3],"mask":[1,0]},"outputs":{"mean":[2]}}]}`), []string{"golden: cases[1]", "want 2, got 1"}},
		"a warm-up that fails": {"embedding_sum", func(c *repository.Candidate) {
			c.Config.Warmup = []models.WarmupSample{{Name: "beyond", Inputs: map[string][]any{"tokens": {9}}}}
		}, []string{`warm-up sample "beyond"`}},
		"a warm-up that fits not": {"embedding_sum", func(c *repository.Candidate) {
			c.Config.Warmup = []models.WarmupSample{{Name: "what", Inputs: map[string][]any{"token": {9}}}}
		}, []string{"warmup[0]", `no input "token"`}},
		"nothing to pad": {"echo", func(c *repository.Candidate) { c.Config.PadBatch = true }, []string{"pad_batch"}},
	} {
		t.Run(name, func(t *testing.T) {
			candidate := bare(t, c.fixture)
			c.change(&candidate)
			got, err := s.loader.Load(context.Background(), candidate)
			if got != nil {
				t.Error("it was loaded")
			}
			wantError(t, err, c.want...)
		})
	}
	ok(t, s.loader.Wait(context.Background()))
}

func TestGoldenAndWarmUpOfVaryingSizes(t *testing.T) {
	s := newServing(t)
	c := bare(t, "outer")
	g, err := models.ReadGolden(strings.NewReader(`{"cases":[{"inputs":{"a":[1,2],"b":[3]},"outputs":{"product":[3,6]},"shapes":{"product":[2,1]}}]}`))
	ok(t, err)
	c.Golden = g
	c.Config.Warmup = []models.WarmupSample{{Name: "long", Rows: 8, Count: 2, Random: true, Shapes: map[string][]int{"a": {100}, "b": {50}}}}
	ok(t, s.add("outer", s.load(c)))
}

// The estimate is the weights and what is made around them, and not zero.
func TestMemoryOfAVersion(t *testing.T) {
	s := newServing(t)
	weights := modelFile(t, "..", "bench", "testdata", "repository", "mlp", "1", "model.onnx")
	c := repository.Candidate{Model: "mlp", Version: 1, Config: models.DefaultConfig(), Data: weights}
	got := s.load(c).Served.(*served)
	defer got.Close()
	if m := got.info.MemoryBytes; m < int64(len(weights))/2 || m > 20*int64(len(weights))+64<<20 {
		t.Errorf("a file of %d bytes takes %d", len(weights), m)
	}
	t.Logf("a file of %d bytes takes %d", len(weights), got.info.MemoryBytes)
}

// What is measured at the same time as another is not believed.
func TestAMeterKnowsWhenItIsNotAlone(t *testing.T) {
	var m meter
	inner, err := int64(0), error(nil)
	outer, _ := m.measure(7, func() error {
		inner, err = m.measure(8, func() error { return context.Canceled })
		return nil
	})
	if inner != 8 || outer != 7 || err != context.Canceled {
		t.Errorf("%d %d %v", inner, outer, err)
	}
	if alone, err := m.measure(9, func() error { return nil }); alone == 9 || err != nil {
		t.Errorf("alone: %d %v", alone, err)
	}
}
