package reportview

import (
	"fmt"
	"html/template"
	"math"

	"hotpath/abtest/readout"
)

// The pictures with a row for each variant, in units of the picture.
const (
	rowsWidth           = 540.0
	rowsLeft, rowsRight = 112.0, 352.0
	rowsHeight          = 34.0
	rowsTop, rowsFoot   = 8.0, 44.0
)

// shares draws each variant's share of the units, with a line where the weights
// say that it should be; empty before there are units.
func shares(r *readout.Report) template.HTML {
	largest := 0.0
	for _, v := range r.Variants {
		for _, share := range []*float64{v.Share, v.ExpectedShare} {
			if share != nil {
				largest = math.Max(largest, *share)
			}
		}
	}
	if largest == 0 || r.SRM.Units == 0 {
		return ""
	}
	bottom := rowsTop + rowsHeight*float64(len(r.Variants))
	d := begin("Share of each variant, "+r.Experiment, rowsWidth, bottom+rowsFoot)
	s := scale{0, largest * 1.1, rowsLeft, rowsRight}
	every := step(s.high, 4)
	d.grid(s, every, rowsTop, bottom, func(v float64) string { return tickLabel(100*v, 100*every) + "%" })
	d.text("name", middle, (rowsLeft+rowsRight)/2, bottom+38, "share of the "+plural(r.Unit))
	for i := range r.Variants {
		v := &r.Variants[i]
		y := rowsTop + rowsHeight*(float64(i)+0.5)
		d.text("label", end, rowsLeft-12, y+4, v.Name)
		hint := fmt.Sprintf("%s: %s of %s expected, %s %s", v.Name, shown(v.Share, percent), shown(v.ExpectedShare, percent), count(v.Units), plural(r.Unit))
		if v.Share != nil {
			d.rect("fill "+colour(v.Control, i), s.at(0), y-9, s.at(*v.Share)-s.at(0), 18, hint)
		}
		if v.ExpectedShare != nil {
			d.line("expected", s.at(*v.ExpectedShare), y-14, s.at(*v.ExpectedShare), y+14)
		}
		d.text("value", start, rowsRight+14, y+4, shareText(v))
	}
	return d.done()
}

// shareText compares a share with what was expected of it.
func shareText(v *readout.VariantReport) string {
	if v.Share == nil || v.ExpectedShare == nil {
		return unknown
	}
	return fmt.Sprintf("%.2f%% of %.2f%%", 100**v.Share, 100**v.ExpectedShare)
}

// latencies draws each variant's quantiles of the latency, from the median to the
// 99th percentile; empty where no model ran.
func latencies(r *readout.Report) template.HTML {
	largest := 0.0
	for _, v := range r.Variants {
		if v.Latency.P99 != nil {
			largest = math.Max(largest, *v.Latency.P99)
		}
	}
	if largest == 0 {
		return ""
	}
	bottom := rowsTop + rowsHeight*float64(len(r.Variants))
	d := begin("Latency of each variant, "+r.Experiment, rowsWidth, bottom+rowsFoot)
	s := scale{0, largest * 1.05, rowsLeft, rowsRight}
	every := step(s.high, 5)
	d.grid(s, every, rowsTop, bottom, func(v float64) string { return tickLabel(v, every) })
	d.text("name", middle, (rowsLeft+rowsRight)/2, bottom+38, "time in the gateway, milliseconds")
	for i := range r.Variants {
		v := &r.Variants[i]
		y := rowsTop + rowsHeight*(float64(i)+0.5)
		d.text("label", end, rowsLeft-12, y+4, v.Name)
		d.quantiles(s, y, colour(v.Control, i), v)
	}
	return d.done()
}

// quantiles is one row of latencies.
func (d *drawing) quantiles(s scale, y float64, class string, v *readout.VariantReport) {
	l := &v.Latency
	if l.P50 == nil || l.P99 == nil {
		d.text("tick", start, rowsLeft, y+4, "no answers yet")
		return
	}
	d.line("span "+class, s.at(*l.P50), y, s.at(*l.P99), y)
	for _, q := range []struct {
		name   string
		at     *float64
		radius float64
	}{{"p99", l.P99, 3.5}, {"p95", l.P95, 3.5}, {"p90", l.P90, 3.5}, {"median", l.P50, 6}} {
		if q.at != nil {
			d.circle("fill "+class, s.at(*q.at), y, q.radius, fmt.Sprintf("%s, %s: %s", v.Name, q.name, milliseconds(*q.at)))
		}
	}
	d.text("value", start, rowsRight+14, y+4, milliseconds(*l.P50)+" … "+milliseconds(*l.P99))
}
