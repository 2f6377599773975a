package stats

import (
	"fmt"
	"math"
	"testing"
)

// Whatever comes, an answer is a number, an interval holds its estimate and a p
// is from 0 to 1.
func TestNothingIsEverNaN(t *testing.T) {
	all := []Moments{
		{}, {N: 1, Mean: 3}, {N: 2, Mean: 0}, {N: 2, Mean: 1, M2: 1e-300}, {N: 1000, Mean: 0}, {N: 1000, Mean: 1},
		Proportion(1, 1000), Proportion(999, 1000), Proportion(5e14, 1e15), {N: 1e15, Mean: 1e100, M2: 1e150},
		{N: 50, Mean: -1e-200, M2: 1e-290}, {N: 50, Mean: 1e15, M2: 49}, {N: 3, Mean: -5, M2: 8},
	}
	for _, c := range all {
		for _, v := range all {
			for _, a := range []float64{-1, 0, 1e-300, 1e-9, 0.05, 0.999999, 1, 2} {
				for _, tune := range []float64{-1, 0, 1e-9, 1, 1e18, math.Inf(1)} {
					name := fmt.Sprintf("%+v %+v at %g tuned for %g", c, v, a, tune)
					diff, low, high, p := DifferenceSequence(c, v, a, tune)
					sane(t, "difference of "+name, diff, low, high, p)
					lift, low, high := LiftSequence(c, v, a, tune)
					if math.IsNaN(lift) || math.IsNaN(low) || math.IsNaN(high) || low > high {
						t.Errorf("lift of %s: %g from %g to %g", name, lift, low, high)
					}
					low, high = MeanSequence(c, a, tune)
					sane(t, "mean of "+name, c.Mean, low, high, 1)
				}
				diff, low, high, p := Welch(c, v, a)
				sane(t, fmt.Sprintf("Welch of %+v %+v at %g", c, v, a), diff, low, high, p)
				for what, f := range map[string]func(float64, float64, float64) (float64, float64){"Wilson": Wilson, "exact": ProportionSequence} {
					low, high := f(c.Mean*c.N, c.N, a)
					if !(0 <= low && low <= high && high <= 1) {
						t.Errorf("%s of %+v at %g from %g to %g", what, c, a, low, high)
					}
				}
			}
			if z, p := TwoProportionZ(c.Mean*c.N, c.N, v.Mean*v.N, v.N); math.IsNaN(z) || !(p >= 0 && p <= 1) {
				t.Errorf("z test of %+v %+v: %g, p %g", c, v, z, p)
			}
		}
	}
}

func sane(t *testing.T, what string, estimate, low, high, p float64) {
	t.Helper()
	if math.IsNaN(estimate) || !(low <= estimate && estimate <= high) || !(p >= 0 && p <= 1) {
		t.Errorf("%s: %g from %g to %g, p %g", what, estimate, low, high, p)
	}
}

func TestValuesAllAlikeSayNothing(t *testing.T) {
	c, v := Moments{N: 1000, Mean: 0}, Moments{N: 1000, Mean: 0}
	if _, low, high, p := DifferenceSequence(c, v, 0.05, 0); !math.IsInf(low, -1) || !math.IsInf(high, 1) || p != 1 {
		t.Errorf("no conversion at all: from %g to %g, p %g", low, high, p)
	}
	// But all of one and none of the other do.
	v.Mean = 1
	if _, low, _, p := DifferenceSequence(c, v, 0.05, 0); !(low > 0.8) || p > 1e-9 {
		t.Errorf("all against none: from %g, p %g", low, p)
	}
	// And few of them do not.
	if _, low, high, p := DifferenceSequence(Proportion(0, 3), Proportion(3, 3), 0.05, 0); low > 0 || high < 0 || p < 0.5 {
		t.Errorf("three against none of three: from %g to %g, p %g", low, high, p)
	}
	if low, high := ProportionSequence(0, 5000, 0.05); low != 0 || high > 0.003 {
		t.Errorf("none of 5000: from %g to %g", low, high)
	}
}

func TestChiSquareOfWhatIsNotExpected(t *testing.T) {
	if statistic, p := ChiSquareTest([]float64{10, 1}, []float64{1, 0}); !math.IsInf(statistic, 1) || p != 0 {
		t.Errorf("something that cannot be: %g, p %g", statistic, p)
	}
	for _, c := range [][2][]float64{{{}, {}}, {{5}, {1}}, {{0, 0}, {1, 1}}, {{3, 0}, {1, 0}}, {{0, 0}, {0, 0}}} {
		if statistic, p := ChiSquareTest(c[0], c[1]); statistic != 0 || p != 1 {
			t.Errorf("%v: %g, p %g", c, statistic, p)
		}
	}
	if _, p := ChiSquareTest([]float64{10, 10, 0}, []float64{1, 1, 0}); p != 1 {
		t.Errorf("what is neither expected nor observed counts: p %g", p)
	}
}

func TestSRMOfHardlyAnything(t *testing.T) {
	for arms := range 2 {
		s := NewSRM(arms)
		for range 10 * arms {
			s.Add(0, []float64{1})
		}
		if _, p := s.ChiSquare(); s.P() != 1 || p != 1 {
			t.Errorf("%d arms: p %g and %g", arms, s.P(), p)
		}
	}
	s := NewSRM(2)
	for range 1_000_000 {
		s.Add(0, []float64{1e-12, 1})
	}
	if s.P() != 0 {
		t.Errorf("all units in an arm of almost no share: p %g", s.P())
	}
}
