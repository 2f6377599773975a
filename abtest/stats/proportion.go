package stats

import "math"

// ProportionSequence is the confidence sequence of a proportion. It is exact: it
// holds for any number of units, however rare successes are, and it is Robbins's
// mixture of the binomial likelihood over Jeffreys' prior: a rate is ruled out
// when the mixture is at least 1/alpha times as likely as the rate.
func ProportionSequence(successes, n, alpha float64) (low, high float64) {
	if n <= 0 || !isLevel(alpha) {
		return 0, 1
	}
	successes = min(max(successes, 0), n)
	failures := n - successes
	likelihood := logBeta(successes+0.5, failures+0.5) - logBeta(0.5, 0.5)
	ruledOut := func(rate float64) bool {
		return likelihood-xLogY(successes, rate)-xLogY(failures, 1-rate) >= -math.Log(alpha)
	}
	low, high = 0, 1
	if successes > 0 {
		low = edge(ruledOut, 0, successes/n)
	}
	if failures > 0 {
		high = edge(ruledOut, 1, successes/n)
	}
	return low, high
}

// edge is the last rate that is ruled out between one that is and one that is not.
func edge(ruledOut func(float64) bool, out, in float64) float64 {
	for range 100 {
		middle := (out + in) / 2
		if middle == out || middle == in {
			break
		}
		if ruledOut(middle) {
			out = middle
		} else {
			in = middle
		}
	}
	return out
}

func logBeta(a, b float64) float64 {
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return la + lb - lab
}

// xLogY is x*ln(y), and 0 where x is.
func xLogY(x, y float64) float64 {
	if x == 0 {
		return 0
	}
	return x * math.Log(y)
}
