package reportview

import (
	"fmt"
	"html/template"
	"math"

	"hotpath/abtest/readout"
)

// The forest plot, in units of the picture.
const (
	forestWidth             = 1120.0
	forestLeft, forestRight = 190.0, 690.0
	forestHead, forestRow   = 34.0, 30.0
	forestTop, forestFoot   = 4.0, 46.0
	forestLift              = forestRight + 24
	forestVerdict           = forestWidth - 4
)

// forest draws the lift of each metric and variant with its interval; empty
// without metrics.
func forest(r *readout.Report) template.HTML {
	rows, heads := 0, 0
	for i := range r.Metrics {
		heads++
		rows += max(len(r.Metrics[i].Variants)-1, 0)
	}
	if rows == 0 {
		return ""
	}
	bottom := forestTop + forestHead*float64(heads) + forestRow*float64(rows)
	d := begin("Lift of each metric, "+r.Experiment, forestWidth, bottom+forestFoot)
	s := liftScale(r)
	every := step(s.high-s.low, 12)
	d.grid(s, every, forestTop, bottom, func(v float64) string { return liftTick(v, every) })
	d.line("zero", s.at(0), forestTop, s.at(0), bottom)
	d.text("name", middle, (forestLeft+forestRight)/2, bottom+38, "lift: difference to "+r.Control+", in percent of its value")
	y := forestTop
	for i := range r.Metrics {
		m := &r.Metrics[i]
		d.text("group", start, 0, y+23, m.Name)
		d.text("tick", start, forestLift, y+23, metricAbout(r, m))
		y += forestHead
		for j := range m.Variants {
			if v := &m.Variants[j]; v.Verdict != "" {
				d.effect(s, y+forestRow/2, m, v)
				y += forestRow
			}
		}
	}
	return d.done()
}

// metricAbout says what a metric is and which way is better.
func metricAbout(r *readout.Report, m *readout.MetricReport) string {
	text := "mean of a " + r.Unit + "'s sums"
	if m.Kind == kindConversion {
		text = "share of " + plural(r.Unit)
	}
	if m.Goal == "down" {
		text += ", less is better"
	} else {
		text += ", more is better"
	}
	if m.Within != "" {
		text += ", within " + m.Within
	}
	return text
}

// effect is one row: a dot at the lift, a bar over its interval, and the same in
// words.
func (d *drawing) effect(s scale, y float64, m *readout.MetricReport, v *readout.MetricVariantReport) {
	class := "effect " + v.Verdict
	d.text("label", end, forestLeft-14, y+4, v.Name)
	if v.Lift == nil || v.LiftLow == nil || v.LiftHigh == nil {
		d.text("tick", start, s.at(0)+10, y+4, "no lift can be told yet")
	} else {
		hint := fmt.Sprintf("%s, %s: %s", m.Name, v.Name, withInterval(v.Lift, v.LiftLow, v.LiftHigh, signedPercent))
		low, high := math.Max(*v.LiftLow, s.low), math.Min(*v.LiftHigh, s.high)
		d.rect(class, s.at(low), y-4, s.at(high)-s.at(low), 8, hint)
		if *v.LiftLow < s.low {
			d.path(class, fmt.Sprintf("M%.1f %.1fl-9 6l9 6z", s.left, y-6))
		}
		if *v.LiftHigh > s.high {
			d.path(class, fmt.Sprintf("M%.1f %.1fl9 6l-9 6z", s.right, y-6))
		}
		if s.low <= *v.Lift && *v.Lift <= s.high {
			d.circle("mark "+v.Verdict, s.at(*v.Lift), y, 6, hint)
		}
	}
	text := withInterval(v.Lift, v.LiftLow, v.LiftHigh, signedPercent)
	if v.Lift == nil {
		text = withInterval(v.Difference, v.DifferenceLow, v.DifferenceHigh, differenceFormat(m))
	}
	d.text("value", start, forestLift, y+4, text)
	d.text("word "+v.Verdict, end, forestVerdict, y+4, verdict(v.Verdict))
}

// liftScale spans the lifts and as much of their intervals as leaves the decided
// ones readable: what is undecided for want of data may be very wide, and is cut.
func liftScale(r *readout.Report) scale {
	widest, largest, narrowest := 0.01, 0.0, math.Inf(1)
	for i := range r.Metrics {
		for _, v := range r.Metrics[i].Variants {
			if v.Lift == nil || v.LiftLow == nil || v.LiftHigh == nil {
				continue
			}
			reach := math.Max(math.Abs(*v.LiftLow), math.Abs(*v.LiftHigh))
			widest, narrowest = math.Max(widest, reach), math.Min(narrowest, reach)
			largest = math.Max(largest, math.Abs(*v.Lift))
		}
	}
	// The narrowest interval takes at least a sixth of either side.
	limit := 1.08 * math.Min(widest, math.Max(1.5*largest, 6*narrowest))
	return scale{-limit, limit, forestLeft, forestRight}
}

// liftTick is a tick of the lift in percent.
func liftTick(v, every float64) string {
	if v == 0 {
		return "0%"
	}
	text := tickLabel(100*v, 100*every) + "%"
	if v > 0 {
		text = "+" + text
	}
	return text
}
