package readout

import (
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

// logged is a lab that has been told of 10,000 users of whom the treatment's buy less,
// by a log: of a readout that is new.
func logged(t *testing.T, cfg, replayed abtest.Config) *lab {
	t.Helper()
	l := newLab(t, Options{}, replayed)
	l.plan = compile(t, cfg) // the events are of before
	for i := range 10_000 {
		e := l.serve(user(i))
		if l.random.Float64() < map[string]float64{"control": 0.3, "treatment": 0.1}[e.Assigned] {
			l.report(user(i), "purchase", 1)
		}
	}
	l.plan = compile(t, replayed)
	return l
}

func (l *lab) trips() []Trip {
	l.at += second
	return l.readout.Guardrails(time.Unix(0, l.at))
}

// A gateway that was restarted while a variant is held by a guardrail on feedback knows
// of the trip only from the log. Who resumes the variant then has seen it.
func TestAHoldThatEndsAfterARestart(t *testing.T) {
	cfg := split(purchases, watched("purchase", func(g *abtest.GuardrailConfig) { g.MaxDecrease = ptr(2.0) }))
	held := cfg.WithHolds([]abtest.Hold{{Experiment: "checkout", Variant: "treatment"}})
	l := logged(t, cfg, held)
	l.readout.Live(nil)
	if trips := l.trips(); len(trips) != 0 {
		t.Fatalf("a variant that is held trips: %v", trips)
	}
	l.edit(cfg)
	if trips := l.trips(); len(trips) != 0 || !l.see().Guardrails[0].Tripped {
		t.Errorf("it is held again at once: %v", trips)
	}
	cfg.Experiments[0].Variants[1].Version = 7
	l.edit(cfg)
	if trips := l.trips(); len(trips) != 1 {
		t.Errorf("another version trips %d times", len(trips))
	}
}

// Nor does a restart after the variant was resumed hold it again, unless something has
// changed since.
func TestARestartAfterAHoldEnded(t *testing.T) {
	cfg := split(purchases, watched("purchase", func(g *abtest.GuardrailConfig) { g.MaxDecrease = ptr(2.0) }))
	plain := split(purchases)
	other := split(purchases, watched("purchase", func(g *abtest.GuardrailConfig) { g.MaxDecrease = ptr(3.0) }))
	version := split(purchases, watched("purchase", func(g *abtest.GuardrailConfig) { g.MaxDecrease = ptr(2.0) }))
	version.Experiments[0].Variants[1].Version = 9
	for about, c := range map[string]struct {
		resumed *abtest.Experiment
		trips   int
	}{
		"resumed":              {compile(t, cfg).Experiment("checkout"), 0},
		"never held":           {nil, 1},
		"another guardrail":    {compile(t, other).Experiment("checkout"), 1},
		"no guardrail then":    {compile(t, plain).Experiment("checkout"), 1},
		"another version then": {compile(t, version).Experiment("checkout"), 1},
	} {
		l := logged(t, cfg, cfg)
		var resumed []*abtest.Experiment
		if c.resumed != nil {
			resumed = append(resumed, c.resumed)
		}
		l.readout.Live(resumed)
		if trips := l.trips(); len(trips) != c.trips {
			t.Errorf("%s: %d trips, want %d: %v", about, len(trips), c.trips, trips)
		}
	}
}

// Answers of before the restart hold nothing.
func TestWindowsBeginEmptyAfterALog(t *testing.T) {
	s := newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max = ptr(5.0) }))
	bad := s.in("treatment", 0.5, failing)
	for i := range 1000 {
		s.serve(user(i), bad)
	}
	s.users = 1000
	s.readout.Live(nil)
	if trips := s.run(time.Minute, func(*exposure.Event) {}); len(trips) != 0 {
		t.Errorf("%v", trips)
	}
	if n := len(s.run(time.Minute, bad)); n != 1 {
		t.Errorf("%d trips after that", n)
	}
}
