package readout

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/abtest/stats"
)

// simulate serves users once each and has them buy, with the chance of their variant.
// It looks at the report again and again, and returns the verdict on treatment at
// every look.
func simulate(l *lab, users, looks int, chance map[string]float64) (verdicts []string, alerts int) {
	for i := range users {
		e := l.serve(user(i))
		if l.random.Float64() < chance[e.Assigned] {
			l.report(user(i), "purchase", 1)
		}
		if (i+1)%(users/looks) == 0 {
			p := l.see()
			verdicts = append(verdicts, p.outcome("purchase", "treatment").Verdict)
			if p.SRM.Alert {
				alerts++
			}
		}
	}
	return verdicts, alerts
}

// In 100 experiments of equal variants, each looked at 40 times, the chance of any
// false verdict is 5 percent, and of a false alarm about the split 0.1 percent.
func TestEqualVariantsStayUndecided(t *testing.T) {
	wrong, experiments := 0, 100
	if raceEnabled {
		experiments = 10
	}
	for i := range experiments {
		l := newLab(t, Options{Units: 10_000, Requests: 100}, split(purchases, func(e *abtest.ExperimentConfig) { e.Salt = user(i) }))
		l.random = rand.New(rand.NewPCG(uint64(i), 1))
		verdicts, alerts := simulate(l, 4000, 40, map[string]float64{"control": 0.2, "treatment": 0.2})
		if alerts > 0 {
			t.Errorf("experiment %d: false alarm about the split", i)
		}
		for _, v := range verdicts {
			if v != Undecided && v != TooFew {
				wrong++
				break
			}
		}
	}
	if wrong > 5 {
		t.Errorf("%d of %d experiments had a false verdict at some time", wrong, experiments)
	}
}

func TestLiftIsFound(t *testing.T) {
	l := newLab(t, Options{}, split(purchases))
	verdicts, alerts := simulate(l, 40_000, 40, map[string]float64{"control": 0.2, "treatment": 0.22})
	p := l.see()
	v := p.outcome("purchase", "treatment")
	if alerts > 0 || verdicts[len(verdicts)-1] != Better {
		t.Errorf("%d alerts, verdicts %v", alerts, verdicts)
	}
	if *v.DifferenceLow > 0.02 || *v.DifferenceHigh < 0.02 || *v.LiftLow > 0.1 || *v.LiftHigh < 0.1 {
		t.Errorf("difference %v to %v, lift %v to %v: want 0.02 and 0.1 in them", *v.DifferenceLow, *v.DifferenceHigh, *v.LiftLow, *v.LiftHigh)
	}
	if *v.Low > 0.22 || *v.High < 0.22 || *v.PValue > 0.05 || *v.PAdjusted < *v.PValue {
		t.Errorf("mean %v to %v, p %v, adjusted %v", *v.Low, *v.High, *v.PValue, *v.PAdjusted)
	}
	// The other direction is worse when less is better.
	l.edit(split(purchases, func(e *abtest.ExperimentConfig) { e.Metrics[0].Goal = "down" }))
	if got := l.see().outcome("purchase", "treatment"); got.Verdict != Worse || got.Converted != v.Converted {
		t.Errorf("with goal down: %s, %d converted", got.Verdict, got.Converted)
	}
}

func TestWhatCounts(t *testing.T) {
	l := newLab(t, Options{}, split(func(e *abtest.ExperimentConfig) {
		e.Overrides = map[string][]string{"treatment": {"tester"}}
		e.Fallback = "control"
	}))
	u := userIn(l, "treatment")
	l.serve("tester")
	l.serve(u, func(e *exposure.Event) { e.Reason = abtest.ReasonForced })
	l.serve(u, func(e *exposure.Event) { e.Reason = abtest.ReasonPaused })
	if p := l.see(); p.Exposures != 0 || p.Overridden != 1 || p.Forced != 1 || p.Paused != 1 || len(p.Notes) != 3 {
		t.Errorf("%+v", p)
	}
	l.serve(u, func(e *exposure.Event) { e.Reason = abtest.ReasonSticky })
	if p := l.see(); p.SRM.Units != 0 || p.variant("treatment").Units != 1 {
		t.Errorf("a sticky unit is tested for the split: %+v", p.SRM)
	}
	for _, edit := range []func(*exposure.Event){
		failing,
		func(e *exposure.Event) { e.Code = "deadline" },
		func(e *exposure.Event) { e.Code = "bad_features" },
		func(e *exposure.Event) { e.Served, e.Degraded = "control", []string{"fallback_variant"} },
		func(e *exposure.Event) { e.Served, e.Degraded = "", []string{"static_answer"} },
		func(e *exposure.Event) { e.Degraded = []string{"features"} },
		func(e *exposure.Event) { e.NonFinite, e.Score, e.HasScore = true, math.NaN(), true },
		func(e *exposure.Event) { e.Via, e.Code, e.Served, e.LatencyNS = exposure.Assign, "ok", "", 0 },
	} {
		l.serve(u, edit)
	}
	p := l.see()
	want := VariantReport{Requests: 8, Rejected: 1, Errors: 4, OtherServed: 1, Degraded: 3, NonFinite: 1}
	got := *p.variant("treatment")
	if got.Requests != want.Requests || got.Rejected != want.Rejected || got.Errors != want.Errors || got.OtherServed != want.OtherServed ||
		got.Degraded != want.Degraded || got.NonFinite != want.NonFinite || math.Abs(*got.ErrorRate-4.0/7) > 1e-9 || got.Score.N != 0 {
		t.Errorf("got %+v", got)
	}
	if p.Exposures != 9 || p.Requests != 8 {
		t.Errorf("%d exposures, %d requests", p.Exposures, p.Requests)
	}
}

// userIn is a user of whom chance makes the variant.
func userIn(l *lab, variant string) string {
	for i := 0; ; i++ {
		if a := l.plan.Assign("risk", &abtest.Request{User: []byte(user(i)), Now: l.at / int64(time.Second)}); a.Variant != nil && a.Variant.Name() == variant {
			return user(i)
		}
	}
}

func TestDistributions(t *testing.T) {
	l := newLab(t, Options{}, split())
	var all stats.Moments
	for i := range 20_000 {
		score := l.random.NormFloat64()*2 - 5
		e := l.serve(user(i), func(e *exposure.Event) {
			e.Score, e.HasScore, e.LatencyNS = score, true, int64(1e6*(1+9*l.random.Float64()))
		})
		if e.Assigned == "control" {
			all.Add(score)
		}
	}
	p := l.see()
	c := p.variant("control")
	near := func(what string, got *float64, want, off float64) {
		if math.Abs(*got-want) > off {
			t.Errorf("%s is %v, want %v", what, *got, want)
		}
	}
	near("mean", c.Score.Mean, all.Mean, 1e-9)
	near("stddev", c.Score.StdDev, all.StdDev(), 1e-9)
	near("score p10", c.Score.P10, -5-2*1.2816, 0.15)
	near("score p50", c.Score.P50, -5, 0.15)
	near("score p90", c.Score.P90, -5+2*1.2816, 0.15)
	near("p50", c.Latency.P50, 5.5, 0.15)
	near("p99", c.Latency.P99, 9.91, 0.15)
	h, other := c.Score.Histogram, p.variant("treatment").Score.Histogram
	sum := int64(0)
	for _, n := range h.Counts {
		sum += n
	}
	if len(h.Bounds) < 10 || len(h.Counts) != len(h.Bounds)+1 || sum != c.Score.N || h.Bounds[0] != other.Bounds[0] || len(h.Bounds) != len(other.Bounds) {
		t.Errorf("%d values, histogram %+v, the other's bounds %v", c.Score.N, h, other.Bounds)
	}
}

func TestExperimentsBeginAnewAndEnd(t *testing.T) {
	named := func(salt, state string) abtest.Config {
		return split(purchases, func(e *abtest.ExperimentConfig) { e.Salt, e.State = salt, state })
	}
	l := newLab(t, Options{}, named("one", ""))
	for i := range 100 {
		l.serve(user(i))
	}
	late := l.event(user(1000))
	for _, state := range []string{"paused", "stopped", "archived", "running"} {
		l.edit(named("one", state))
		if p := l.see(); p.Exposures != 100 || p.State != state {
			t.Errorf("%s: %d exposures are left, state %s", state, p.Exposures, p.State)
		}
	}
	l.edit(named("two", ""))
	l.readout.Exposed(&late, true)
	if p := l.see(); p.Exposures != 0 || p.Dropped != 1 || !p.Since.IsZero() || p.variant("control").Units != 0 {
		t.Errorf("under a new salt: %+v", p)
	}
	for i := range 100 {
		l.serve(user(i))
	}
	if p := l.see(); p.Exposures != 100 || p.variant("control").Units+p.variant("treatment").Units != 100 {
		t.Errorf("%d exposures", p.Exposures)
	}
	l.edit(split(func(e *abtest.ExperimentConfig) { e.Salt = "two"; e.Variants[1].Name = "other" }))
	if p := l.see(); p.Exposures != 0 {
		t.Error("another set of variants does not begin anew")
	}
	l.edit(abtest.Config{})
	if _, ok := l.readout.Report("checkout"); ok || len(l.readout.Reports()) != 0 {
		t.Error("the report of an experiment that is gone is still there")
	}
	l.readout.Exposed(&late, true)
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{Units: 5, Requests: -1, Alpha: 2}); err == nil || strings.Count(err.Error(), "must be") != 3 {
		t.Errorf("got %v", err)
	}
}
