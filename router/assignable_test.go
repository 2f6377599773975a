package router_test

import (
	"testing"
	"time"

	"hotpath/abtest"
)

// TestExperimentsAssignOtherUnits: the unit is an entity that only the experiment
// names, or a context value; without it the experiment does not apply.
func TestExperimentsAssignOtherUnits(t *testing.T) {
	r := rig(t)
	e := split("risk", 0, 100)
	e.Unit = "session"
	r.Serve(config(e), r.Version("risk", 1), r.Version("risk", 2))
	for _, c := range []struct {
		about  string
		ask    ask
		reason string
	}{
		{"entity", ask{user: "u", entities: map[string]string{"session": "s"}}, "split"},
		{"context", ask{user: "u", context: map[string]string{"session": "s"}}, "split"},
		{"neither", ask{user: "u"}, "no_unit"},
	} {
		if got := predict(t, r.Pipeline, c.ask); got.err != nil || got.reason != c.reason {
			t.Errorf("%s: %+v, want %s", c.about, got, c.reason)
		}
	}
}

// TestExperimentsKnowTheTime: an experiment starts by itself.
func TestExperimentsKnowTheTime(t *testing.T) {
	r := rig(t)
	past, future := split("risk", 0, 100), split("risk", 0, 100)
	past.Name, past.Start = "past", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	future.Name, future.Start = "future", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		e      abtest.ExperimentConfig
		reason string
	}{{past, "split"}, {future, "not_started"}} {
		r.Serve(config(c.e), r.Version("risk", 1), r.Version("risk", 2))
		if got := predict(t, r.Pipeline, ask{user: "u"}); got.err != nil || got.reason != c.reason {
			t.Errorf("%s: %+v, want %s", c.e.Name, got, c.reason)
		}
	}
}

// TestPausedExperiment: everyone gets the fallback, it is counted as such, and no
// shadow runs.
func TestPausedExperiment(t *testing.T) {
	r := rig(t)
	e := shadowed(100)
	e.State, e.Fallback = "paused", "control"
	r.Serve(config(e), r.Version("risk", 1), r.Version("risk", 2))
	for range 5 {
		if got := predict(t, r.Pipeline, ask{user: "u"}); got.err != nil || got.reason != "paused" || got.variant != "control" {
			t.Fatalf("%+v", got)
		}
	}
	if n := metric(t, r, "hotpath_assignments_total", "variant", "control", "reason", "paused"); n != 5 {
		t.Errorf("%v counted as paused", n)
	}
	if n := shadowRuns(t, r, "scored") + shadowRuns(t, r, "dropped"); n != 0 {
		t.Errorf("%d shadows were offered", n)
	}
}
