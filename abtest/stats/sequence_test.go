package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// scaled is how often a simulation runs: less under the race detector.
func scaled(all, underRace int) int {
	if raceEnabled {
		return underRace
	}
	return all
}

func converts(rate float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		if r.Float64() < rate {
			return 1
		}
		return 0
	}
}

func lognormal(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) }

// alarms is the share of experiments without an effect in which a test ever says
// that there is one, when it is asked after every unit.
func alarms(experiments, units int, share func(i int) float64, draw func(*rand.Rand) float64, test func(c, v Moments) bool) float64 {
	r, wrong := rand.New(rand.NewPCG(7, 11)), 0
	for range experiments {
		var control, variant Moments
		for i := range units {
			if r.Float64() < share(i) {
				variant.Add(draw(r))
			} else {
				control.Add(draw(r))
			}
			if test(control, variant) {
				wrong++
				break
			}
		}
	}
	return float64(wrong) / float64(experiments)
}

func constant(share float64) func(int) float64 { return func(int) float64 { return share } }

const alpha = 0.05

// byChance is the largest share of experiments that may fail at the level alpha.
func byChance(experiments int) float64 {
	return alpha + 2*math.Sqrt(alpha*(1-alpha)/float64(experiments))
}

func TestPeekingIsSafe(t *testing.T) {
	t.Parallel()
	half := constant(0.5)
	for name, c := range map[string]struct {
		share func(int) float64
		draw  func(*rand.Rand) float64
		tune  float64
	}{
		"conversions":              {half, converts(0.1), TuneUnits},
		"tuned for early":          {half, converts(0.1), 1000},
		"rare conversions, canary": {constant(0.05), converts(0.01), TuneUnits},
		"conversions, canary":      {constant(0.05), converts(0.1), TuneUnits},
		"sums, skewed, canary":     {constant(0.05), lognormal, TuneUnits},
		"a canary grown to half": {func(i int) float64 {
			if i < 4000 {
				return 0.05
			}
			return 0.5
		}, converts(0.1), TuneUnits},
	} {
		experiments := scaled(100, 10)
		rate := alarms(experiments, 10_000, c.share, c.draw, func(control, variant Moments) bool {
			_, _, _, p := DifferenceSequence(control, variant, alpha, c.tune)
			return p <= alpha
		})
		if most := byChance(experiments); rate > most {
			t.Errorf("%s: a false alarm in %g of the experiments, want %g, or by chance %g", name, rate, alpha, most)
		}
	}
}

// The same simulation must be able to fail: a test made for one look does.
func TestPeekingAtATestForOneLookIsNotSafe(t *testing.T) {
	t.Parallel()
	rate := alarms(scaled(60, 30), 10_000, constant(0.5), converts(0.1), func(c, v Moments) bool {
		if c.N+v.N < 500 { // where the z test is poor anyway
			return false
		}
		_, p := TwoProportionZ(c.Mean*c.N, c.N, v.Mean*v.N, v.N)
		return p <= alpha
	})
	if rate < 4*alpha {
		t.Errorf("a false alarm in %g of the experiments: the simulation does not show what peeking does", rate)
	}
	// And so does the sequence's formula with each variant's own variance only,
	// which the first units of a canary underestimate.
	rate = alarms(scaled(60, 30), 10_000, constant(0.05), converts(0.1), func(c, v Moments) bool {
		se := c.errorSquared() + v.errorSquared()
		x, ok := mixture(2*(c.Variance()+v.Variance())/se, alpha, TuneUnits)
		return ok && math.Abs(v.Mean-c.Mean) > math.Sqrt(se)*multiplier(x, alpha)
	})
	if rate < 2*alpha {
		t.Errorf("a false alarm in %g of the experiments: errorsOf need not look at all values together", rate)
	}
}

func TestAnEffectIsFound(t *testing.T) {
	t.Parallel()
	r, found, covered, lifts := rand.New(rand.NewPCG(3, 5)), 0, 0, 0
	experiments := scaled(100, 20)
	for range experiments {
		var control, variant Moments
		saw, held, heldLift := false, true, true
		for i := range 40_000 {
			if i%2 == 0 {
				control.Add(converts(0.10)(r))
			} else {
				variant.Add(converts(0.115)(r))
			}
			if i%40 != 0 {
				continue
			}
			_, low, high, p := DifferenceSequence(control, variant, alpha, TuneUnits)
			_, lowLift, highLift := LiftSequence(control, variant, alpha, TuneUnits)
			saw = saw || p <= alpha && low > 0
			held = held && low <= 0.015 && 0.015 <= high
			heldLift = heldLift && lowLift <= 0.15 && 0.15 <= highLift
		}
		for _, count := range []struct {
			n   *int
			yes bool
		}{{&found, saw}, {&covered, held}, {&lifts, heldLift}} {
			if count.yes {
				*count.n++
			}
		}
	}
	least := int((1 - alpha) * float64(experiments))
	if found < experiments*9/10 || covered < least || lifts < least {
		t.Errorf("of %d experiments the effect was found in %d, always in the interval in %d and the lift in %d", experiments, found, covered, lifts)
	}
}

func TestMeansStayInTheirSequences(t *testing.T) {
	t.Parallel()
	r, experiments := rand.New(rand.NewPCG(3, 9)), scaled(100, 20)
	for _, c := range []struct {
		name string
		draw func(*rand.Rand) float64
		mean float64
	}{{"conversions", converts(0.1), 0.1}, {"sums", lognormal, math.Exp(0.5)}} {
		left, leftExact := 0, 0
		for range experiments {
			var m Moments
			inside, exact := true, true
			for i := range 5000 {
				m.Add(c.draw(r))
				low, high := MeanSequence(m, alpha, TuneUnits)
				inside = inside && low <= c.mean && c.mean <= high
				if i%50 == 0 && c.mean < 1 {
					low, high = ProportionSequence(m.Mean*m.N, m.N, alpha)
					exact = exact && low <= c.mean && c.mean <= high
				}
			}
			if !inside {
				left++
			}
			if !exact {
				leftExact++
			}
		}
		if most := int(alpha * float64(experiments)); left > most || leftExact > most {
			t.Errorf("%s: the mean left its sequence in %d and the exact one in %d of %d experiments", c.name, left, leftExact, experiments)
		}
	}
}

func TestPAndIntervalsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	decided := 0
	for range 20_000 {
		n, m := 2+r.ExpFloat64()*1000, 2+r.ExpFloat64()*1000
		control, variant := Proportion(n*r.Float64(), n), Proportion(m*r.Float64(), m)
		if r.IntN(2) == 0 {
			variant.Mean = control.Mean + r.NormFloat64()*0.05
		}
		a := math.Pow(10, -4*r.Float64()) * 0.9
		_, low, high, p := DifferenceSequence(control, variant, a, 1000)
		_, lowLift, highLift := LiftSequence(control, variant, a, 1000)
		outside := low > 0 || high < 0
		if outside {
			decided++
		}
		if outside != (p <= a) {
			t.Fatalf("%+v %+v at %g: p %g, interval from %g to %g", control, variant, a, p, low, high)
		}
		if !math.IsInf(lowLift, -1) && outside != (lowLift > 0 || highLift < 0) {
			t.Fatalf("%+v %+v at %g: difference from %g to %g, lift from %g to %g", control, variant, a, low, high, lowLift, highLift)
		}
	}
	if decided < 2000 || decided > 18_000 {
		t.Errorf("%d of 20000 comparisons were decided, which is no test", decided)
	}
}

func TestASequenceIsTightestWhereItIsTuned(t *testing.T) {
	width := func(n, tune float64) float64 {
		low, high := MeanSequence(Moments{N: n, M2: n - 1}, alpha, tune)
		return high - low
	}
	for _, n := range []float64{100, 10_000, 1e7} {
		best := width(n, n)
		for _, off := range []float64{0.5, 0.9, 1.1, 2} {
			if width(n, n*off) <= best {
				t.Errorf("tuned for %g the width at %g is %g, tuned for it it is %g", n*off, n, width(n, n*off), best)
			}
		}
		if ratio := best / (2 * normalCritical(alpha) / math.Sqrt(n)); ratio < 1.5 || ratio > 1.6 {
			t.Errorf("at %g the sequence is %g times as wide as the interval for one look", n, ratio)
		}
	}
	if width(500, 0) != width(500, TuneUnits) {
		t.Error("tuneN 0 is not TuneUnits")
	}
}
