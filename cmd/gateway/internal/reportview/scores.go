package reportview

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"hotpath/abtest/readout"
)

// The histogram, in units of the picture.
const (
	scoresWidth, scoresHeight = 540.0, 208.0
	scoresLeft, scoresRight   = 48.0, 528.0
	scoresFoot                = 44.0
	scoresLegend              = 20.0
	// maxBins keeps the outlines readable: more bins are joined.
	maxBins = 40
)

// scores draws the variants' distributions of predictions over each other; empty
// where no variant predicted.
func scores(r *readout.Report) template.HTML {
	bins, bounds := joined(r)
	if len(bins) == 0 {
		return ""
	}
	var legend []int
	top := 0.0
	for i := range bins {
		if bins[i] != nil {
			legend, top = append(legend, i), math.Max(top, slices.Max(bins[i]))
		}
	}
	head := scoresLegend*float64(len(legend)) + 8
	bottom := head + scoresHeight
	d := begin("Predictions of each variant, "+r.Experiment, scoresWidth, bottom+scoresFoot)
	y := scale{0, top * 1.05, bottom, head}
	every := step(y.high, 4)
	for _, v := range y.ticks(every) {
		d.line("grid", scoresLeft, y.at(v), scoresRight, y.at(v))
		d.text("tick", end, scoresLeft-8, y.at(v)+4, tickLabel(100*v, 100*every)+"%")
	}
	x := scale{0, float64(len(bounds) + 1), scoresLeft, scoresRight}
	d.boundLabels(x, bounds, bottom)
	d.text("name", middle, (scoresLeft+scoresRight)/2, bottom+38, "prediction; height: share of the variant's answers")
	for row, i := range legend {
		v := &r.Variants[i]
		class := colour(v.Control, i)
		d.path("outline "+class, outline(x, y, bins[i]))
		at := scoresLegend*float64(row) + 12
		d.line("outline "+class, scoresLeft, at, scoresLeft+26, at)
		d.text("label", start, scoresLeft+36, at+4, fmt.Sprintf("%s: mean %s, %s answers", v.Name, score(&v.Score), count(v.Score.N)))
	}
	return d.done()
}

// outline is the steps of a histogram.
func outline(x, y scale, bins []float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", x.at(0), y.at(0))
	for i, share := range bins {
		fmt.Fprintf(&b, "V%.1fH%.1f", y.at(share), x.at(float64(i+1)))
	}
	fmt.Fprintf(&b, "V%.1f", y.at(0))
	return b.String()
}

// boundLabels writes as many of the bounds as there is room for.
func (d *drawing) boundLabels(x scale, bounds []float64, bottom float64) {
	d.line("axis", scoresLeft, bottom, scoresRight, bottom)
	every := max(1, int(math.Ceil(float64(len(bounds))/8)))
	for i := 0; i < len(bounds); i += every {
		at := x.at(float64(i + 1))
		d.line("axis", at, bottom, at, bottom+4)
		d.text("tick", middle, at, bottom+17, fmt.Sprintf("%.3g", bounds[i]))
	}
}

// joined gives each variant's shares in bins that are the same for all, nil for a
// variant without any: without the empty ones at both ends, and with neighbours
// joined until they are few. bounds are those between the bins.
func joined(r *readout.Report) (bins [][]float64, bounds []float64) {
	total, all := totals(r)
	first, last := 0, len(total)-1
	for first <= last && total[first] == 0 {
		first++
	}
	for last > first && total[last] == 0 {
		last--
	}
	if first > last {
		return nil, nil
	}
	begins := binBegins(first, last, len(total))
	for _, at := range begins[1:] {
		bounds = append(bounds, all[at-1])
	}
	for i := range r.Variants {
		bins = append(bins, binShares(r.Variants[i].Score.Histogram.Counts, begins, len(total)))
	}
	return bins, bounds
}

// totals adds up the variants' histograms, which have the same bounds.
func totals(r *readout.Report) (total []int64, bounds []float64) {
	for i := range r.Variants {
		h := &r.Variants[i].Score.Histogram
		if total == nil && len(h.Counts) == len(h.Bounds)+1 {
			total, bounds = make([]int64, len(h.Counts)), h.Bounds
		}
		if len(h.Counts) == len(total) {
			for k, n := range h.Counts {
				total[k] += n
			}
		}
	}
	return total, bounds
}

// binBegins are the first counts of each bin from first to last of n. What is
// below the lowest bound or above the highest stays by itself.
func binBegins(first, last, n int) []int {
	var begins []int
	if first == 0 {
		begins, first = append(begins, 0), 1
	}
	inner := min(last, n-2)
	for i, width := first, (inner-first)/maxBins+1; i <= inner; i += width {
		begins = append(begins, i)
	}
	if last == n-1 && (len(begins) == 0 || begins[len(begins)-1] != last) {
		begins = append(begins, last)
	}
	return begins
}

// binShares joins a variant's counts; nil where there are none.
func binShares(counts []int64, begins []int, want int) []float64 {
	sum := int64(0)
	for _, n := range counts {
		sum += n
	}
	if len(counts) != want || sum == 0 {
		return nil
	}
	out := make([]float64, len(begins))
	bin := 0
	for i := begins[0]; i < len(counts); i++ {
		if bin+1 < len(begins) && i >= begins[bin+1] {
			bin++
		}
		out[bin] += float64(counts[i]) / float64(sum)
	}
	return out
}
