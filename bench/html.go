package bench

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

//go:embed report.html.tmpl
var pageText string

// page is what the template shows.
type page struct {
	*Report
	Views []view
	Ratio template.HTML
}

// view is one scenario with its pictures.
type view struct {
	*Scenario
	Percentiles, Load, Batches template.HTML
	Rows                       []*Step
}

// HTML is the report as one page that needs nothing else: styles and pictures
// are inside, it has no script, and it follows the reader's light or dark theme.
func (r *Report) HTML() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"us": formatMicros, "count": formatCount, "codes": formatCodes, "percent": percent, "inc": func(i int) int { return i + 1 },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	p := page{Report: r}
	for i := range r.Scenarios {
		p.Views = append(p.Views, newView(&r.Scenarios[i]))
	}
	if r.Pairs != nil {
		p.Ratio = r.Pairs.picture()
	}
	var b bytes.Buffer
	err = t.Execute(&b, p)
	return b.Bytes(), err
}

// newView draws a scenario. The pictures' texts are escaped where they are made.
func newView(sc *Scenario) view {
	v := view{Scenario: sc}
	for i := range sc.Fixed {
		v.Rows = append(v.Rows, &sc.Fixed[i])
	}
	if sc.Stall != nil {
		v.Rows = append(v.Rows, &sc.Stall.Step)
	}
	if shown := sc.shown(); len(shown) > 0 {
		v.Percentiles = template.HTML(percentilePlot(sc.Name, shown).svg())
	}
	if len(sc.Ramp) > 0 {
		v.Load = template.HTML(loadPlot(sc).svg())
	}
	if len(sc.Closed.Batches) > 0 {
		v.Batches = template.HTML(batchPicture(sc))
	}
	return v
}

// shown is one step a label: the one that may be read.
func (s *Scenario) shown() []*Step {
	var out []*Step
	for i := range s.Fixed {
		label := s.Fixed[i].Label
		if slices.ContainsFunc(out, func(st *Step) bool { return st.Label == label }) {
			continue
		}
		if b := best(s.Fixed, func(st *Step) bool { return st.Label == label }); len(b.Latency.Curve) > 0 {
			out = append(out, b)
		}
	}
	return out
}

func percentilePlot(name string, steps []*Step) *plot {
	p := &plot{label: "Latency by percentile, " + name}
	low, top, last := math.Inf(1), 0.0, 0.0
	for i, st := range steps {
		line := series{name: shortLabel(st), class: fmt.Sprintf("c%d", i%6+1), dashed: st.Void != ""}
		for _, c := range st.Latency.Curve {
			low, top, last = min(low, c.Micros), max(top, c.Micros), max(last, c.Percentile)
			line.points = append(line.points, point{c.Percentile, c.Micros,
				fmt.Sprintf("%s (%s): p%.4g %s", st.Label, st.Generator, c.Percentile, formatMicros(c.Micros))})
		}
		p.series = append(p.series, line)
	}
	p.y = logAxis("latency", low, top, axisMicros)
	p.x = &axis{title: "percentile", scale: nines, top: nines(last)}
	for _, v := range []float64{50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if v <= last {
			p.x.ticks = append(p.x.ticks, tick{v, fmt.Sprintf("%g%%", v)})
		}
	}
	return p
}

// shortLabel fits at the end of a line.
func shortLabel(s *Step) string {
	return strings.Replace(s.Label, " of saturation", " sat.", 1)
}

// axisMicros labels an axis: round values without decimals.
func axisMicros(us float64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%g µs", us)
	case us < 1e6:
		return fmt.Sprintf("%g ms", us/1000)
	default:
		return fmt.Sprintf("%g s", us/1e6)
	}
}

// loadPlot shows the open-loop ramp: p50 and p99 over the answers a second. The
// steps beyond saturation are part of it: that is where the lines turn up.
func loadPlot(sc *Scenario) *plot {
	p := &plot{label: "Latency by throughput, " + sc.Name}
	steps := slices.Clone(sc.Ramp)
	for _, st := range sc.Fixed {
		if st.Generator == GeneratorWire {
			steps = append(steps, st)
		}
	}
	slices.SortFunc(steps, func(a, b Step) int { return int(math.Round(a.Rate - b.Rate)) })
	low, top, right := math.Inf(1), 0.0, 0.0
	var p50, p99 series
	p50 = series{name: "p50", class: "c1", dots: true}
	p99 = series{name: "p99", class: "c3", dots: true}
	for _, st := range steps {
		if st.Latency.Count == 0 {
			continue
		}
		low, top, right = min(low, st.Latency.P50), max(top, st.Latency.P99), max(right, st.Rate)
		hint := fmt.Sprintf("planned %s/s, answered %s/s: p50 %s, p99 %s, %d failed", formatCount(st.Rate), formatCount(st.Throughput),
			formatMicros(st.Latency.P50), formatMicros(st.Latency.P99), st.Failed)
		p50.points = append(p50.points, point{st.Rate, st.Latency.P50, hint})
		p99.points = append(p99.points, point{st.Rate, st.Latency.P99, hint})
	}
	p.series = []series{p99, p50}
	p.y = logAxis("latency", low, top, axisMicros)
	p.x = linearAxis("planned requests per second (open loop)", right, 6, func(v float64) string {
		if v >= 1000 {
			return fmt.Sprintf("%gk", v/1000)
		}
		return fmt.Sprintf("%g", v)
	})
	return p
}

func batchPicture(sc *Scenario) string {
	var bars []bar
	last := 0.0
	for _, b := range sc.Closed.Batches {
		label := bucketLabel(last, b.UpTo)
		bars = append(bars, bar{label, fmt.Sprintf("%s rows: %s runs", label, formatCount(b.Runs)), b.Runs})
		last = b.UpTo
	}
	return barsSVG("Rows per run, "+sc.Name, "rows per ONNX Runtime run, share of runs (closed loop)", bars)
}

// picture draws the pairs' ratios.
func (p *Pairs) picture() template.HTML {
	rows := []ratioRow{
		{name: "CPU, closed loop", i: p.ClosedCPU},
		{name: "CPU at " + formatCount(p.OpenRate) + "/s", i: p.OpenCPU},
		{name: "requests/s, closed loop", i: p.Throughput},
	}
	for _, r := range p.Runs {
		rows[0].values = append(rows[0].values, ratio(r.GatewayClosed.ServerCPU, r.FloorClosed.ServerCPU))
		rows[1].values = append(rows[1].values, ratio(r.GatewayOpen.ServerCPU, r.FloorOpen.ServerCPU))
		rows[2].values = append(rows[2].values, ratio(r.GatewayClosed.Throughput, r.FloorClosed.Throughput))
	}
	return template.HTML(ratioSVG("Gateway over floor", rows, maxFloorRatio))
}
