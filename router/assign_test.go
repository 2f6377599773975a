package router_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/routertest"
)

// witness is an observer that counts what it hears, and a sticky store that keeps
// what it is told.
type witness struct {
	heard   [4]atomic.Int64 // by router.Via
	exposed atomic.Int64
	kept    map[string]string
}

func (w *witness) Observe(x *router.Exchange, _ *router.Error, _ time.Duration) {
	w.heard[x.Via].Add(1)
	if x.Assignment.Variant != nil {
		w.exposed.Add(1)
	}
}

func (w *witness) Recall(_ time.Time, experiments []*abtest.Experiment, ids, variants [][]byte) {
	for i, e := range experiments {
		if v, ok := w.kept[e.Name()+"/"+string(ids[i])]; ok {
			variants[i] = []byte(v)
		}
	}
}

func (w *witness) Remember(e *abtest.Experiment, unit []byte, variant string) {
	if w.kept != nil {
		w.kept[e.Name()+"/"+string(unit)] = variant
	}
}

func witnessed(t testing.TB) (*routertest.Rig, *witness) {
	t.Helper()
	w := &witness{kept: map[string]string{}}
	o := routertest.Options()
	o.Observer, o.Sticky = w, w
	return routertest.NewRig(t, o), w
}

// assign takes one request for an assignment through; read what is needed of the
// exchange before the next one.
func assign(t testing.TB, p *router.Pipeline, a ask, experiment string, look bool) (d router.Decision, considered []string, refusal *router.Error) {
	t.Helper()
	x := begin(t, p, a)
	defer p.Finish(x)
	x.Via, x.Look = router.ViaAssign, look
	d, refusal = p.Assign(x, []byte(experiment))
	if refusal == nil {
		for _, c := range x.Considered() {
			considered = append(considered, c.Experiment.Name()+"="+c.Reason.String())
		}
	}
	return d, considered, refusal
}

// crowded are experiments on one model that get in each other's way.
func crowded() abtest.Config {
	named := func(name string, change func(e *abtest.ExperimentConfig)) abtest.ExperimentConfig {
		e := split("risk", 50, 50)
		e.Name = name
		if change != nil {
			change(&e)
		}
		return e
	}
	third := 30.0
	return config(
		named("draft", func(e *abtest.ExperimentConfig) { e.State = "draft" }),
		named("german", func(e *abtest.ExperimentConfig) {
			e.Targeting = &abtest.Condition{Attribute: "country", Eq: "de"}
		}),
		named("ramped", func(e *abtest.ExperimentConfig) { e.Ramp = []abtest.RampStep{{Share: &third}} }),
		named("paused", func(e *abtest.ExperimentConfig) {
			e.State, e.Salt, e.Ramp = "paused", "other", []abtest.RampStep{{Share: &third}}
		}),
		named("rest", func(e *abtest.ExperimentConfig) {
			e.Overrides = map[string][]string{"treatment": {"user-7"}}
		}),
		named("last", nil),
	)
}

// TestAssignAgreesWithPredict: asked about a model, about each experiment, and about
// all, the answer never differs from what a prediction is served by.
func TestAssignAgreesWithPredict(t *testing.T) {
	r := rig(t)
	s := r.Serve(crowded(), r.Version("risk", 1), r.Version("risk", 2))
	seen := map[string]int{}
	for i := range 300 {
		a := ask{user: fmt.Sprint("user-", i), context: map[string]string{"country": []string{"de", "fr"}[i%2]}}
		x := begin(t, r.Pipeline, a)
		if err := r.Pipeline.Predict(x); err != nil {
			t.Fatal(err)
		}
		decided, lane := x.Assignment, x.Lane.Version
		r.Pipeline.Finish(x)
		d, _, err := assign(t, r.Pipeline, a, "", false)
		if err != nil || d.Experiment != decided.Experiment || d.Variant != decided.Variant || d.Reason != decided.Reason || d.Bucket != decided.Bucket || d.Lane.Version != lane || d.Other != nil {
			t.Fatalf("%+v: assigned %+v (%v), predicted %+v by version %d", a, d, err, decided, lane)
		}
		for _, e := range s.Plan().Experiments() {
			d, _, err := assign(t, r.Pipeline, a, e.Name(), false)
			if err != nil || d.Experiment != e || d.Lane.Version != lane || (d.Variant != nil) != (decided.Experiment == e) || d.Variant != nil && d.Variant != decided.Variant {
				t.Fatalf("%+v of %s: %+v (%v), predicted %+v", a, e.Name(), d, err, decided)
			}
			if preempted := d.Variant == nil && d.Reason.Assigns() && e.State() != abtest.Paused; preempted && d.Other == nil {
				t.Fatalf("%+v: %s would assign, and nobody is said to have come first", a, e.Name())
			}
			seen[d.Reason.String()]++
		}
		seen[decided.Reason.String()+"!"]++
	}
	for _, want := range []string{"split", "not_targeted", "outside_ramp", "paused", "not_running", "override", "split!", "paused!", "override!"} {
		if seen[want] == 0 {
			t.Errorf("no %s in %v", want, seen)
		}
	}
}

// TestAssignAll gives for each experiment what Assign gives.
func TestAssignAll(t *testing.T) {
	r := rig(t)
	c := crowded()
	other := split("fraud", 100, 0)
	other.Name = "fraud-test"
	gone := split("gone", 100, 0)
	gone.Name, gone.State = "over", "stopped"
	c.Experiments = append(c.Experiments, other, gone)
	r.Serve(c, r.Version("risk", 1), r.Version("risk", 2), r.Version("fraud", 1), r.Version("fraud", 2))
	for i := range 100 {
		a := ask{user: fmt.Sprint("user-", i), context: map[string]string{"country": "de"}}
		x := begin(t, r.Pipeline, a)
		var names []string
		err := r.Pipeline.AssignAll(x, func(d *router.Decision) {
			names = append(names, d.Experiment.Name())
			if d.Experiment.Name() == "over" {
				if d.Reason != abtest.ReasonNotRunning || d.Lane != nil {
					t.Errorf("over: %+v", d)
				}
				return
			}
			want, _, err := assign(t, r.Pipeline, a, d.Experiment.Name(), true)
			if err != nil || want.Variant != d.Variant || want.Reason != d.Reason || want.Bucket != d.Bucket || want.Lane != d.Lane || want.Other != d.Other {
				t.Errorf("%s: %+v, alone %+v (%v)", a.user, d, want, err)
			}
		})
		r.Pipeline.Finish(x)
		slices.Sort(names)
		if err != nil || !slices.Equal(names, []string{"fraud-test", "german", "last", "over", "paused", "ramped", "rest"}) {
			t.Fatalf("%v (%v)", names, err)
		}
	}
}

// TestAssignExposesUnlessAskedNotTo: who is told a variant counts and is kept, and
// whoever looks leaves nothing behind.
func TestAssignExposesUnlessAskedNotTo(t *testing.T) {
	r, w := witnessed(t)
	e := split("risk", 50, 50)
	e.Sticky = true
	second := split("risk", 50, 50)
	second.Name = "second"
	r.Serve(config(e, second), r.Version("risk", 1), r.Version("risk", 2))
	if _, considered, err := assign(t, r.Pipeline, ask{user: "u"}, "", true); err != nil || len(considered) != 2 {
		t.Fatal(considered, err)
	}
	if w.heard[router.ViaAssign].Load() != 0 || len(w.kept) != 0 || metric(t, r, "hotpath_assignments_total") != 0 {
		t.Errorf("a look was heard of %d times, kept %v", w.heard[router.ViaAssign].Load(), w.kept)
	}
	d, _, err := assign(t, r.Pipeline, ask{user: "u"}, "", false)
	if err != nil || w.exposed.Load() != 1 || w.kept["risk-test/u"] != d.Variant.Name() || metric(t, r, "hotpath_assignments_total", "reason", "split") != 1 {
		t.Errorf("%v: exposed %d, kept %v", err, w.exposed.Load(), w.kept)
	}
	if d, _, err := assign(t, r.Pipeline, ask{user: "v"}, "second", false); err != nil || d.Variant != nil || d.Other == nil || d.Other.Name() != "risk-test" || d.Reason != abtest.ReasonSplit {
		t.Errorf("%+v (%v)", d, err)
	}
	if w.exposed.Load() != 1 || w.heard[router.ViaAssign].Load() != 2 || w.kept["risk-test/v"] != "" {
		t.Errorf("an experiment that did not decide exposed %d, of %d heard, kept %v", w.exposed.Load(), w.heard[router.ViaAssign].Load(), w.kept)
	}
	if d, considered, _ := assign(t, r.Pipeline, ask{user: "u"}, "risk-test", true); d.Reason != abtest.ReasonSticky || considered[0] != "risk-test=sticky" {
		t.Errorf("kept, and %v of %v", d.Reason, considered)
	}
	predict(t, r.Pipeline, ask{user: "u"})
	if w.heard[router.ViaPredict].Load() != 1 {
		t.Error("a prediction was not heard of")
	}
}

// TestAssignAllOfAnUnknownVariant: who is refused was shown nothing.
func TestAssignAllOfAnUnknownVariant(t *testing.T) {
	r, w := witnessed(t)
	second := split("fraud", 100, 0)
	second.Name = "second"
	r.Serve(config(split("risk", 100, 0), second), r.Version("risk", 1), r.Version("risk", 2), r.Version("fraud", 1), r.Version("fraud", 2))
	for forced, told := range map[string]int{"absent": 0, "second/control": 2, "": 2} {
		x := begin(t, r.Pipeline, ask{user: "u"})
		x.Via, x.Forced = router.ViaFlag, []byte(forced)
		n := 0
		err := r.Pipeline.AssignAll(x, func(*router.Decision) { n++ })
		r.Pipeline.Finish(x)
		if n != told || (err != nil) != (told == 0) {
			t.Errorf("%q: %d flags, %v", forced, n, err)
		}
		if heard := w.heard[router.ViaFlag].Swap(0); heard != int64(told) {
			t.Errorf("%q: the observer heard of %d", forced, heard)
		}
	}
}

func TestAssignRefuses(t *testing.T) {
	r := rig(t)
	if _, _, err := assign(t, r.Pipeline, ask{user: "u"}, "", true); err == nil || err.Code != router.NotReady {
		t.Errorf("without models: %v", err)
	}
	r.Serve(config(split("risk", 100, 0)), r.Version("risk", 1), r.Version("risk", 2), r.Version("fraud", 1))
	for _, c := range []struct {
		about      string
		ask        ask
		experiment string
		code       router.Code
		field      string
	}{
		{"no such experiment", ask{user: "u"}, "nope", router.UnknownExperiment, "experiment"},
		{"no such model", ask{user: "u", model: "nope"}, "", router.UnknownModel, "model"},
		{"another model", ask{user: "u", model: "fraud"}, "risk-test", router.BadRequest, "model"},
		{"a variant that nobody has", ask{user: "u", model: "risk", forced: "nope"}, "", router.BadRequest, "X-Variant"},
		{"an entity that nobody reads", ask{user: "u", model: "risk", entities: map[string]string{"x": "1"}}, "", router.BadFeatures, "entities.x"},
	} {
		if _, _, err := assign(t, r.Pipeline, c.ask, c.experiment, true); err == nil || err.Code != c.code || err.Field != c.field {
			t.Errorf("%s: %v", c.about, err)
		}
	}
	d, _, err := assign(t, r.Pipeline, ask{user: "u", model: "risk", forced: "risk-test/treatment"}, "risk-test", true)
	if err != nil || d.Variant.Name() != "treatment" || d.Reason != abtest.ReasonForced {
		t.Errorf("forced: %+v (%v)", d, err)
	}
}

// TestInferAssignsByOtherUnits: an entity or an attribute is enough for an experiment
// on a request of tensors; without any the current version answers as ever.
func TestInferAssignsByOtherUnits(t *testing.T) {
	r, w := witnessed(t)
	session := split("risk", 100, 0)
	session.Name, session.Unit = "session", "session"
	german := split("risk", 100, 0)
	german.Name, german.Targeting = "german", &abtest.Condition{Attribute: "country", Eq: "de"}
	r.Serve(config(session, german), r.Version("risk", 1), r.Version("risk", 2))
	for _, c := range []struct {
		about      string
		ask        ask
		version    int
		experiment string
		code       router.Code
	}{
		{"nobody", ask{}, 2, "", router.OK},
		{"a session", ask{entities: map[string]string{"session": "s"}}, 1, "session", router.OK},
		{"a session in the context", ask{context: map[string]string{"session": "s"}}, 1, "session", router.OK},
		{"an attribute and a user", ask{user: "u", context: map[string]string{"country": "de"}}, 1, "german", router.OK},
		{"an attribute alone", ask{context: map[string]string{"country": "de"}}, 2, "", router.OK},
		{"an entity that nobody reads", ask{entities: map[string]string{"x": "1"}}, 0, "", router.BadFeatures},
	} {
		x := begin(t, r.Pipeline, c.ask)
		x.Tensors.Inputs = tensorInputs(1)
		err := r.Pipeline.Infer(x)
		switch {
		case c.code != router.OK:
			if err == nil || err.Code != c.code {
				t.Errorf("%s: %v", c.about, err)
			}
		case err != nil || x.Lane.Version != c.version:
			t.Errorf("%s: %v by %+v", c.about, err, x.Lane)
		case (x.Assignment.Experiment == nil) != (c.experiment == "") || c.experiment != "" && x.Assignment.Experiment.Name() != c.experiment:
			t.Errorf("%s: %+v", c.about, x.Assignment)
		}
		r.Pipeline.Finish(x)
	}
	if w.heard[router.ViaInfer].Load() != 5 {
		t.Errorf("%d requests were heard of", w.heard[router.ViaInfer].Load())
	}
}

// tensorInputs are rows of the fake models' inputs.
func tensorInputs(rows int64) []models.Tensor {
	return []models.Tensor{{Name: "id", DType: models.Int64, Shape: []int64{rows}, Data: make([]byte, 8*rows)},
		{Name: "version", DType: models.Int64, Shape: []int64{rows}, Data: make([]byte, 8*rows)},
		{Name: "x", DType: models.Float64, Shape: []int64{rows, 2}, Data: make([]byte, 16*rows)}}
}

// TestAssignAllocatesLittle: an assignment that a client asks for costs no more than
// the name of its model.
func TestAssignAllocatesLittle(t *testing.T) {
	if raceDetector {
		return // its pools drop what is put into them
	}
	r := rig(t)
	r.Serve(config(split("risk", 50, 50)), r.Version("risk", 1), r.Version("risk", 2))
	for experiment, want := range map[string]float64{"": 0, "risk-test": 1} {
		name := []byte(experiment)
		n := testing.AllocsPerRun(500, func() {
			x, refusal := r.Pipeline.Begin()
			if refusal != nil {
				t.Fatal(refusal)
			}
			x.Request.UserID, x.Via = steadyUser, router.ViaAssign
			if _, err := r.Pipeline.Assign(x, name); err != nil {
				t.Fatal(err)
			}
			r.Pipeline.Finish(x)
		})
		if n > want {
			t.Errorf("%q: %v allocations, at most %v are allowed", experiment, n, want)
		}
	}
}
