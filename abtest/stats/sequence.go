package stats

import "math"

// TuneUnits is the sample size to tune a sequence for when nothing is known of
// the traffic.
const TuneUnits = 10000

// MeanSequence is the confidence sequence of a mean: over all looks together, at
// every number of values, it holds the true mean with chance 1-alpha. It is the
// asymptotic sequence by normal mixture of Waudby-Smith et al. (2024):
//
//	mean +- s/sqrt(n) * sqrt((1 + 1/x) * (ln(1+x) + 2 ln(1/alpha))),  x = n*rho^2
//
// It assumes independent values of finite variance, and as a t interval does,
// enough of them that their variance s^2 is known fairly well. rho is such that
// the interval is as tight as it can be after tuneN values; there it is about
// one and a half times as wide as an interval for one look, and it is valid for
// any other tuneN that was chosen beforehand. tuneN 0 stands for TuneUnits.
func MeanSequence(m Moments, alpha, tuneN float64) (low, high float64) {
	x, ok := mixture(m.N, alpha, tuneN)
	se := math.Sqrt(m.errorSquared())
	if !ok || !(se > 0) {
		return math.Inf(-1), math.Inf(1)
	}
	half := se * multiplier(x, alpha)
	return m.Mean - half, m.Mean + half
}

// DifferenceSequence is the confidence sequence of the difference of two means,
// variant less control, and the always-valid p-value of no difference. p is at
// most alpha exactly where 0 is outside of the interval. Both are of this look:
// a caller may also keep the smallest p and the narrowest bounds of all looks.
//
// The time that counts is the precision of the difference, in which the
// difference times its precision is a Brownian motion: so the split may change
// on the way. It is scaled to the units of an even split that is as precise, and
// tuneN is the number of those, of both variants together.
func DifferenceSequence(control, variant Moments, alpha, tuneN float64) (diff, low, high, p float64) {
	diff = variant.Mean - control.Mean
	e := errorsOf(control, variant)
	x, ok := mixture(e.units, alpha, tuneN)
	if !ok {
		return diff, math.Inf(-1), math.Inf(1), 1
	}
	se := math.Sqrt(e.control + e.variant)
	half := se * multiplier(x, alpha)
	z := diff / se
	p = min(1, math.Exp(math.Log1p(x)/2-z*z/2*x/(1+x)))
	return diff, diff - half, diff + half, p
}

// LiftSequence is the confidence sequence of the lift, which is the variant's
// mean over the control's, less 1. It holds each lift that DifferenceSequence,
// asked for the difference between the variant and the control times 1+lift,
// cannot rule out (Fieller's way): so it excludes 0 exactly where that interval
// does. It is unbounded while the control's mean can still be 0, and lift is 0
// where the control's mean is.
func LiftSequence(control, variant Moments, alpha, tuneN float64) (lift, low, high float64) {
	c, v := control.Mean, variant.Mean
	if c != 0 {
		lift = v/c - 1
	}
	e := errorsOf(control, variant)
	x, ok := mixture(e.units, alpha, tuneN)
	if !ok {
		return lift, math.Inf(-1), math.Inf(1)
	}
	// The bounds are the roots of (v - r*c)^2 = k^2 (variant + r^2 control) in r.
	k := multiplier(x, alpha)
	a := c*c - k*k*e.control
	if !(a > 0) {
		return lift, math.Inf(-1), math.Inf(1)
	}
	root := k * math.Sqrt(v*v*e.control+a*e.variant)
	return lift, (v*c-root)/a - 1, (v*c+root)/a - 1
}

// meanErrors are the squared standard errors of two means.
type meanErrors struct {
	control, variant float64
	units            float64 // of an even split as precise; 0 while the errors are unknown
}

// errorsOf takes the larger error of the difference, that from each variance by
// itself or that from the variance of all values together. The first is right for
// many values. But few of them often look alike: no conversion among the first
// hundred units of a canary is no proof that nobody converts, though their own
// variance says so; it is the control's many values that tell what to expect.
func errorsOf(control, variant Moments) meanErrors {
	if control.N < 2 || variant.N < 2 {
		return meanErrors{}
	}
	all := control
	all.Merge(variant)
	vc, vv, v := control.Variance(), variant.Variance(), all.Variance()
	own := meanErrors{control: vc / control.N, variant: vv / variant.N}
	pooled := meanErrors{control: v / control.N, variant: v / variant.N}
	if sum := own.control + own.variant; sum > pooled.control+pooled.variant {
		own.units = 2 * (vc + vv) / sum
		return own
	}
	if v > 0 {
		pooled.units = 4 / (1/control.N + 1/variant.N)
	}
	return pooled
}

// mixture is n*rho^2, for the rho by which a sequence is tightest after tuneN
// units.
func mixture(n, alpha, tuneN float64) (x float64, ok bool) {
	if !isLevel(alpha) || !(n > 0) {
		return 0, false
	}
	if !(tuneN > 0) {
		tuneN = TuneUnits
	}
	x = n / tuneN * tightest(alpha)
	return x, x > 0 && !math.IsInf(x, 1)
}

// tightest is the x at which the width is smallest for the number of units. The
// derivative of multiplier(x)^2 is 0 where x = ln(1+x) + 2 ln(1/alpha), which
// has one solution above 0.
func tightest(alpha float64) float64 {
	c := -2 * math.Log(alpha)
	// Newton's method from the right of the solution of a convex function.
	x := 2*c + 2
	for range 50 {
		next := x - (x-math.Log1p(x)-c)*(1+x)/x
		if math.Abs(next-x) <= 1e-15*x {
			return next
		}
		x = next
	}
	return x
}

// multiplier is how many standard errors a sequence reaches to each side.
func multiplier(x, alpha float64) float64 {
	return math.Sqrt((1 + 1/x) * (math.Log1p(x) - 2*math.Log(alpha)))
}
