package readout

import (
	"math"
	"slices"
)

// scoreBounds are bounds for the histograms of all arms: round numbers that most of
// the values lie between.
func (x *experiment) scoreBounds() []float64 {
	const tail = 0.002
	low, high := math.Inf(1), math.Inf(-1)
	for i := range x.arms {
		s := &x.arms[i].score
		if s.n > 0 {
			from, _ := s.quantile(tail)
			to, _ := s.quantile(1 - tail)
			low, high = min(low, from), max(high, to)
		}
	}
	return roundBounds(low, high)
}

// roundBounds are some twenty equidistant round numbers around an interval; nil when
// it is empty.
func roundBounds(low, high float64) []float64 {
	if !(low <= high) {
		return nil
	}
	const count, least = 20, 1e-290
	size := max(math.Abs(low), math.Abs(high))
	width := high/count - low/count
	if width < max(size*1e-12, least) { // all alike
		width = max(size, 1) / 1000
	}
	step := roundStep(width)
	var bounds []float64
	for i := math.Floor(low / step.times(1)); len(bounds) == 0 || bounds[len(bounds)-1] <= high && len(bounds) < 2*count; i++ {
		bounds = append(bounds, step.times(i))
	}
	// Round numbers around the largest ones are beyond all numbers.
	return slices.DeleteFunc(bounds, func(b float64) bool { return math.IsInf(b, 0) })
}

// decimalStep is digit times ten to the power.
type decimalStep struct{ digit, power float64 }

// roundStep is the least step of 1, 2 or 5 times a power of ten that is not below a
// width.
func roundStep(width float64) decimalStep {
	power := math.Floor(math.Log10(width))
	for _, digit := range [...]float64{1, 2, 5} {
		if s := (decimalStep{digit, power}); s.times(1) >= width {
			return s
		}
	}
	return decimalStep{1, power + 1}
}

// times is a multiple of the step. Dividing by a power of ten gives the number that
// is nearest to the decimal one.
func (s decimalStep) times(n float64) float64 {
	if s.power < 0 {
		return n * s.digit / math.Pow(10, -s.power)
	}
	return n * s.digit * math.Pow(10, s.power)
}

// histogram counts the values between bounds.
func (s *sketch) histogram(bounds []float64) HistogramReport {
	h := HistogramReport{Bounds: []float64{}, Counts: []int64{}}
	if len(bounds) == 0 {
		return h
	}
	h.Bounds = append(h.Bounds, bounds...)
	before := int64(0)
	for _, b := range bounds {
		below := s.below(b)
		h.Counts = append(h.Counts, below-before)
		before = below
	}
	h.Counts = append(h.Counts, s.n-before)
	return h
}
