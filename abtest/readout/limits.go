package readout

import (
	"math"

	"hotpath/abtest/stats"
)

// chanceLog is how sure a guardrail is of each side of what it compares: a look at a
// window goes wrong with a chance of e^-11.5, one in 100,000, at most, where the
// truth is just at the bound, and far less below it. It looks some ten thousand
// times a day, at windows that overlap.
const chanceLog = 11.5

// chanceAlpha is the error probability of guardrails on metrics of feedback, over
// all looks together.
const chanceAlpha = 0.001

// divergence is the Kullback-Leibler divergence of a coin of chance a from one of
// chance b.
func divergence(a, b float64) float64 {
	d := 0.0
	if a > 0 {
		d += a * math.Log(a/b)
	}
	if a < 1 {
		d += (1 - a) * math.Log((1-a)/(1-b))
	}
	return d
}

// rateLimits are the bounds of a rate, of which k of n were seen. They are those of
// Chernoff: the chance of k or more is at most e^-n*divergence, whatever n and the
// rate are. Wilson's interval is narrower, but for rates near zero a bound of
// 1 in 100,000 is broken a hundred times as often.
func rateLimits(k, n int64) (low, high float64) {
	p, reach := float64(k)/float64(n), chanceLog/float64(n)
	low = boundary(0, p, func(b float64) bool { return divergence(p, b) > reach })
	high = boundary(1, p, func(b float64) bool { return divergence(p, b) > reach })
	return low, high
}

// rankLimits are the shares of n values between whose quantiles the true quantile q
// lies. Low 0 or high 1: the values do not tell.
func rankLimits(q float64, n int64) (low, high float64) {
	reach := chanceLog / float64(n)
	low = boundary(0, q, func(a float64) bool { return divergence(a, q) > reach })
	high = boundary(1, q, func(a float64) bool { return divergence(a, q) > reach })
	return low, high
}

// boundary is where far, which holds at the far end if anywhere, stops holding on
// the way to near. It is the far end where it never holds.
func boundary(end, near float64, far func(float64) bool) float64 {
	if near == end || !far(end) {
		return end
	}
	for range 40 {
		if middle := (end + near) / 2; far(middle) {
			end = middle
		} else {
			near = middle
		}
	}
	return end
}

// fewestScores is how many values a variance is known from well enough.
const fewestScores = 20

// meanLimits are the bounds of a mean: Student's, by an expansion of its quantile.
func meanLimits(m stats.Moments) (low, high float64) {
	if m.N < fewestScores {
		return math.Inf(-1), math.Inf(1)
	}
	const z = 4.265 // of 1 in 100,000
	v := m.N - 1
	t := z * (1 + (z*z+1)/(4*v) + (5*z*z*z*z+16*z*z+3)/(96*v*v))
	half := t * m.StdDev() / math.Sqrt(m.N)
	return m.Mean - half, m.Mean + half
}
