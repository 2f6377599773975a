package stats

import "math"

// ChiSquareTest is Pearson's test of goodness of fit. Expected is in any unit:
// it is scaled to the sum of observed. What is neither expected nor observed
// does not count; something observed that is not expected at all has p 0.
func ChiSquareTest(observed, expected []float64) (statistic, p float64) {
	var seen, wanted float64
	kinds := 0
	for i, o := range observed {
		seen += o
		wanted += expected[i]
		switch {
		case expected[i] > 0:
			kinds++
		case o > 0:
			return math.Inf(1), 0
		}
	}
	if kinds < 2 || seen <= 0 {
		return 0, 1
	}
	for i, o := range observed {
		if e := expected[i] / wanted * seen; e > 0 {
			statistic += (o - e) * (o - e) / e
		}
	}
	return statistic, chiSquareTail(statistic, float64(kinds-1))
}

// Wilson is Wilson's score interval of a proportion, for one look.
func Wilson(successes, n, alpha float64) (low, high float64) {
	if n <= 0 || !isLevel(alpha) {
		return 0, 1
	}
	p, z := min(max(successes/n, 0), 1), normalCritical(alpha)
	shrink := 1 / (1 + z*z/n)
	middle := (p + z*z/(2*n)) * shrink
	half := z * shrink * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	low, high = max(0, middle-half), min(1, middle+half)
	// The bounds are exact there, but for rounding.
	if p == 0 {
		low = 0
	}
	if p == 1 {
		high = 1
	}
	return low, high
}

// TwoProportionZ tests whether two proportions are equal, with the pooled
// variance, for one look. z is positive where the variant's is larger.
func TwoProportionZ(controlSuccesses, controlN, variantSuccesses, variantN float64) (z, p float64) {
	if controlN <= 0 || variantN <= 0 {
		return 0, 1
	}
	pooled := (controlSuccesses + variantSuccesses) / (controlN + variantN)
	variance := pooled * (1 - pooled) * (1/controlN + 1/variantN)
	if !(variance > 0) {
		return 0, 1
	}
	z = (variantSuccesses/variantN - controlSuccesses/controlN) / math.Sqrt(variance)
	return z, normalBothTails(z)
}

// Welch is the t interval and test of the difference of two means, variant less
// control, of unequal variances, for one look.
func Welch(control, variant Moments, alpha float64) (diff, low, high, p float64) {
	diff = variant.Mean - control.Mean
	ec, ev := control.errorSquared(), variant.errorSquared()
	if !(ec+ev > 0) || math.IsInf(ec+ev, 1) || !isLevel(alpha) {
		return diff, math.Inf(-1), math.Inf(1), 1
	}
	// Welch and Satterthwaite's degrees of freedom, from shares that cannot overflow.
	share := ec / (ec + ev)
	degrees := 1 / (share*share/(control.N-1) + (1-share)*(1-share)/(variant.N-1))
	se := math.Sqrt(ec + ev)
	half := se * studentCritical(alpha, degrees)
	return diff, diff - half, diff + half, studentBothTails(diff/se, degrees)
}
