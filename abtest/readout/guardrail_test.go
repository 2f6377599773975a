package readout

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

// traffic serves so many requests a second of simulated time, each of a new user,
// and asks for trips every second.
type traffic struct {
	*lab
	perSecond int
	users     int
}

func (s *traffic) run(d time.Duration, edit func(*exposure.Event)) (trips []Trip) {
	for range int(d / time.Second) {
		for range s.perSecond {
			s.users++
			before := s.at
			s.serve(user(s.users), edit)
			s.at = before + second/int64(s.perSecond)
		}
		trips = append(trips, s.readout.Guardrails(time.Unix(0, s.at))...)
	}
	return trips
}

// in limits an edit to a variant and, of its events, to a share.
func (s *traffic) in(variant string, share float64, edit func(*exposure.Event)) func(*exposure.Event) {
	return func(e *exposure.Event) {
		if e.Assigned == variant && s.random.Float64() < share {
			edit(e)
		}
	}
}

// watched adds a guardrail on a metric.
func watched(metric string, edit func(*abtest.GuardrailConfig)) func(*abtest.ExperimentConfig) {
	g := abtest.GuardrailConfig{Metric: metric}
	edit(&g)
	return guarded(g)
}

func newTraffic(t *testing.T, perSecond int, edits ...func(*abtest.ExperimentConfig)) *traffic {
	return &traffic{lab: newLab(t, Options{Units: 20_000, Requests: 100}, split(edits...)), perSecond: perSecond}
}

func TestErrorRateTrips(t *testing.T) {
	s := newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.MaxIncrease = ptr(5.0) }))
	if trips := s.run(time.Minute, s.in("control", 0, failing)); len(trips) != 0 {
		t.Fatalf("trips without errors: %v", trips)
	}
	trips := s.run(time.Minute, s.in("treatment", 0.2, failing))
	if len(trips) != 1 {
		t.Fatalf("%d trips, want one: %v", len(trips), trips)
	}
	trip := trips[0]
	if trip.Experiment != "checkout" || trip.Variant != "treatment" || trip.Guardrail.Action != abtest.Rollback {
		t.Errorf("%+v", trip)
	}
	var rate, control float64
	var n, m int
	if _, err := fmt.Sscanf(trip.Text, "error_rate of treatment is %f %% of %d answers in the last 1m0s, the control's %f %% of %d: max_increase 5",
		&rate, &n, &control, &m); err != nil || rate < 5 || n < 100 || control != 0 {
		t.Errorf("%q: %v", trip.Text, err)
	}
	p := s.see()
	if g := p.Guardrails[0]; !g.Tripped || g.Text != trip.Text || g.Bound != "max_increase 5" || g.Window != "1m0s" || g.Action != "rollback" {
		t.Errorf("%+v", g)
	}
}

// An error that another variant papers over is one of the variant's nonetheless.
func TestFallbackAnswersAreErrorsOfTheVariant(t *testing.T) {
	s := newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max = ptr(5.0) }))
	trips := s.run(time.Minute, s.in("treatment", 0.5, func(e *exposure.Event) {
		e.Served, e.Degraded = "control", []string{"fallback_variant"}
	}))
	if len(trips) != 1 || trips[0].Variant != "treatment" {
		t.Errorf("%v", trips)
	}
}

// Equal variants with errors in both, for days: none of many thousand looks trips,
// whatever the traffic and however tight the bound.
func TestChanceDoesNotTrip(t *testing.T) {
	for _, f := range []struct {
		metric    string
		perSecond int
		span      time.Duration
		edit      func(*abtest.GuardrailConfig)
	}{
		{"error_rate", 4, 24 * time.Hour, func(g *abtest.GuardrailConfig) { g.MaxIncrease, g.MaxRatio, g.MinRequests = ptr(0.0), ptr(1.01), 10 }},
		{"error_rate", 50, 4 * time.Hour, func(g *abtest.GuardrailConfig) { g.MaxIncrease, g.MaxRatio, g.Max = ptr(0.0), ptr(1.01), ptr(5.0) }},
		{"p99_ms", 50, 4 * time.Hour, func(g *abtest.GuardrailConfig) { g.MaxIncrease, g.MaxRatio, g.Max = ptr(0.0), ptr(1.01), ptr(105.0) }},
		{"p50_ms", 10, 8 * time.Hour, func(g *abtest.GuardrailConfig) { g.MaxIncrease, g.MaxDecrease, g.MinRequests = ptr(0.0), ptr(0.0), 10 }},
		{"mean_score", 10, 8 * time.Hour, func(g *abtest.GuardrailConfig) { g.MaxIncrease, g.MaxDecrease, g.MinRequests = ptr(0.0), ptr(0.0), 1 }},
	} {
		s := newTraffic(t, f.perSecond, watched(f.metric, f.edit))
		exceeded, parts := 0, time.Duration(8)
		if raceEnabled {
			f.span /= 12
		}
		for range parts {
			trips := s.run(f.span/parts, func(e *exposure.Event) {
				e.Score, e.HasScore = math.Exp(s.random.NormFloat64()), true
				e.LatencyNS = int64(1e7 * math.Exp(s.random.NormFloat64()))
				if s.random.Float64() < 0.05 {
					failing(e)
				}
			})
			if len(trips) > 0 {
				t.Errorf("%s at %d a second: %s", f.metric, f.perSecond, trips[0].Text)
			}
			if strings.Contains(s.see().Guardrails[0].Text, "chance") {
				exceeded++
			}
		}
		if exceeded == 0 {
			t.Errorf("%s: no look was beyond the bound by chance, so the test shows nothing", f.metric)
		}
	}
}

func TestEachMetricTrips(t *testing.T) {
	slow := func(e *exposure.Event) { e.LatencyNS *= 20 }
	for _, f := range []struct {
		metric, bound string
		guard         func(*abtest.GuardrailConfig)
		share         float64
		edit          func(*exposure.Event)
	}{
		{"degraded_rate", "max", func(g *abtest.GuardrailConfig) { g.Max = ptr(10.0) }, 0.4, func(e *exposure.Event) { e.Degraded = []string{"features"} }},
		{"nonfinite_rate", "max_ratio", func(g *abtest.GuardrailConfig) { g.MaxRatio = ptr(2.0) }, 0.3, func(e *exposure.Event) { e.NonFinite = true }},
		{"p50_ms", "max_ratio", func(g *abtest.GuardrailConfig) { g.MaxRatio = ptr(2.0) }, 1, slow},
		{"p90_ms", "max", func(g *abtest.GuardrailConfig) { g.Max = ptr(20.0) }, 0.4, slow},
		{"p95_ms", "max_increase", func(g *abtest.GuardrailConfig) { g.MaxIncrease = ptr(10.0) }, 0.4, slow},
		{"p99_ms", "max_increase", func(g *abtest.GuardrailConfig) { g.MaxIncrease = ptr(10.0) }, 0.1, slow},
		{"p99_ms", "max", func(g *abtest.GuardrailConfig) { g.Max = ptr(30.0) }, 0.1, slow},
		{"p50_ms", "min", func(g *abtest.GuardrailConfig) { g.Min = ptr(1.0) }, 1, func(e *exposure.Event) { e.LatencyNS /= 10 }},
		{"mean_score", "max_decrease", func(g *abtest.GuardrailConfig) { g.MaxDecrease = ptr(0.2) }, 0.5, func(e *exposure.Event) { e.Score -= 1 }},
		{"mean_score", "min", func(g *abtest.GuardrailConfig) { g.Min = ptr(0.1) }, 0.5, func(e *exposure.Event) { e.Score -= 1 }},
	} {
		s := newTraffic(t, 60, watched(f.metric, f.guard))
		with := func(share float64) func(*exposure.Event) {
			in := s.in("treatment", share, f.edit)
			return func(e *exposure.Event) {
				e.Score, e.HasScore, e.LatencyNS = s.random.Float64(), true, int64(1.5e6+1e6*s.random.Float64())
				in(e)
			}
		}
		if trips := s.run(2*time.Minute, with(0)); len(trips) != 0 {
			t.Errorf("%s %s trips for nothing: %v", f.metric, f.bound, trips)
		}
		if trips := s.run(time.Minute, with(f.share)); len(trips) != 1 || !strings.Contains(trips[0].Text, ": "+f.bound+" ") {
			t.Errorf("%s %s: %v; %s", f.metric, f.bound, trips, s.see().Guardrails[0].Text)
		}
	}
}

func TestMinRequests(t *testing.T) {
	s := newTraffic(t, 2, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max, g.MinRequests = ptr(1.0), 1000 }))
	if trips := s.run(5*time.Minute, failing); len(trips) != 0 {
		t.Errorf("%v", trips)
	}
	if text := s.see().Guardrails[0].Text; !strings.HasSuffix(text, "fewer than min_requests 1000") {
		t.Error(text)
	}
}

// A caller who failed to hold the variant is told again.
func TestTripsThatAreNotCarriedOut(t *testing.T) {
	s := newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max = ptr(5.0) }))
	if n := len(s.run(10*time.Minute, s.in("treatment", 0.5, failing))); n != 10 {
		t.Errorf("%d reports in ten minutes", n)
	}
	if notes := strings.Join(s.see().Notes, "\n"); !strings.Contains(notes, "has tripped once") {
		t.Error(notes)
	}
}

// A variant that recovers and breaks again is reported again; one that stays broken
// is not.
func TestTripsAreReportedOnce(t *testing.T) {
	s := newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max, g.Action = ptr(5.0), "alert" }))
	bad, good := s.in("treatment", 0.5, failing), s.in("treatment", 0, failing)
	if n := len(s.run(10*time.Minute, bad)); n != 1 {
		t.Errorf("%d reports of one trip", n)
	}
	if n := len(s.run(5*time.Minute, good)); n != 0 || s.see().Guardrails[0].Tripped {
		t.Errorf("%d trips after recovery, tripped %v", n, s.see().Guardrails[0].Tripped)
	}
	if n := len(s.run(5*time.Minute, bad)); n != 1 {
		t.Errorf("%d reports of the second trip", n)
	}
	if notes := strings.Join(s.see().Notes, "\n"); !strings.Contains(notes, "guardrail error_rate of treatment has tripped 2 times") {
		t.Error(notes)
	}
}

// When the clock is put back an hour, guardrails go on.
func TestClockThatIsPutBack(t *testing.T) {
	s := newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max = ptr(5.0) }))
	s.run(2*time.Minute, s.in("treatment", 0, failing))
	s.at -= 3600 * second
	if n := len(s.run(time.Minute, s.in("treatment", 0.5, failing))); n != 1 {
		t.Errorf("%d trips", n)
	}
	// An answer that comes late does not bring down the window.
	w := newWindow(60 * second)
	o := answer{}
	w.add(1000*second, &o)
	w.add(938*second, &o)
	if n := w.sum(1000 * second).answers; n != 1 {
		t.Errorf("%d answers in the window", n)
	}
}

// A clock that is put back between two trips must not keep the second one quiet, nor
// the reminders of one that is not carried out.
func TestTripsAfterTheClockIsPutBack(t *testing.T) {
	s := newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max, g.Action = ptr(5.0), "alert" }))
	bad, good := s.in("treatment", 0.5, failing), s.in("treatment", 0, failing)
	if n := len(s.run(time.Minute, bad)); n != 1 {
		t.Fatalf("%d trips", n)
	}
	s.at -= 24 * 3600 * second
	s.run(5*time.Minute, good)
	if n := len(s.run(time.Minute, bad)); n != 1 {
		t.Errorf("%d trips after the clock was put back", n)
	}
	s = newTraffic(t, 30, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max = ptr(5.0) }))
	s.run(time.Minute, bad)
	s.at -= 24 * 3600 * second
	if n := len(s.run(5*time.Minute, s.in("treatment", 0.5, failing))); n < 4 {
		t.Errorf("%d reminders in five minutes", n)
	}
}

func TestHoldAndResume(t *testing.T) {
	cfg := split(watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max = ptr(5.0) }))
	s := newTraffic(t, 30)
	s.edit(cfg)
	bad, good := s.in("treatment", 0.5, failing), s.in("treatment", 0, failing)
	for _, hold := range []abtest.Hold{{Experiment: "checkout", Variant: "treatment"}, {Experiment: "checkout"}} {
		first := s.run(time.Minute, bad)
		if len(first) != 1 {
			t.Fatalf("%d trips", len(first))
		}
		s.edit(cfg.WithHolds([]abtest.Hold{hold}))
		if n := len(s.run(10*time.Second, bad)); n != 0 {
			t.Errorf("%v trips while it is held", hold)
		}
		if p := s.see(); p.variant("treatment").Held != (hold.Variant != "") || p.Exposures == 0 {
			t.Errorf("%v: %+v", hold, p.variant("treatment"))
		}
		// The report says why for as long as it is held.
		s.at += 600 * second
		if g := s.see().Guardrails[0]; !g.Tripped || g.Text != first[0].Text {
			t.Errorf("%v: %+v", hold, g)
		}
		// What led to the hold must not lead to another one when it ends.
		s.edit(cfg)
		if trips := s.run(time.Minute, good); len(trips) != 0 {
			t.Errorf("%v: trips when it is resumed: %v", hold, trips)
		}
	}
	// A new version is another variant: it is judged by its own answers.
	if n := len(s.run(time.Minute, bad)); n != 1 {
		t.Fatalf("%d trips", n)
	}
	cfg.Experiments[0].Variants[1].Version = 3
	s.edit(cfg)
	if trips := s.run(time.Minute, good); len(trips) != 0 || s.see().Guardrails[0].Tripped {
		t.Errorf("the next version inherits: %v", trips)
	}
	if n := len(s.run(time.Minute, bad)); n != 1 {
		t.Errorf("%d trips of the next version", n)
	}
}

func TestFeedbackGuardrails(t *testing.T) {
	for _, f := range []struct {
		metric, bound string
		guard         func(*abtest.GuardrailConfig)
		chance        map[string]float64
	}{
		{"purchase", "max_decrease", func(g *abtest.GuardrailConfig) { g.MaxDecrease = ptr(2.0) }, map[string]float64{"control": 0.2, "treatment": 0.1}},
		{"purchase", "max_decrease", func(g *abtest.GuardrailConfig) { g.MaxDecrease = ptr(2.0) }, map[string]float64{"control": 0.1}},
		{"purchase", "min", func(g *abtest.GuardrailConfig) { g.Min = ptr(3.0) }, map[string]float64{"control": 0.1}},
		{"purchase", "max_ratio", func(g *abtest.GuardrailConfig) { g.MaxRatio = ptr(1.5) }, map[string]float64{"control": 0.1, "treatment": 0.3}},
		{"revenue", "max_increase", func(g *abtest.GuardrailConfig) { g.MaxIncrease = ptr(1.0) }, map[string]float64{"control": 0.1, "treatment": 0.5}},
	} {
		cfg := split(purchases, watched(f.metric, f.guard))
		l := newLab(t, Options{}, cfg)
		run := func(users int, from int, chance map[string]float64) (trips []Trip) {
			for i := from; i < from+users; i++ {
				e := l.serve(user(i))
				if l.random.Float64() < chance[e.Assigned] {
					l.report(user(i), f.metric, 10)
				}
				if i%100 == 0 {
					trips = append(trips, l.readout.Guardrails(time.Unix(0, l.at))...)
				}
			}
			return trips
		}
		trips := run(10_000, 0, f.chance)
		if len(trips) != 1 || !strings.Contains(trips[0].Text, "units since the readout began") || !strings.Contains(trips[0].Text, ": "+f.bound) {
			t.Errorf("%s %s: %v; %s", f.metric, f.bound, trips, l.see().Guardrails[0].Text)
		}
		// Whoever resumes it has seen the trip.
		l.edit(cfg.WithHolds([]abtest.Hold{{Experiment: "checkout", Variant: "treatment"}}))
		l.edit(cfg)
		if again := run(2000, 10_000, f.chance); len(again) != 0 || !l.see().Guardrails[0].Tripped {
			t.Errorf("%s %s: after the hold %v", f.metric, f.bound, again)
		}
		same := newLab(t, Options{}, cfg)
		l = same
		equal := map[string]float64{"control": 0.1, "treatment": 0.1}
		if trips := run(10_000, 0, equal); len(trips) != 0 {
			t.Errorf("%s %s: equal variants trip: %s", f.metric, f.bound, trips[0].Text)
		}
	}
}
