package serving

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"hotpath/features"
	"hotpath/inference"
	"hotpath/models"
	"hotpath/models/repository"
	"hotpath/router"
)

func TestALaneOfAVersion(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := risk(t, "risk", 7, 2)
	c.Config.Fallback = map[string][]any{"label": {0}, "probabilities": {0.5, 0.5}}
	c.Config.Features = models.FeaturesRequired
	c.Config.Instances = 2
	got := s.load(c).Served.(*served)
	defer got.Close()
	lane := got.lane
	if lane.Model != "risk" || lane.Version != 7 || !lane.FeaturesRequired || lane.Prediction != (router.Prediction{Port: lane.Out.Port("probabilities"), Element: 1}) {
		t.Errorf("%+v", lane)
	}
	if lane.Static == nil || lane.Static.Float32(lane.Out.Offset[lane.Out.Port("probabilities")]) != 0.5 {
		t.Errorf("static answer %v", lane.Static)
	}
	// The bulkhead lets a full queue and full batches through: 4 x 8 + 2 x 8.
	if state := got.guard.State(); state.Name != "model:risk/7" || state.MaxConcurrent != 48 {
		t.Errorf("%+v", state)
	}
	if got.info.Provider != inference.CPU || len(got.info.Signature.Outputs) != 2 || !slices.Equal(got.info.Features, []string{"X"}) {
		t.Errorf("%+v", got.info)
	}
	if stats := got.batcher.Stats(); stats.Runners != 2 {
		t.Errorf("%+v", stats)
	}
	s.loader.RequireFeatures = true
	bare := fixture(t, "f64")
	other := s.load(bare).Served.(*served)
	defer other.Close()
	if !other.lane.FeaturesRequired || other.lane.Prediction.Port != -1 || other.lane.Static != nil || other.lane.SameInputs == lane.SameInputs {
		t.Errorf("%+v", other.lane)
	}
}

// Lanes whose rows are filled alike are told by SameInputs.
func TestSameInputs(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	one, two := s.load(risk(t, "risk", 1, 1)).Served.(*served), s.load(risk(t, "risk", 2, 2)).Served.(*served)
	bound := fixture(t, "f64")
	bound.Config.Inputs = []models.InputBinding{{Name: "x", Features: []string{"a", "b", "c"}}}
	free := s.load(fixture(t, "f64")).Served.(*served)
	named := s.load(bound).Served.(*served)
	if one.lane.SameInputs != two.lane.SameInputs || free.lane.SameInputs == named.lane.SameInputs {
		t.Errorf("%q %q %q %q", one.lane.SameInputs, two.lane.SameInputs, free.lane.SameInputs, named.lane.SameInputs)
	}
	for _, l := range []*served{one, two, free, named} {
		l.Close()
	}
}

func TestWhatIsRefusedAtLoad(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	for name, c := range map[string]struct {
		change func(*repository.Candidate)
		want   []string
	}{
		"garbage":         {func(c *repository.Candidate) { c.Data = []byte("garbage") }, []string{"cannot read the model"}},
		"wrong golden":    {func(c *repository.Candidate) { c.Golden.Cases[0].Outputs["label"][0] = json.Number("5") }, []string{"golden: cases[0]: output label"}},
		"unknown input":   {func(c *repository.Candidate) { c.Config.Inputs = []models.InputBinding{{Name: "Y"}} }, []string{`the model has no input "Y"`}},
		"unknown output":  {func(c *repository.Candidate) { c.Config.Outputs = []string{"score"} }, []string{`no output "score"`, "label, probabilities"}},
		"no such element": {func(c *repository.Candidate) { *c.Config.Prediction.Index = 2 }, []string{"prediction.index", "outside 0 to 1"}},
		"unknown feature": {func(c *repository.Candidate) {
			c.Config.Inputs = []models.InputBinding{{Name: "X", Features: []string{"user.age"}}}
		}, []string{"the inputs cannot be filled", "user"}},
		"too few features": {func(c *repository.Candidate) {
			c.Config.Inputs = []models.InputBinding{{Name: "X", Features: []string{"a"}}}
		}, []string{"the inputs cannot be filled"}},
		"other model":  {func(c *repository.Candidate) { c.Data = modelFile(t, "testdata", "fixtures", "f64", "1", "model.onnx") }, []string{"prediction.output", "probabilities"}},
		"no GPU":       {func(c *repository.Candidate) { c.Config.ExecutionProvider = models.ProviderCUDA }, []string{"not available", "on_missing: cpu"}},
		"no queue":     {func(c *repository.Candidate) { c.Config.RunTimeout = 0 }, []string{"run_timeout"}},
		"huge batches": {func(c *repository.Candidate) { c.Config.BatchSizes, c.Config.MaxBatchSize = []int{1 << 24}, 1<<24 }, []string{"lower max_batch_size"}},
	} {
		t.Run(name, func(t *testing.T) {
			candidate := risk(t, "risk", 1, 1)
			c.change(&candidate)
			got, err := s.loader.Load(context.Background(), candidate)
			if got != nil {
				t.Error("it was loaded")
			}
			wantError(t, err, c.want...)
		})
	}
	// Nothing of them is left: neither series nor memory that Wait would wait for.
	for _, family := range versionFamilies {
		if got := s.series(family, nil); len(got) != 0 {
			t.Errorf("%s: %v", family, got)
		}
	}
	ok(t, s.loader.Wait(context.Background()))
}

func TestAFixedBatchWinsOverTheDefaultOnly(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := fixture(t, "fixed_batch")
	_, err := s.loader.Load(context.Background(), c)
	wantError(t, err, "batches of 4 rows", "fixed at 1", "batch_sizes")
	c.Config.BatchSizes, c.Config.MaxBatchSize = nil, 64
	loaded := s.load(c).Served.(*served)
	defer loaded.Close()
	if stats := loaded.batcher.Stats(); stats.MaxRows != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestAMissingGPUIsLogged(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := fixture(t, "f64")
	c.Config.ExecutionProvider, c.Config.CUDA.OnMissing = models.ProviderCUDA, models.OnMissingCPU
	loaded := s.load(c).Served.(*served)
	defer loaded.Close()
	if loaded.info.Provider == inference.CPU {
		wantError(t, errors.New(s.log.String()), "another execution provider", "configured=cuda used=cpu")
	}
}

// A model that takes 5 s a run is given up at the end of its load's time, and not
// after the run of every batch size.
func TestASlowLoadEndsWithItsContext(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	c := fixture(t, "slow_loop")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.loader.Load(ctx, c)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("given up after %v", took)
	}
}
