package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The inner area of a plot, in SVG units.
const (
	plotWidth, plotHeight               = 620.0, 340.0
	plotLeft, plotRight, plotTop, plotB = 64.0, 84.0, 16.0, 44.0
)

// tick is a labelled place on an axis.
type tick struct {
	at    float64
	label string
}

// axis maps values to 0..1 by at, which is linear in what is plotted.
type axis struct {
	title    string
	low, top float64 // after scale
	scale    func(float64) float64
	ticks    []tick
}

func (a *axis) at(v float64) float64 {
	if a.top == a.low {
		return 0
	}
	return (a.scale(v) - a.low) / (a.top - a.low)
}

func linear(v float64) float64 { return v }

// nines is the number of nines of a percentile: 0 for 0, 1 for 90, 2 for 99.
func nines(p float64) float64 { return -math.Log10(1 - math.Min(p, 99.99999)/100) }

// linearAxis starts at 0 and has about n ticks.
func linearAxis(title string, largest float64, n int, label func(float64) string) *axis {
	if largest <= 0 {
		largest = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(largest/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step*float64(n) >= largest {
			step *= m
			break
		}
	}
	a := &axis{title: title, scale: linear, top: step * math.Ceil(largest/step)}
	for v := 0.0; v <= a.top+step/2; v += step {
		a.ticks = append(a.ticks, tick{v, label(v)})
	}
	return a
}

// logAxis spans the smallest and largest value, with ticks at 1, 2 and 5 where
// there is room for them.
func logAxis(title string, smallest, largest float64, label func(float64) string) *axis {
	if smallest > largest { // nothing is plotted
		smallest, largest = 1, 10
	}
	smallest = math.Max(smallest, 1)
	largest = math.Max(largest, smallest*2)
	a := &axis{title: title, scale: math.Log10}
	steps := []float64{1, 2, 5}
	if largest/smallest > 2000 {
		steps = []float64{1}
	}
	first, last := math.Inf(1), 0.0
	for decade := math.Pow(10, math.Floor(math.Log10(smallest))); decade <= largest*10; decade *= 10 {
		for _, m := range steps {
			v := m * decade
			if v <= smallest {
				first = v
			}
			if last < largest {
				last = v
				a.ticks = append(a.ticks, tick{v, label(v)})
			}
		}
	}
	for len(a.ticks) > 0 && a.ticks[0].at < first {
		a.ticks = a.ticks[1:]
	}
	a.low, a.top = math.Log10(first), math.Log10(last)
	return a
}

// point is one place of a series with its hover text.
type point struct {
	x, y float64
	hint string
}

// series is a line. Class is c1 to c6, the page's colours.
type series struct {
	name, class string
	dashed      bool
	dots        bool
	points      []point
}

// plot is a line chart.
type plot struct {
	label  string // what the picture shows, for readers that cannot see it
	x, y   *axis
	series []series
}

// place is a point's position in the drawing.
func (p *plot) place(v point) (x, y float64) {
	return plotLeft + p.x.at(v.x)*(plotWidth-plotLeft-plotRight),
		plotHeight - plotB - p.y.at(v.y)*(plotHeight-plotTop-plotB)
}

// svg draws the chart.
func (p *plot) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(p.label))
	p.drawAxes(&b)
	for _, s := range p.series {
		p.drawSeries(&b, s)
	}
	p.drawNames(&b)
	b.WriteString(`</svg>`)
	return b.String()
}

func (p *plot) drawAxes(b *strings.Builder) {
	right, bottom := plotWidth-plotRight, plotHeight-plotB
	for _, t := range p.y.ticks {
		_, y := p.place(point{y: t.at})
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, plotLeft, right, y, y)
		fmt.Fprintf(b, `<text class="tick" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, plotLeft-8, y+4, html.EscapeString(t.label))
	}
	for _, t := range p.x.ticks {
		x, _ := p.place(point{x: t.at, y: p.y.ticks[0].at})
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, x, x, bottom, bottom+4)
		fmt.Fprintf(b, `<text class="tick" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, bottom+18, html.EscapeString(t.label))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, plotLeft, right, bottom, bottom)
	fmt.Fprintf(b, `<text class="name" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, (plotLeft+right)/2, plotHeight-6, html.EscapeString(p.x.title))
}

func (p *plot) drawSeries(b *strings.Builder, s series) {
	if len(s.points) == 0 {
		return
	}
	class := "line " + s.class
	if s.dashed {
		class += " dashed"
	}
	fmt.Fprintf(b, `<polyline class="%s" points="`, class)
	for _, v := range s.points {
		x, y := p.place(v)
		fmt.Fprintf(b, "%.1f,%.1f ", x, y)
	}
	b.WriteString(`"/>`)
	for _, v := range s.points {
		x, y := p.place(v)
		mark, radius := "hit", 7.0
		if s.dots {
			mark, radius = "dot "+s.class, 4
		}
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="%.0f"><title>%s</title></circle>`, mark, x, y, radius, html.EscapeString(v.hint))
	}
}

// drawNames writes each line's name at its end, moved apart where they meet.
func (p *plot) drawNames(b *strings.Builder) {
	type name struct {
		x, y float64
		s    series
	}
	var names []name
	for _, s := range p.series {
		if len(s.points) > 0 {
			x, y := p.place(s.points[len(s.points)-1])
			names = append(names, name{x, y, s})
		}
	}
	// Few names: an insertion sort by height, then push each below the last.
	for i := range names {
		for k := i; k > 0 && names[k].y < names[k-1].y; k-- {
			names[k], names[k-1] = names[k-1], names[k]
		}
	}
	for i := range names {
		if i > 0 {
			names[i].y = math.Max(names[i].y, names[i-1].y+15)
		}
		fmt.Fprintf(b, `<text class="end %s" x="%.1f" y="%.1f">%s</text>`, names[i].s.class, names[i].x+9, names[i].y+4, html.EscapeString(names[i].s.name))
	}
}
