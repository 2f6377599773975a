package bench

import (
	"math/rand/v2"
	"slices"
)

// resamples is the number of bootstrap samples.
const resamples = 10000

// Interval is a median with its bootstrap 95 % interval.
type Interval struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"`
}

// Excludes says whether v lies outside of the interval.
func (i Interval) Excludes(v float64) bool { return i.N > 0 && (v < i.Low || v > i.High) }

// median sorts values in place.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	slices.Sort(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// bootstrap is the median of the values with the 2.5 % and 97.5 % quantiles of
// the medians of samples drawn from them. The seed is fixed: equal values give
// an equal interval.
func bootstrap(values []float64) Interval {
	n := len(values)
	if n == 0 {
		return Interval{}
	}
	r := rand.New(rand.NewPCG(1, 95))
	draws := make([]float64, resamples)
	sample := make([]float64, n)
	for d := range draws {
		for i := range sample {
			sample[i] = values[r.IntN(n)]
		}
		draws[d] = median(sample)
	}
	slices.Sort(draws)
	return Interval{
		Median: median(slices.Clone(values)),
		Low:    draws[resamples*25/1000],
		High:   draws[resamples*975/1000-1],
		N:      n,
	}
}
