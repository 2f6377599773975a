package stats

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// vectors are what testdata/make_vectors.py computed with SciPy and statsmodels.
type vectors struct {
	ChiSquare []struct {
		Observed, Expected []float64
		Statistic, P       float64
	} `json:"chi_square"`
	Wilson         []struct{ Successes, N, Alpha, Low, High float64 }
	TwoProportionZ []struct {
		Control, Variant [2]float64
		Z, P             float64
	} `json:"two_proportion_z"`
	Moments []struct {
		Values         []float64
		Mean, Variance float64
	}
	Welch []struct {
		Control, Variant          [3]float64
		Alpha, Diff, Low, High, P float64
	}
	Holm         []struct{ P, Adjusted []float64 }
	MeanSequence []struct {
		Moments                [3]float64
		Alpha, Tune, Low, High float64
	} `json:"mean_sequence"`
	DifferenceSequence []struct {
		Control, Variant                [3]float64
		Alpha, Tune, Diff, Low, High, P float64
		Lift                            float64
		Bounded                         bool
		LiftLow                         float64 `json:"lift_low"`
		LiftHigh                        float64 `json:"lift_high"`
	} `json:"difference_sequence"`
	ProportionSequence []struct{ Successes, N, Alpha, Low, High float64 } `json:"proportion_sequence"`
	SRM                []struct {
		Shares []float64
		Counts []int
		LogE   float64 `json:"log_e"`
	}
	SRMChanging []struct {
		Stages []struct {
			Shares []float64
			Units  []int
		}
		LogE     float64 `json:"log_e"`
		Most     float64
		Expected []float64
	} `json:"srm_changing"`
	Design           []designVector
	DesignSequential []designVector `json:"design_sequential"`
}

type designVector struct {
	Proportion                                bool
	Mean, StdDev, Effect, Ratio, Alpha, Power float64
	Tune, N                                   float64
	Half                                      float64 // the power with half of N
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func momentsOf(m [3]float64) Moments { return Moments{N: m[0], Mean: m[1], M2: m[2]} }

// near checks a number to a relative tolerance, or to 1e-14 near 0.
func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Max(math.Abs(want), 1e-300)) && !(math.Abs(got-want) <= 1e-14) {
		t.Errorf("%s is %.17g, want %.17g", what, got, want)
	}
}

func TestFixedHorizonAgreesWithSciPy(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.ChiSquare {
		statistic, p := ChiSquareTest(c.Observed, c.Expected)
		near(t, "chi-square", statistic, c.Statistic, 1e-12)
		near(t, "its p", p, c.P, 1e-10)
	}
	for _, c := range v.Wilson {
		low, high := Wilson(c.Successes, c.N, c.Alpha)
		near(t, "Wilson's low bound", low, c.Low, 1e-11)
		near(t, "Wilson's high bound", high, c.High, 1e-11)
	}
	for _, c := range v.TwoProportionZ {
		z, p := TwoProportionZ(c.Control[0], c.Control[1], c.Variant[0], c.Variant[1])
		near(t, "z", z, c.Z, 1e-12)
		near(t, "its p", p, c.P, 1e-11)
	}
	for _, c := range v.Welch {
		diff, low, high, p := Welch(momentsOf(c.Control), momentsOf(c.Variant), c.Alpha)
		near(t, "Welch's difference", diff, c.Diff, 1e-9)
		near(t, "Welch's low bound", low, c.Low, 1e-8)
		near(t, "Welch's high bound", high, c.High, 1e-8)
		near(t, "Welch's p", p, c.P, 1e-8)
	}
	for _, c := range v.Holm {
		for i, p := range Holm(c.P) {
			near(t, "Holm's p", p, c.Adjusted[i], 1e-13)
		}
	}
	if n := len(v.ChiSquare) * len(v.Wilson) * len(v.TwoProportionZ) * len(v.Welch) * len(v.Holm); n == 0 {
		t.Error("a list of vectors is empty")
	}
}

func TestMomentsAgreeWithNumPy(t *testing.T) {
	for _, c := range readVectors(t).Moments {
		var all, left, right Moments
		for i, x := range c.Values {
			all.Add(x)
			if i%3 == 0 {
				left.Add(x)
			} else {
				right.Add(x)
			}
		}
		left.Merge(right)
		for what, m := range map[string]Moments{"added": all, "merged": left} {
			near(t, what+" mean", m.Mean, c.Mean, 1e-14)
			// A mean far from 0 costs digits of the deviations themselves.
			lost := 1e-13 + 1e-15*math.Abs(c.Mean)/math.Sqrt(max(c.Variance, 1e-9))
			near(t, what+" variance", m.Variance(), c.Variance, lost)
		}
	}
}

func TestSequencesAgreeWithTheIntegratedMixture(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.MeanSequence {
		m := momentsOf(c.Moments)
		low, high := MeanSequence(m, c.Alpha, c.Tune)
		near(t, "low - mean", low-m.Mean, c.Low-m.Mean, 1e-10)
		near(t, "high - mean", high-m.Mean, c.High-m.Mean, 1e-10)
	}
	for _, c := range v.DifferenceSequence {
		control, variant := momentsOf(c.Control), momentsOf(c.Variant)
		diff, low, high, p := DifferenceSequence(control, variant, c.Alpha, c.Tune)
		near(t, "difference", diff, c.Diff, 1e-12)
		near(t, "low bound", low, c.Low, 1e-9)
		near(t, "high bound", high, c.High, 1e-9)
		near(t, "p", p, c.P, 1e-9)
		lift, low, high := LiftSequence(control, variant, c.Alpha, c.Tune)
		near(t, "lift", lift, c.Lift, 1e-12)
		if !c.Bounded {
			c.LiftLow, c.LiftHigh = math.Inf(-1), math.Inf(1)
			if low != c.LiftLow || high != c.LiftHigh {
				t.Errorf("the lift is from %g to %g though the control's mean can be 0", low, high)
			}
			continue
		}
		near(t, "lift's low bound", low, c.LiftLow, 1e-9)
		near(t, "lift's high bound", high, c.LiftHigh, 1e-9)
	}
	for _, c := range v.ProportionSequence {
		low, high := ProportionSequence(c.Successes, c.N, c.Alpha)
		near(t, "rate's low bound", low, c.Low, 1e-8)
		near(t, "rate's high bound", high, c.High, 1e-8)
	}
	if len(v.MeanSequence)*len(v.DifferenceSequence)*len(v.ProportionSequence) == 0 {
		t.Error("a list of vectors is empty")
	}
}

func TestSRMAgreesWithTheLikelihoodRatio(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.SRM {
		s, left := NewSRM(len(c.Counts)), append([]int(nil), c.Counts...)
		for n := 1; n > 0; { // in turn, as the order must not matter
			n = 0
			for arm := range left {
				if left[arm] > 0 {
					left[arm]--
					n++
					s.Add(arm, c.Shares)
				}
			}
		}
		near(t, "ln e", s.log, c.LogE, 1e-8)
	}
	for _, c := range v.SRMChanging {
		s := NewSRM(len(c.Expected))
		for _, stage := range c.Stages {
			for _, arm := range stage.Units {
				if !s.Add(arm, stage.Shares) {
					t.Error("a unit of an arm that has a share was not counted")
				}
			}
		}
		near(t, "ln e", s.log, c.LogE, 1e-9)
		near(t, "p", s.P(), math.Exp(-c.Most), 1e-9)
		for arm, want := range c.Expected {
			near(t, "expected", s.Expected(arm), want, 1e-12)
		}
	}
	if len(v.SRM)*len(v.SRMChanging) == 0 {
		t.Error("a list of vectors is empty")
	}
}

func TestDesignsAgreeWithStatsmodels(t *testing.T) {
	v := readVectors(t)
	for _, c := range append(v.Design, v.DesignSequential...) {
		d := Design{Mean: c.Mean, StdDev: c.StdDev, Proportion: c.Proportion, Ratio: c.Ratio, Alpha: c.Alpha, Power: c.Power,
			Sequential: c.Tune > 0, TuneN: c.Tune}
		near(t, "sample size", d.SampleSize(c.Effect), c.N, 1e-8)
		near(t, "power with half of it", d.PowerAt(c.Effect, c.N/2), c.Half, 1e-8)
		if c.Effect > 0 {
			near(t, "minimum detectable effect", d.MinimumDetectableEffect(c.N), c.Effect, 1e-8)
		}
	}
	if len(v.Design)*len(v.DesignSequential) == 0 {
		t.Error("a list of vectors is empty")
	}
}
