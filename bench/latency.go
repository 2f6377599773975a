package bench

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the largest latency that is recorded; longer ones count as this.
const longest = 2 * time.Minute

// newHistogram records nanoseconds with three significant digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Nanoseconds(), 3)
}

// record adds one latency, clamped to what the histogram holds.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	// RecordValue fails only outside of the range that the clamp ensures.
	_ = h.RecordValue(min(max(d.Nanoseconds(), 1), longest.Nanoseconds()))
}

// Latency is a summary of a histogram, in microseconds.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	Max   float64 `json:"max_us"`
	// Curve has points for the plot, up to the last percentile that the number
	// of samples supports.
	Curve []CurvePoint `json:"curve,omitempty"`
}

// CurvePoint says that Percentile percent of the answers took at most Micros.
type CurvePoint struct {
	Percentile float64 `json:"percentile"`
	Micros     float64 `json:"us"`
}

func micros(ns int64) float64 { return math.Round(float64(ns)/10) / 100 }

func summarize(h *hdrhistogram.Histogram) Latency {
	l := Latency{
		Count: h.TotalCount(),
		P50:   micros(h.ValueAtPercentile(50)),
		P90:   micros(h.ValueAtPercentile(90)),
		P99:   micros(h.ValueAtPercentile(99)),
		P999:  micros(h.ValueAtPercentile(99.9)),
		Max:   micros(h.Max()),
	}
	if l.Count == 0 {
		return l
	}
	for _, p := range curvePercentiles(l.Count) {
		l.Curve = append(l.Curve, CurvePoint{p, micros(h.ValueAtPercentile(p))})
	}
	return l
}

// curvePercentiles spaces percentiles evenly in the number of nines: ten points
// each from 0 to 90, 90 to 99 and so on, until less than one sample is above.
func curvePercentiles(samples int64) []float64 {
	out := []float64{0}
	for step := 1; ; step++ {
		tail := math.Pow(10, -float64(step)/10)
		if tail*float64(samples) < 1 || step > 70 {
			return out
		}
		out = append(out, 100*(1-tail))
	}
}
