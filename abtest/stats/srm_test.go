package stats

import (
	"math/rand/v2"
	"testing"
)

// mismatches is the share of experiments in which the test ever gives a p of at
// most level, asked after every unit, and the mean number of units until then.
func mismatches(experiments, units int, level float64, promised, real func(i int) []float64) (rate, after float64) {
	r, alarms := rand.New(rand.NewPCG(5, 8)), 0.0
	for range experiments {
		s := NewSRM(len(promised(0)))
		for i := range units {
			at, arm := r.Float64(), 0
			for _, p := range real(i) {
				if at -= p; at < 0 {
					break
				}
				arm++
			}
			s.Add(min(arm, len(promised(i))-1), promised(i))
			if s.P() <= level {
				alarms++
				after += float64(i)
				break
			}
		}
	}
	return alarms / float64(experiments), after / alarms
}

func split(shares ...float64) func(int) []float64 { return func(int) []float64 { return shares } }

// changing is a split that ramps up at a unit.
func changing(at int, before, then []float64) func(int) []float64 {
	return func(i int) []float64 {
		if i < at {
			return before
		}
		return then
	}
}

func TestARightSplitRaisesNoAlarm(t *testing.T) {
	t.Parallel()
	for name, shares := range map[string]func(int) []float64{
		"halves":           split(0.5, 0.5),
		"canary":           split(0.99, 0.01),
		"four":             split(0.4, 0.3, 0.2, 0.1),
		"a ramp":           changing(5000, []float64{0.95, 0.05}, []float64{0.5, 0.5}),
		"an arm added":     changing(3000, []float64{0.5, 0.5, 0}, []float64{0.4, 0.3, 0.3}),
		"an arm taken out": changing(3000, []float64{0.4, 0.3, 0.3}, []float64{0.7, 0.3, 0}),
	} {
		experiments := scaled(100, 10)
		if rate, _ := mismatches(experiments, 10_000, alpha, shares, shares); rate > byChance(experiments) {
			t.Errorf("%s: a false alarm in %g of the experiments, want %g", name, rate, alpha)
		}
	}
}

// A chi-square test asked so often does raise alarms: the simulation can fail.
func TestPeekingAtChiSquareIsNotSafe(t *testing.T) {
	t.Parallel()
	r, alarms := rand.New(rand.NewPCG(5, 8)), 0
	const experiments = 40
	for range experiments {
		counts := []float64{0, 0}
		for i := range 10_000 {
			counts[r.IntN(2)]++
			if _, p := ChiSquareTest(counts, []float64{1, 1}); i > 100 && p <= alpha {
				alarms++
				break
			}
		}
	}
	if alarms < experiments/5 {
		t.Errorf("%d false alarms in %d experiments", alarms, experiments)
	}
}

func TestAMismatchIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		promised, real func(int) []float64
		units          int
		most           float64 // units until the alarm, on average
	}{
		"one percent":                 {split(0.5, 0.5), split(0.51, 0.49), 150_000, 60_000},
		"gross":                       {split(0.5, 0.5), split(0.6, 0.4), 3000, 1200},
		"a third of a canary is lost": {split(0.95, 0.05), split(0.9667, 0.0333), 10_000, 4000},
		"a little, after a ramp": {changing(20_000, []float64{0.95, 0.05}, []float64{0.5, 0.5}),
			changing(20_000, []float64{0.95, 0.05}, []float64{0.53, 0.47}), 60_000, 32_000},
	} {
		rate, after := mismatches(scaled(10, 3), c.units, 0.001, c.promised, c.real)
		if rate < 1 || after > c.most {
			t.Errorf("%s: found in %g of the experiments, after %g units on average, want all and at most %g", name, rate, after, c.most)
		}
	}
}

func TestSRMCountsWhatWasDrawn(t *testing.T) {
	s, weights := NewSRM(3), []float64{6000, 4000, 0}
	for range 600 {
		s.Add(0, weights)
	}
	before := s.P()
	if s.Add(2, weights) || s.P() != before {
		t.Error("a unit of an arm that has no share was counted")
	}
	for range 400 {
		s.Add(1, weights)
	}
	if s.Count(0) != 600 || s.Count(1) != 400 || s.Count(2) != 0 {
		t.Errorf("counts %g %g %g", s.Count(0), s.Count(1), s.Count(2))
	}
	near(t, "expected", s.Expected(0), 600, 1e-9)
	near(t, "expected", s.Expected(2), 0, 0)
	if statistic, p := s.ChiSquare(); statistic > 1e-9 || p < 0.999 {
		t.Errorf("chi-square %g, p %g", statistic, p)
	}
	// Six hundred of the first arm alone were far off: that remains said.
	if s.P() != before || before > 1e-6 {
		t.Errorf("p was %g and is %g", before, s.P())
	}
}

func TestAddingAUnitAllocatesNothing(t *testing.T) {
	s, shares, m := NewSRM(2), []float64{0.5, 0.5}, Moments{}
	if n := testing.AllocsPerRun(1000, func() {
		s.Add(1, shares)
		m.Add(2)
		DifferenceSequence(m, m, alpha, 0)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
