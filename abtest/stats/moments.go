package stats

import "math"

// Moments are the count, the mean and the sum of squared deviations of values
// that come one by one, by Welford's method: it does not lose digits when the
// mean is far from zero. The zero value holds nothing.
type Moments struct {
	N    float64 `json:"n"`
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"`
}

// Proportion are the moments of n units of which some succeeded: zeros and ones.
func Proportion(successes, n float64) Moments {
	if n <= 0 {
		return Moments{}
	}
	p := min(max(successes/n, 0), 1)
	return Moments{N: n, Mean: p, M2: n * p * (1 - p)}
}

// Add adds a value.
func (m *Moments) Add(x float64) {
	m.N++
	d := x - m.Mean
	m.Mean += d / m.N
	m.M2 += d * (x - m.Mean)
}

// Remove takes a value out that was added before.
func (m *Moments) Remove(x float64) {
	if m.N <= 1 {
		*m = Moments{}
		return
	}
	d := x - m.Mean
	m.N--
	m.Mean -= d / m.N
	m.M2 = max(0, m.M2-d*(x-m.Mean))
}

// Replace puts a new value in place of one that was added before: a unit's sum
// that grew, say.
func (m *Moments) Replace(old, x float64) {
	if m.N <= 0 {
		return
	}
	d, before := x-old, m.Mean
	m.Mean += d / m.N
	m.M2 = max(0, m.M2+d*(x-m.Mean+old-before))
}

// Merge adds all that the other holds.
func (m *Moments) Merge(o Moments) {
	switch {
	case o.N <= 0:
		return
	case m.N <= 0:
		*m = o
		return
	}
	n, d := m.N+o.N, o.Mean-m.Mean
	m.Mean += d * o.N / n
	m.M2 += o.M2 + d*d*m.N*o.N/n
	m.N = n
}

// Variance is the unbiased variance of the values; 0 of fewer than two.
func (m Moments) Variance() float64 {
	if m.N < 2 {
		return 0
	}
	return m.M2 / (m.N - 1)
}

// StdDev is the square root of Variance.
func (m Moments) StdDev() float64 { return math.Sqrt(m.Variance()) }

// errorSquared is the variance of the mean; infinite when it is unknown.
func (m Moments) errorSquared() float64 {
	if m.N < 2 {
		return math.Inf(1)
	}
	return m.Variance() / m.N
}
