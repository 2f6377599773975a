package serving

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/features"
	"hotpath/models"
	"hotpath/router"
)

func TestStatisticsAddUp(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := newCatalog(s, nil)
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	before := time.Now()
	x := rawX(t, riskGolden(t, 2))
	const answered = 5
	for range answered {
		s.predict("risk", "u", x)
	}
	late := s.begin("risk", "u")
	late.Until = time.Now().Add(-time.Second)
	if refusal := s.pipeline.Predict(late); refusal == nil || refusal.Code != router.Deadline {
		t.Fatalf("got %v, want a deadline", refusal)
	}
	s.pipeline.Finish(late)

	all, err := c.Statistics("", "")
	refused(t, err)
	if len(all) != 2 || all[0].Version != "1" || all[1].Name != "risk" {
		t.Fatalf("got %+v", all)
	}
	if idle := all[0]; idle.InferenceCount != 0 || idle.LastInference != 0 || idle.InferenceStats.Success.Count != 0 || len(idle.BatchStats) != 0 {
		t.Errorf("a version that nobody asked: %+v", idle)
	}
	got := all[1]
	if got.InferenceCount != answered || got.ExecutionCount != answered {
		t.Errorf("%d rows in %d runs, want %d in as many", got.InferenceCount, got.ExecutionCount, answered)
	}
	i := got.InferenceStats
	for name, d := range map[string]uint64{"success": i.Success.Count, "queue": i.Queue.Count, "input": i.ComputeInput.Count, "infer": i.ComputeInfer.Count, "output": i.ComputeOutput.Count} {
		if d != answered {
			t.Errorf("%s counts %d, want %d", name, d, answered)
		}
	}
	if i.Fail.Count != 1 || i.Fail.Ns == 0 {
		t.Errorf("fail %+v, want one", i.Fail)
	}
	if parts := i.Queue.Ns + i.ComputeInput.Ns + i.ComputeInfer.Ns; i.ComputeInfer.Ns == 0 || i.Success.Ns < parts {
		t.Errorf("success %d ns is less than its parts, %d ns", i.Success.Ns, parts)
	}
	if b := got.BatchStats; len(b) != 1 || b[0].BatchSize != 1 || b[0].ComputeInfer.Count != answered || b[0].ComputeInfer.Ns == 0 {
		t.Errorf("batches %+v", got.BatchStats)
	}
	if last := time.UnixMilli(int64(got.LastInference)); last.Before(before.Truncate(time.Millisecond)) || last.After(time.Now()) {
		t.Errorf("last inference at %v", last)
	}
	if one, err := c.Statistics("risk", "1"); err != nil || len(one) != 1 || one[0].Version != "1" {
		t.Errorf("one version: %+v %v", one, err)
	}
	if model, err := c.Statistics("risk", ""); err != nil || len(model) != 2 {
		t.Errorf("one model: %+v %v", model, err)
	}
	_, err = c.Statistics("nowhere", "")
	wantRefusal(t, err, router.UnknownModel, "model", "nowhere")
	_, err = c.Statistics("", "1")
	wantRefusal(t, err, router.BadRequest, "version")
}

// A version that is loaded again begins at zero.
func TestStatisticsBeginWithTheLoad(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := newCatalog(s, nil)
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	ok(t, s.world.Start())
	s.predict("risk", "u", rawX(t, riskGolden(t, 1)))
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	got, err := c.Statistics("risk", "")
	refused(t, err)
	if len(got) != 1 || got[0].InferenceCount != 0 || got[0].InferenceStats.Success.Count != 0 {
		t.Errorf("got %+v", got)
	}
}

// A static answer is not the model's.
func TestAStaticAnswerIsAFailureOfTheModel(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := newCatalog(s, nil)
	nan := fixture(t, "nan")
	nan.Config.Fallback = map[string][]any{"y": {int64(7)}}
	ok(t, s.add("nan", s.load(nan)))
	ok(t, s.world.Start())
	x := s.begin("nan", "u")
	x.Request.Features = append(x.Request.Features, models.Value{Key: []byte("x"), Kind: models.KindArray, Raw: []byte("[1,2,3,4]")})
	refusal := s.pipeline.Predict(x)
	degraded := x.Degraded
	s.pipeline.Finish(x)
	if refusal != nil || degraded != router.DegradedStatic {
		t.Fatalf("got %v, degraded %v; want a static answer", refusal, degraded)
	}
	got, err := c.Statistics("nan", "")
	refused(t, err)
	if i := got[0].InferenceStats; i.Success.Count != 0 || i.Fail.Count != 1 || got[0].ExecutionCount != 1 {
		t.Errorf("got %+v", got[0])
	}
}

func TestSizeClasses(t *testing.T) {
	for rows := 1; rows <= 1<<16; rows++ {
		class := sizeClass(rows)
		if uint64(rows) > classSize(class) || class > 0 && uint64(rows) <= classSize(class-1) {
			t.Fatalf("%d rows are in class %d, up to %d", rows, class, classSize(class))
		}
		if rows <= exactSizes && classSize(class) != uint64(rows) {
			t.Fatalf("%d rows are counted as %d", rows, classSize(class))
		}
	}
	if sizeClass(1<<16) != numClasses-1 || sizeClass(1<<20) != numClasses-1 || sizeClass(0) != 0 {
		t.Error("sizes beyond the classes must be in the outermost")
	}
}

// BenchmarkObserveRun is what a run of a model costs in counting; sub-benchmark
// "statistics" is the part of the statistics.
func BenchmarkObserveRun(b *testing.B) {
	reg := prometheus.NewRegistry()
	r, err := router.NewMetrics(reg)
	ok(b, err)
	m, err := NewMetrics(reg)
	ok(b, err)
	v, _ := m.version("m", 1, r)
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.observe(17, 30*time.Microsecond, nil)
		}
	})
	b.Run("statistics", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.runs.add(17, 30*time.Microsecond)
		}
	})
}
