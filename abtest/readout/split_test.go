package readout

import (
	"math"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

func TestLostExposuresRaiseTheAlarm(t *testing.T) {
	l := newLab(t, Options{}, split(purchases))
	l.lost = func(e *exposure.Event) bool { return e.Assigned == "treatment" && l.random.Float64() < 0.05 }
	for i := range 60_000 {
		l.serve(user(i))
	}
	p := l.see()
	if !p.SRM.Alert || p.SRM.PValue > 0.001 || *p.SRM.ChiSquareP > 0.001 {
		t.Errorf("%+v", p.SRM)
	}
	if len(p.Notes) == 0 || !strings.Contains(p.Notes[0], "mismatch") {
		t.Errorf("notes %q", p.Notes)
	}
	if got := l.readout.Mismatched(); len(got) != 1 || got[0] != p.Experiment {
		t.Errorf("mismatched %q", got)
	}
	if c := p.variant("control"); *c.Share < 0.505 || *c.ExpectedShare != 0.5 {
		t.Errorf("share %v, expected %v", *c.Share, *c.ExpectedShare)
	}
}

// Weights may change while an experiment runs: units are expected by those of the
// time they came.
func TestWeightsChangeUnderway(t *testing.T) {
	weigh := func(control float64) abtest.Config {
		return split(purchases, func(e *abtest.ExperimentConfig) {
			e.Variants[0].Weight, e.Variants[1].Weight = ptr(control), ptr(100-control)
		})
	}
	l := newLab(t, Options{}, weigh(50))
	for i := range 20_000 {
		if i == 10_000 {
			l.edit(weigh(90))
		}
		l.serve(user(i))
	}
	p := l.see()
	if p.SRM.Alert || *p.SRM.ChiSquareP < 0.001 {
		t.Errorf("%+v", p.SRM)
	}
	if got := l.readout.Mismatched(); len(got) > 0 {
		t.Errorf("mismatched %q", got)
	}
	if c := p.variant("control"); math.Abs(*c.ExpectedShare-0.7) > 1e-9 || c.Weight != 90 {
		t.Errorf("expected share %v, weight %v", *c.ExpectedShare, c.Weight)
	}
	// The first 10,000 come back: four in ten of them are now in the control.
	for i := range 10_000 {
		l.serve(user(i))
	}
	q := l.see()
	if q.Moved < 3500 || q.Moved > 4500 {
		t.Errorf("%d moved, want some 4000", q.Moved)
	}
	if q.variant("control").Units != p.variant("control").Units || q.SRM != p.SRM && *q.SRM.ChiSquare != *p.SRM.ChiSquare {
		t.Error("units that came back were counted anew")
	}
	if q.Exposures != 30_000 || q.Requests != 30_000 {
		t.Errorf("%d exposures, %d requests", q.Exposures, q.Requests)
	}
}

// Plans that the readout was never given, as in the log of last month: of the same
// weights, of others, of another salt.
func TestStrangePlans(t *testing.T) {
	weigh := func(control float64, salt string, elsewhere int) abtest.Config {
		cfg := split(purchases, func(e *abtest.ExperimentConfig) {
			e.Variants[0].Weight, e.Variants[1].Weight, e.Salt = ptr(control), ptr(100-control), salt
		})
		other := split(func(e *abtest.ExperimentConfig) { e.Name, e.Model, e.Salt = "other", "rank", user(elsewhere) })
		cfg.Experiments = append(cfg.Experiments, other.Experiments...)
		return cfg
	}
	l := newLab(t, Options{}, weigh(80, "s", 0))
	now := l.plan
	for i, past := range []abtest.Config{weigh(80, "s", 1), weigh(50, "s", 2), weigh(81, "s", 3), weigh(80, "t", 4)} {
		l.plan = compile(t, past)
		for j := range 5000 {
			l.serve(user(5000*i + j))
		}
	}
	p := l.see()
	if p.SRM.Alert || *p.SRM.ChiSquareP < 0.01 {
		t.Errorf("the weights of the past are held against the present: %+v", p.SRM)
	}
	if p.SRM.Units < 5000 || p.SRM.Units > 6000 || p.Dropped < 4990 || p.Dropped > 5000 || len(p.Notes) != 2 || !strings.Contains(p.Notes[0], "left out of the test of the split") {
		t.Errorf("%d tested, %d dropped, notes %q", p.SRM.Units, p.Dropped, p.Notes)
	}
	if kept := p.variant("control").Units + p.variant("treatment").Units; kept != 20_000-p.Dropped {
		t.Errorf("%d units", kept)
	}
	l.plan = now
	l.serve(user(0), func(e *exposure.Event) { e.Assigned = "nobody" })
	if l.see().Dropped != p.Dropped+1 {
		t.Error("an unknown variant is not dropped")
	}
	for i := range 2 * maxStrangers {
		l.serve(user(100_000+i), func(e *exposure.Event) { e.Plan = abtest.Digest{byte(i), 1} })
	}
	if n := len(l.readout.experiments["checkout"].strangers); n != maxStrangers {
		t.Errorf("%d plans are kept", n)
	}
}

// An event may be from an earlier plan, with its weights.
func TestManyPlans(t *testing.T) {
	l := newLab(t, Options{}, split())
	var early []exposure.Event
	for i := range plansKept {
		control := 90.0
		if i%2 == 1 {
			control = 10
		}
		l.edit(split(func(e *abtest.ExperimentConfig) {
			e.Variants[0].Weight, e.Variants[1].Weight, e.End = ptr(control), ptr(100-control), time.Unix(0, l.at).UTC().AddDate(1, 0, i).Format(time.RFC3339)
		}))
		for j := range 100 {
			early = append(early, l.event(user(100*i+j)))
		}
	}
	for i := range early {
		l.readout.Exposed(&early[i], true)
	}
	p := l.see()
	if p.SRM.Units != 100*plansKept || math.Abs(*p.variant("control").ExpectedShare-0.5) > 1e-9 || p.SRM.Alert || len(p.Notes) != 0 {
		t.Errorf("%+v %+v %q", p.SRM, p.variant("control"), p.Notes)
	}
}
