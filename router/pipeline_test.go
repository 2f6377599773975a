package router_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/routertest"
)

func TestStepsInOrder(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	var trace routertest.Trace
	v.View.Trace = trace.Add
	v.View.OnFetch = func(until time.Time, ids [][]byte) error {
		if left := time.Until(until); left > routertest.Options().FeatureBudget {
			t.Errorf("the store has %s, more than its budget", left)
		}
		if string(ids[0]) != "user-1" || string(ids[1]) != "m9" {
			t.Errorf("ids are %q", ids)
		}
		return nil
	}
	v.Lane.Scorer = &routertest.FaultyScorer{Scorer: v.Lane.Scorer, OnScore: func(until time.Time, prio handoff.Priority) error {
		trace.Add("score")
		if prio != handoff.Normal || time.Until(until) < far/2 {
			t.Errorf("scored with priority %d and %s left", prio, time.Until(until))
		}
		return nil
	}}
	r.Serve(abtest.Config{}, v)
	got := predict(t, r.Pipeline, ask{user: "user-1", entities: map[string]string{"merchant": "m9"}, features: []models.Value{routertest.Feature("id", "7")}})
	if want := (answer{id: 7, version: 1, x: [2]float64{6, 2}, reason: "default", lane: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if calls, want := trace.Take(), []string{"start", "override", "needs", "fetch", "finish", "score"}; !slices.Equal(calls, want) {
		t.Errorf("calls are %v, want %v", calls, want)
	}
	all := []models.Value{routertest.Feature("age", "30"), routertest.Feature("score", "0.5")}
	if got := predict(t, r.Pipeline, ask{user: "u", features: all}); got.x != [2]float64{30, 0.5} {
		t.Errorf("overridden vector gives %v", got.x)
	}
	if calls := trace.Take(); slices.Contains(calls, "fetch") {
		t.Errorf("read the store with nothing left to read: %v", calls)
	}
}

func TestModelsAreFound(t *testing.T) {
	r := rig(t)
	risk, other := r.Version("risk", 3), r.Version("other", 1)
	r.Serve(abtest.Config{}, risk)
	if got := predict(t, r.Pipeline, ask{user: "u"}); got.version != 3 {
		t.Errorf("the only model is not the default: %+v", got)
	}
	r.Serve(abtest.Config{}, risk, other)
	got := predict(t, r.Pipeline, ask{user: "u"})
	if got.code() != "unknown_model" || got.err.Field != "model" || !strings.Contains(got.err.Message, "models.default") {
		t.Errorf("no default among two: %+v", got.err)
	}
	if got := predict(t, r.Pipeline, ask{user: "u", model: "other"}); got.version != 1 {
		t.Errorf("by name: %+v", got)
	}
	if got := predict(t, r.Pipeline, ask{user: "u", model: "Risk"}); got.code() != "unknown_model" || !strings.Contains(got.err.Message, `"Risk"`) {
		t.Errorf("names are case-exact: %+v", got.err)
	}
	s, err := r.Snapshot("other", abtest.Config{}, risk, other)
	if err != nil {
		t.Fatal(err)
	}
	r.Pipeline.Swap(s)
	if got := predict(t, r.Pipeline, ask{user: "u"}); got.lane != 1 {
		t.Errorf("the configured default is not used: %+v", got)
	}
	if s, err = r.Snapshot("absent", abtest.Config{}, risk); err != nil {
		t.Fatal(err)
	}
	r.Pipeline.Swap(s)
	if got := predict(t, r.Pipeline, ask{user: "u"}); got.code() != "unknown_model" {
		t.Errorf("a default that is not loaded: %+v", got)
	}
}

func TestVariantsAreResolved(t *testing.T) {
	r := rig(t)
	v1, v2, v3 := r.Version("risk", 1), r.Version("risk", 2), r.Version("risk", 3)
	e := split("risk", 50, 50)
	e.Overrides = map[string][]string{"treatment": {"vip"}}
	e.Targeting = &abtest.Condition{Attribute: "country", Eq: "de"}
	e.Variants = append(e.Variants, abtest.VariantConfig{Name: "newest", Weight: weight(0)}, abtest.VariantConfig{Name: "dark", Shadow: true, Version: 3})
	r.Serve(config(e), v1, v2, v3)
	de := map[string]string{"country": "de"}
	seen := map[string]int64{}
	for i := range 200 {
		got := predict(t, r.Pipeline, ask{user: fmt.Sprint("user-", i), context: de})
		if got.reason != "split" || got.version != int64(got.lane) {
			t.Fatalf("got %+v", got)
		}
		seen[got.variant] = got.version
	}
	if seen["control"] != 1 || seen["treatment"] != 2 || len(seen) != 2 {
		t.Errorf("variants and versions are %v", seen)
	}
	for _, c := range []struct {
		name            string
		ask             ask
		variant, reason string
		version         int64
	}{
		{"override, whatever the context", ask{user: "vip"}, "treatment", "override", 2},
		{"no context", ask{user: "u"}, "", "not_targeted", 3},
		{"forced", ask{user: "vip", forced: "control"}, "control", "forced", 1},
		{"forced by its full name", ask{user: "u", forced: "risk-test/newest"}, "newest", "forced", 3},
	} {
		if got := predict(t, r.Pipeline, c.ask); got.variant != c.variant || got.reason != c.reason || got.version != c.version {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestForcedVariantUnknown(t *testing.T) {
	r := rig(t)
	e := split("risk", 50, 50)
	e.Variants = append(e.Variants, abtest.VariantConfig{Name: "dark", Shadow: true, Version: 2})
	r.Serve(config(e), r.Version("risk", 1), r.Version("risk", 2))
	for _, name := range []string{"nobody", "dark", strings.Repeat("x", 5000), "\xff\x00"} {
		got := predict(t, r.Pipeline, ask{user: "u", forced: name})
		if got.code() != "bad_request" || got.err.Field != "X-Variant" || len(got.err.Message) > 300 {
			t.Errorf("%.20q: %+v", name, got.err)
		}
	}
}

// TestExchangesDoNotLeak sends requests of every kind in turn through the same
// pooled exchanges: none may show anything of the one before.
func TestExchangesDoNotLeak(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	other := r.Version("other", 5)
	down := false
	v1.View.OnFetch = func(time.Time, [][]byte) error {
		if down {
			return errRefused
		}
		return nil
	}
	v2.Runner.OnRun = func(int) error { return errBroken }
	e := split("risk", 100, 0)
	e.Fallback = "control"
	r.Serve(config(e), v1, v2, other)
	merchant := map[string]string{"merchant": "m1"}
	kinds := []struct {
		ask  ask
		down bool
		want answer
	}{
		{ask: ask{user: "abc", model: "risk", entities: merchant, features: []models.Value{routertest.Feature("id", "1")}},
			want: answer{id: 1, version: 1, x: [2]float64{3, 2}, variant: "control", reason: "split", lane: 1}},
		{ask: ask{user: "abc", model: "risk"}, down: true,
			want: answer{id: -1, version: 1, x: [2]float64{-1, -1}, variant: "control", reason: "split", lane: 1, degraded: "features"}},
		{ask: ask{user: "ab", model: "other"}, want: answer{id: -1, version: 5, x: [2]float64{2, -1}, reason: "default", lane: 5}},
		{ask: ask{user: "ab", model: "risk", forced: "treatment"},
			want: answer{id: -1, version: 1, x: [2]float64{2, -1}, variant: "control", reason: "forced", lane: 1, degraded: "fallback_variant"}},
		{ask: ask{user: "a", model: "risk"}, want: answer{id: -1, version: 1, x: [2]float64{1, -1}, variant: "control", reason: "split", lane: 1}},
	}
	for round := range 40 {
		k := kinds[(round*7+round/5)%len(kinds)]
		down = k.down
		x := begin(t, r.Pipeline, k.ask)
		got := read(x, r.Pipeline.Predict(x))
		if got != k.want {
			t.Fatalf("round %d: got %+v, want %+v", round, got, k.want)
		}
		if len(x.Origins) != len(x.Lane.Features) || x.In() == nil || x.Rows != 1 {
			t.Errorf("round %d: %d origins, %d rows", round, len(x.Origins), x.Rows)
		}
		r.Pipeline.Finish(x)
		if x.Lane != nil || x.Variant != nil || x.Degraded != 0 || x.In() != nil || len(x.Origins) != 0 || x.Forced != nil ||
			x.ForcedFrom != "" || x.Hurried || !x.Until.IsZero() || x.Assignment != (abtest.Assignment{}) || x.Stages != [router.NumStages]time.Duration{} ||
			x.Rows != 0 || x.Request.UserID != nil || len(x.Request.Features) != 0 {
			t.Fatalf("round %d: Finish left %+v", round, x)
		}
	}
}

func TestAdmission(t *testing.T) {
	o := routertest.Options()
	o.MaxInFlight = 3
	r := routertest.NewRig(t, o)
	p := r.Pipeline
	if e := p.Refusing(); e == nil || e.Code != router.NotReady {
		t.Errorf("without a snapshot Refusing gives %v", e)
	}
	if got := predict(t, p, ask{user: "u"}); got.code() != "not_ready" || got.err.RetryAfter <= 0 {
		t.Errorf("without a snapshot: %+v", got.err)
	}
	r.Serve(abtest.Config{}, r.Version("risk", 1))
	var held []*router.Exchange
	for range 3 {
		held = append(held, begin(t, p, ask{user: "u"}))
	}
	if _, e := p.Begin(); e == nil || e.Code != router.Overloaded || e.RetryAfter <= 0 {
		t.Errorf("the fourth of three: %v", e)
	}
	if e := p.Refusing(); e == nil || e.Code != router.Overloaded {
		t.Errorf("Refusing gives %v", e)
	}
	if n := p.InFlight(); n != 3 {
		t.Errorf("%d in flight", n)
	}
	p.Finish(held[0])
	p.Finish(begin(t, p, ask{user: "u"}))
	if e := p.Refusing(); e != nil {
		t.Errorf("with room Refusing gives %v", e)
	}
	p.Drain()
	if _, e := p.Begin(); e == nil || e.Code != router.Draining || !p.Draining() {
		t.Errorf("while draining: %v", e)
	}
	for _, x := range held[1:] {
		if e := p.Predict(x); e != nil {
			t.Errorf("admitted before the drain: %v", e)
		}
		p.Finish(x)
	}
	if n := p.InFlight(); n != 0 {
		t.Errorf("%d in flight in the end", n)
	}
}

func TestAdmissionUnderLoad(t *testing.T) {
	o := routertest.Options()
	o.MaxInFlight = 4
	r := routertest.NewRig(t, o)
	r.Serve(abtest.Config{}, r.Version("risk", 1))
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 50 {
				x, e := r.Pipeline.Begin()
				if e != nil {
					if e.Code != router.Overloaded {
						t.Errorf("refused with %v", e)
					}
					continue
				}
				fill(x, ask{user: "u"})
				if n := r.Pipeline.InFlight(); n > 4+16 {
					t.Errorf("%d in flight", n)
				}
				if e := r.Pipeline.Predict(x); e != nil {
					t.Errorf("Predict: %v", e)
				}
				r.Pipeline.Finish(x)
			}
		})
	}
	callers.Wait()
	if n := r.Pipeline.InFlight(); n != 0 {
		t.Errorf("%d in flight in the end", n)
	}
}

func TestDeadlineInThePast(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	v.Static(1)
	var trace routertest.Trace
	v.View.Trace = trace.Add
	r.Serve(abtest.Config{}, v)
	if got := predict(t, r.Pipeline, ask{user: "u", timeout: -time.Second}); got.code() != "deadline" || got.degraded != "" {
		t.Errorf("got %+v", got)
	}
	if calls := trace.Take(); len(calls) != 0 {
		t.Errorf("worked on it all the same: %v", calls)
	}
}

func TestNewChecksItsOptions(t *testing.T) {
	for name, change := range map[string]func(*router.Options){
		"max_in_flight": func(o *router.Options) { o.MaxInFlight = 0 },
		"budget":        func(o *router.Options) { o.FeatureBudget = 0 },
	} {
		o := routertest.Options()
		change(&o)
		if _, err := router.New(o, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
