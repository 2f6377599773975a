package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSampleSizePowerAndEffectInvertEachOther(t *testing.T) {
	for _, d := range []Design{
		{Mean: 0.1, Proportion: true, Ratio: 1, Alpha: 0.05, Power: 0.8},
		{Mean: 0.1, Proportion: true, Ratio: 1.0 / 19, Alpha: 0.01, Power: 0.9, Sequential: true, TuneN: 50_000},
		{Mean: 1000, StdDev: 3000, Ratio: 0.5, Alpha: 0.05, Power: 0.8},
		{Mean: 1e-6, StdDev: 1e-5, Ratio: 2, Alpha: 0.05, Power: 0.99, Sequential: true},
	} {
		for _, relative := range []float64{0.01, 0.05, 0.3, -0.05} {
			effect := d.Mean * relative
			n := d.SampleSize(effect)
			near(t, "power with the sample size", d.PowerAt(effect, n), d.Power, 1e-9)
			if relative > 0 {
				near(t, "the effect detectable with the sample size", d.MinimumDetectableEffect(n), effect, 1e-9)
			}
			one := d
			one.Sequential = false
			if fixed := one.SampleSize(effect); d.Sequential && !(fixed < n && n < 4*fixed) {
				t.Errorf("%+v: any time takes %g units, one look %g", d, n, fixed)
			}
		}
	}
}

func TestThePowerIsWhatExperimentsHave(t *testing.T) {
	t.Parallel()
	d := Design{Mean: 0.2, Proportion: true, Ratio: 0.5, Alpha: 0.05, Power: 0.8}
	n := int(d.SampleSize(0.05))
	d.Sequential = true
	sequential := d.PowerAt(0.05, float64(n))
	r, z, anytime := rand.New(rand.NewPCG(4, 4)), 0, 0
	experiments := scaled(2000, 300)
	for range experiments {
		var c, v Moments
		for i := range n {
			if i%3 == 0 {
				v.Add(converts(0.25)(r))
			} else {
				c.Add(converts(0.2)(r))
			}
		}
		if _, p := TwoProportionZ(c.Mean*c.N, c.N, v.Mean*v.N, v.N); p <= d.Alpha {
			z++
		}
		if _, _, _, p := DifferenceSequence(c, v, d.Alpha, 0); p <= d.Alpha {
			anytime++
		}
	}
	scatter := 4 * math.Sqrt(0.25/float64(experiments))
	if got := float64(z) / float64(experiments); math.Abs(got-d.Power) > scatter {
		t.Errorf("the z test found the effect in %g of the experiments, want %g", got, d.Power)
	}
	if got := float64(anytime) / float64(experiments); math.Abs(got-sequential) > scatter {
		t.Errorf("the sequence found the effect in %g of the experiments, want %g", got, sequential)
	}
}

func TestWhatCannotBePlannedIsInfinite(t *testing.T) {
	fine := Design{Mean: 0.1, Proportion: true, Ratio: 1, Alpha: 0.05, Power: 0.8}
	change := func(f func(d *Design)) Design {
		d := fine
		f(&d)
		return d
	}
	for name, d := range map[string]Design{
		"no variant":       change(func(d *Design) { d.Ratio = 0 }),
		"no level":         change(func(d *Design) { d.Alpha = 0 }),
		"certain":          change(func(d *Design) { d.Power = 1.1 }),
		"all convert":      change(func(d *Design) { d.Mean = 1 }),
		"no variance":      {Mean: 5, Ratio: 1, Alpha: 0.05, Power: 0.8},
		"no variance, any": {Mean: 5, Ratio: 1, Alpha: 0.05, Power: 0.8, Sequential: true},
	} {
		if n, e := d.SampleSize(0.01), d.MinimumDetectableEffect(1000); !math.IsInf(n, 1) || !math.IsInf(e, 1) {
			t.Errorf("%s: %g units, effect %g", name, n, e)
		}
	}
	if n := fine.SampleSize(0); !math.IsInf(n, 1) {
		t.Errorf("no effect is found with %g units", n)
	}
	for _, n := range []float64{-1, 0, 1, 3} {
		for _, sequential := range []bool{false, true} {
			fine.Sequential = sequential
			if e := fine.MinimumDetectableEffect(n); !(e > 0.5) {
				t.Errorf("%g units detect %g", n, e)
			}
		}
	}
}
