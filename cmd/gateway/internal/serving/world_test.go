package serving

import (
	"math"
	"slices"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/batcher"
	"hotpath/features"
	"hotpath/models/repository"
	"hotpath/router"
)

// wantServed checks which version answers user, and that it is that version's answer.
func (s *stage) wantServed(user string, version, file int) {
	s.t.Helper()
	g := riskGolden(s.t, file)
	got, prediction := s.predict("risk", user, rawX(s.t, g))
	want := number(s.t, g.Cases[0].Outputs["probabilities"][1])
	if got != version || math.Abs(prediction-want) > 1e-5 {
		s.t.Errorf("version %d answers %v, want version %d, %v", got, prediction, version, want)
	}
}

func number(t testing.TB, v any) float64 {
	t.Helper()
	f, err := v.(interface{ Float64() (float64, error) }).Float64()
	ok(t, err)
	return f
}

func TestNothingIsServedBeforeStart(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	x := s.begin("risk", "u")
	if refusal := s.pipeline.Predict(x); refusal == nil || refusal.Code != router.NotReady {
		t.Errorf("before Start: %v", refusal)
	}
	s.pipeline.Finish(x)
	if state := s.world.State(); state.Started || state.Generation != 0 || state.Models != 1 {
		t.Errorf("%+v", state)
	}
	ok(t, s.world.Start())
	if state := s.world.State(); !state.Started || state.Generation != 1 {
		t.Errorf("%+v", state)
	}
	s.wantServed("u", 1, 1)
}

// An experiment that names a version that is not there does not keep the gateway
// from starting; it begins when the version arrives.
func TestAnExperimentBeginsWhenItsVersionArrives(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	ok(t, s.world.SetPlan(plan(t, everyone("two", 2))))
	ok(t, s.world.Start())
	state := s.world.State()
	wantError(t, state.PlanErr, "experiments[0].variants[0].version", `model "risk" has no version 2 loaded (it has 1)`)
	if len(state.Plan.Experiments()) != 0 {
		t.Errorf("%d experiments serve", len(state.Plan.Experiments()))
	}
	s.wantServed("u", 1, 1)

	// Version 2 arrives, version 1 stays current.
	two, one := s.load(risk(t, "risk", 2, 2)), s.set.Models["risk"].Versions[0]
	ok(t, s.add("risk", two, one))
	if state := s.world.State(); state.PlanErr != nil || len(state.Plan.Experiments()) != 1 {
		t.Errorf("%+v", state)
	}
	s.wantServed("u", 2, 2)
}

func TestAPlanThatDoesNotResolveIsRefusedWholeAndRemembered(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	ok(t, s.world.SetPlan(plan(t, everyone("one", 1))))
	generation := s.world.State().Generation
	s.wantServed("u", 1, 1)

	other := abtest.ExperimentConfig{Name: "other", Model: "unknown", Variants: []abtest.VariantConfig{{Name: "a", Weight: percent(100)}}}
	err := s.world.SetPlan(plan(t, everyone("first", 2), everyone("three", 3), other))
	wantError(t, err, `experiments[1].variants[0].version: variant "all" of experiment "three": model "risk" has no version 3 loaded (it has 1, 2)`,
		`experiments[2].variants[0].version: variant "a" of experiment "other": model "unknown" is not loaded`)
	state := s.world.State()
	if state.PlanErr == nil || state.Generation != generation || state.Plan.Experiment("one") == nil {
		t.Errorf("%+v", state)
	}
	s.wantServed("u", 1, 1)
	if g := s.metric("hotpath_snapshot_generation", nil); g != float64(generation) {
		t.Errorf("generation metric is %v, want %d", g, generation)
	}

	wantError(t, s.world.SetPlan(plan(t, everyone("three", 3))), "no version 3")
	ok(t, s.add("risk", s.load(risk(t, "risk", 3, 3))))
	s.wantServed("u", 3, 3)
	if state := s.world.State(); state.PlanErr != nil || state.Plan.Experiment("three") == nil || state.Generation != generation+1 {
		t.Errorf("%+v", state)
	}
}

func TestKeepPlanForgetsThePlanThatWaits(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	ok(t, s.world.Start())
	wantError(t, s.world.SetPlan(plan(t, everyone("two", 2))), "no version 2")
	if got := s.world.Pinned("risk"); !slices.Equal(got, []int{2}) {
		t.Errorf("pinned %v", got)
	}
	s.world.KeepPlan()
	if state := s.world.State(); state.PlanErr != nil {
		t.Errorf("%v", state.PlanErr)
	}
	if got := s.world.Pinned("risk"); len(got) != 0 {
		t.Errorf("pinned %v", got)
	}
	two, one := s.load(risk(t, "risk", 2, 2)), s.set.Models["risk"].Versions[0]
	ok(t, s.add("risk", two, one))
	s.wantServed("u", 1, 1)
}

func TestAVersionThatAnExperimentNeedsIsNotRemoved(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	ok(t, s.world.SetPlan(plan(t, everyone("one", 1))))
	wantError(t, s.remove("risk", 1), "an experiment needs it", "experiments[0].variants[0].version", "it has 2")
	wantError(t, s.remove("risk", 1, 2), "an experiment needs it", "not loaded")
	s.wantServed("u", 1, 1)
	if s.retired() != 0 {
		t.Error("a version was freed")
	}
	disabled := everyone("one", 1)
	disabled.State = "stopped"
	ok(t, s.world.SetPlan(plan(t, disabled)))
	ok(t, s.remove("risk", 1))
	s.wantServed("u", 2, 2)
	eventually(t, "version 1 is freed", func() bool { return s.retired() == 1 })
}

// A change that removes what the serving experiments need and brings what those
// that wait need is taken.
func TestAWaitingPlanMayTakeOver(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	ok(t, s.world.Start())
	ok(t, s.world.SetPlan(plan(t, everyone("one", 1))))
	wantError(t, s.world.SetPlan(plan(t, everyone("two", 2))), "no version 2")
	two := s.load(risk(t, "risk", 2, 2))
	ok(t, s.offer(func(all map[string]*repository.ModelSet) {
		all["risk"].Versions, all["risk"].Current = []*repository.Loaded{two}, 2
	}))
	s.wantServed("u", 2, 2)
	eventually(t, "version 1 is freed", func() bool { return s.retired() == 1 })
}

func TestTheCurrentVersionSwitches(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	one, two := s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))
	ok(t, s.add("risk", one, two))
	ok(t, s.world.Start())
	for range 3 {
		s.wantServed("u", 2, 2)
		ok(t, s.add("risk", one))
		s.wantServed("u", 1, 1)
		ok(t, s.add("risk", two))
	}
	if s.retired() != 0 {
		t.Error("a version was freed by a switch")
	}
	// The only model serves requests that name none.
	if version, _ := s.predict("", "u", rawX(t, riskGolden(t, 2))); version != 2 {
		t.Errorf("version %d", version)
	}
}

func TestPinnedAndMissing(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	disabled := everyone("off", 9)
	disabled.State = "stopped"
	mixed := everyone("mixed", 1, 2)
	mixed.Variants = append(mixed.Variants, abtest.VariantConfig{Name: "now", Weight: percent(0)},
		abtest.VariantConfig{Name: "digits", Weight: percent(0), Model: "digits", Version: 7})
	ok(t, s.world.SetPlan(plan(t, everyone("one", 1, 2), disabled)))
	wanted := plan(t, mixed, everyone("again", 2, 4), disabled)
	wantError(t, s.world.SetPlan(wanted), "version 4", "digits")
	pinned := s.world.Pinned("risk")
	slices.Sort(pinned)
	if !slices.Equal(pinned, []int{1, 2, 4}) {
		t.Errorf("pinned %v", pinned)
	}
	if got := s.world.Pinned("digits"); !slices.Equal(got, []int{7}) {
		t.Errorf("pinned %v", got)
	}
	if got := s.world.Missing(wanted); !slices.Equal(got, []Ref{{"digits", 7}, {"risk", 4}}) {
		t.Errorf("missing %v", got)
	}
}

func guardNames(w *World) (names []string) {
	for _, g := range w.Guards() {
		names = append(names, g.State().Name)
	}
	slices.Sort(names)
	return names
}

// A shadow keeps its guard from snapshot to snapshot, and loses it with its plan.
func TestGuards(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	if got := guardNames(s.world); !slices.Equal(got, []string{"model:risk/1", "model:risk/2"}) {
		t.Errorf("guards %q", got)
	}
	ok(t, s.world.SetPlan(plan(t, everyone("a", 1, 2))))
	if got := guardNames(s.world); !slices.Equal(got, []string{"model:risk/1", "model:risk/2", "shadow:a/shadow-2"}) {
		t.Errorf("guards %q", got)
	}
	shadow := s.world.mu.shadows["shadow:a/shadow-2"]
	ok(t, s.world.SetPlan(plan(t, everyone("a", 2, 2))))
	if s.world.mu.shadows["shadow:a/shadow-2"] != shadow {
		t.Error("the shadow has another guard after a reload")
	}
	for _, name := range []string{"b", "c", "d"} {
		ok(t, s.world.SetPlan(plan(t, everyone(name, 1, 2))))
	}
	if got := guardNames(s.world); !slices.Equal(got, []string{"model:risk/1", "model:risk/2", "shadow:d/shadow-2"}) {
		t.Errorf("guards %q", got)
	}
}

func TestQueuesAndCollector(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	s.wantServed("u", 2, 2)
	var versions []int
	s.world.Queues(func(model string, version int, stats batcher.Stats, info Info) {
		if model != "risk" || stats.Runners != 1 || stats.MaxRows != 8 || len(info.Signature.Inputs) != 1 || info.Provider != "cpu" {
			t.Errorf("%s/%d: %+v %+v", model, version, stats, info)
		}
		versions = append(versions, version)
	})
	if slices.Sort(versions); !slices.Equal(versions, []int{1, 2}) {
		t.Errorf("versions %v", versions)
	}
	for _, family := range []string{"hotpath_queue_rows", "hotpath_runners_busy", "hotpath_runners_stuck"} {
		if got := s.series(family, nil); !slices.Equal(got, []float64{0, 0}) {
			t.Errorf("%s: %v", family, got)
		}
	}
}

// A shadow is scored by its version while another one answers.
func TestAShadowIsScoredOffThePath(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	ok(t, s.world.SetPlan(plan(t, everyone("a", 1, 2))))
	start := time.Now()
	s.wantServed("u", 1, 1)
	eventually(t, "the shadow is scored", func() bool {
		return s.metric("hotpath_shadow_total", map[string]string{"result": "scored"}) == 1
	})
	if got := s.metric("hotpath_batch_size", map[string]string{"version": "2"}); got != 1 {
		t.Errorf("%v runs of version 2 after %v", got, time.Since(start))
	}
}

// A scrape hands each series to a consumer that may itself ask for the world's
// state: it must find the lock free.
func TestWhoListsQueuesMayAskForTheState(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1))))
	ok(t, s.world.Start())
	asked := make(chan serverState, 1)
	go s.world.Queues(func(model string, version int, _ batcher.Stats, _ Info) {
		asked <- serverState{model, version, s.world.State().Models}
	})
	select {
	case got := <-asked:
		if got != (serverState{"risk", 1, 1}) {
			t.Errorf("%+v", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Queues holds the world's lock while it calls back")
	}
}

type serverState struct {
	model           string
	version, models int
}
