package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// bar is one column of a histogram.
type bar struct {
	label, hint string
	value       float64
}

// barsSVG draws columns from 0, with the share of the whole on top of each.
func barsSVG(label, title string, bars []bar) string {
	const height = 220.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, plotWidth, height, html.EscapeString(label))
	largest, total := 0.0, 0.0
	for _, v := range bars {
		largest = math.Max(largest, v.value)
		total += v.value
	}
	left, right, bottom := 16.0, plotWidth-16, height-plotB
	slot := (right - left) / float64(max(len(bars), 1))
	width := math.Min(slot-2, 56)
	for i, v := range bars {
		x := left + slot*(float64(i)+0.5)
		h := (bottom - 32) * ratio(v.value, largest)
		fmt.Fprintf(&b, `<path class="bar" d="M%.1f %.1fv%.1fq0 -%.1f %.1f -%.1fh%.1fq%.1f 0 %.1f %.1fv%.1fz"><title>%s</title></path>`,
			x-width/2, bottom, -math.Max(h-4, 0), math.Min(h, 4), 4.0, math.Min(h, 4), width-8, 4.0, 4.0, math.Min(h, 4), math.Max(h-4, 0), html.EscapeString(v.hint))
		fmt.Fprintf(&b, `<text class="value" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, bottom-h-7, percent(ratio(v.value, total)))
		fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, bottom+18, html.EscapeString(v.label))
	}
	fmt.Fprintf(&b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, right, bottom, bottom)
	fmt.Fprintf(&b, `<text class="name" x="%.1f" y="%.1f" text-anchor="middle">%s</text></svg>`, plotWidth/2, height-6, html.EscapeString(title))
	return b.String()
}

func percent(v float64) string {
	if v > 0 && v < 0.01 {
		return "<1%"
	}
	return fmt.Sprintf("%.0f%%", 100*v)
}

// ratioRow is one row of the ratio chart: a value per pair, median, interval.
type ratioRow struct {
	name   string
	values []float64
	i      Interval
}

// ratioSVG draws ratios to the floor as dots with their interval, and a line at
// the limit.
func ratioSVG(label string, rows []ratioRow, limit float64) string {
	const rowHeight, left, right = 46.0, 196.0, 64.0
	low, top := 0.9, math.Max(1.5, limit*1.1)
	for _, r := range rows {
		for _, v := range r.values {
			low, top = math.Min(low, v*0.97), math.Max(top, v*1.05)
		}
	}
	bottom := 26 + rowHeight*float64(len(rows))
	at := func(v float64) float64 { return left + (v-low)/(top-low)*(plotWidth-left-right) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, plotWidth, bottom+44, html.EscapeString(label))
	step := ratioStep(top - low)
	for v := math.Ceil(low/step) * step; v <= top; v += step {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="22" y2="%.1f"/>`, at(v), at(v), bottom)
		fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%.1f" text-anchor="middle">%.1fx</text>`, at(v), bottom+18, v)
	}
	fmt.Fprintf(&b, `<line class="limit" x1="%.1f" x2="%.1f" y1="22" y2="%.1f"/>`, at(limit), at(limit), bottom)
	fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="14" text-anchor="middle">limit for CPU %.2fx</text>`, at(limit), limit)
	for i, r := range rows {
		y := 26 + rowHeight*(float64(i)+0.5)
		fmt.Fprintf(&b, `<text class="end" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, left-14, y+4, html.EscapeString(r.name))
		fmt.Fprintf(&b, `<line class="interval" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at(r.i.Low), at(r.i.High), y, y)
		for n, v := range r.values {
			fmt.Fprintf(&b, `<circle class="pair" cx="%.1f" cy="%.1f" r="4"><title>pair %d: %.3fx</title></circle>`, at(v), y, n+1, v)
		}
		fmt.Fprintf(&b, `<line class="median" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at(r.i.Median), at(r.i.Median), y-11, y+11)
		fmt.Fprintf(&b, `<text class="value" x="%.1f" y="%.1f">%.2fx</text>`, plotWidth-right+12, y+4, r.i.Median)
	}
	fmt.Fprintf(&b, `<text class="name" x="%.1f" y="%.1f" text-anchor="middle">gateway over floor: dots are pairs, the bar is the 95%% interval of the median</text></svg>`, plotWidth/2, bottom+38)
	return b.String()
}

// ratioStep is the distance of the ratio chart's ticks.
func ratioStep(span float64) float64 {
	switch {
	case span < 1:
		return 0.1
	case span < 3:
		return 0.5
	default:
		return math.Ceil(span / 6)
	}
}
