package reportview

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// drawing is a picture under construction. Its classes are those of the page, so
// that it follows the reader's theme.
type drawing struct{ b strings.Builder }

// begin starts a picture. label says what it shows, for readers that cannot see it.
func begin(label string, width, height float64) *drawing {
	d := &drawing{}
	fmt.Fprintf(&d.b, `<svg class="plot" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, width, height, html.EscapeString(label))
	return d
}

// done is the picture; all text in it was escaped where it was written.
func (d *drawing) done() template.HTML { return template.HTML(d.b.String() + "</svg>") }

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (d *drawing) rect(class string, x, y, width, height float64, hint string) {
	fmt.Fprintf(&d.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"><title>%s</title></rect>`, class, x, y, math.Max(width, 0), height, html.EscapeString(hint))
}

func (d *drawing) circle(class string, x, y, radius float64, hint string) {
	fmt.Fprintf(&d.b, `<circle class="%s" cx="%.1f" cy="%.1f" r="%.1f"><title>%s</title></circle>`, class, x, y, radius, html.EscapeString(hint))
}

func (d *drawing) path(class, shape string) {
	fmt.Fprintf(&d.b, `<path class="%s" d="%s"/>`, class, shape)
}

// The places of a text at its x.
const (
	start  = "start"
	middle = "middle"
	end    = "end"
)

func (d *drawing) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(&d.b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y, anchor, html.EscapeString(text))
}

// scale maps low..high to left..right.
type scale struct{ low, high, left, right float64 }

func (s scale) at(v float64) float64 {
	if s.high <= s.low {
		return s.left
	}
	return s.left + (v-s.low)/(s.high-s.low)*(s.right-s.left)
}

// step is a round distance of about n ticks over a span.
func step(span float64, n int) float64 {
	if !(span > 0) {
		return 1
	}
	raw := span / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= raw {
			return m * unit
		}
	}
	return 10 * unit
}

// ticks are the multiples of a step within a scale.
func (s scale) ticks(every float64) []float64 {
	var all []float64
	for i := int(math.Ceil(s.low/every - 1e-9)); float64(i)*every <= s.high+every*1e-9; i++ {
		all = append(all, float64(i)*every)
	}
	return all
}

// tickLabel writes a multiple of a step without digits that say nothing.
func tickLabel(v, every float64) string {
	decimals := max(0, int(math.Ceil(-math.Log10(every)-1e-9)))
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// grid draws the ticks of a horizontal scale, and their labels below.
func (d *drawing) grid(s scale, every, top, bottom float64, label func(v float64) string) {
	for _, v := range s.ticks(every) {
		d.line("grid", s.at(v), top, s.at(v), bottom)
		d.text("tick", middle, s.at(v), bottom+16, label(v))
	}
}

// colours are the page's classes for variants: the control is grey, the others
// take one after the other.
const colours = 6

// colour is the class of the i-th variant.
func colour(control bool, i int) string {
	if control {
		return "v0"
	}
	return "v" + strconv.Itoa(i%colours+1)
}
