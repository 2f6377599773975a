package reportview

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotpath/abtest/readout"
)

// unknown stands for a number that cannot be told yet.
const unknown = "–"

// shown formats a number that may not be there.
func shown(v *float64, format func(float64) string) string {
	if v == nil {
		return unknown
	}
	return format(*v)
}

// count writes 1234567 as 1,234,567.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && c != '-' && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// percent writes a fraction: 0.123 is 12.3%, and small ones keep two digits.
func percent(v float64) string {
	p := 100 * v
	switch a := math.Abs(p); {
	case a == 0 || a >= 99.95:
		return strconv.FormatFloat(p, 'f', 0, 64) + "%"
	case a >= 1:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	case a < 0.001:
		return "<0.001%"
	}
	return strconv.FormatFloat(p, 'g', 2, 64) + "%"
}

// signedPercent is a lift: +12.3%.
func signedPercent(v float64) string { return fmt.Sprintf("%+.1f%%", 100*v) }

// points is a difference of shares, in percentage points.
func points(v float64) string { return fmt.Sprintf("%+.2f pp", 100*v) }

// value is a number of no unit that is known here.
func value(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func signedValue(v float64) string { return fmt.Sprintf("%+.4g", v) }

// milliseconds is a latency.
func milliseconds(v float64) string {
	switch {
	case v < 1:
		return strconv.FormatFloat(v, 'g', 3, 64) + " ms"
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(v, 'f', 0, 64) + " ms"
}

// probability is a p-value.
func probability(v float64) string {
	if v < 0.0001 {
		return "<0.0001"
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// interval is [low, high]; empty where it cannot be told.
func interval(low, high *float64, format func(float64) string) string {
	if low == nil || high == nil {
		return ""
	}
	return "[" + format(*low) + ", " + format(*high) + "]"
}

// withInterval is a number and its interval.
func withInterval(v, low, high *float64, format func(float64) string) string {
	return strings.TrimSpace(shown(v, format) + " " + interval(low, high, format))
}

// plural is a unit's name for several.
func plural(unit string) string {
	if strings.HasSuffix(unit, "y") && !strings.HasSuffix(unit, "ey") {
		return strings.TrimSuffix(unit, "y") + "ies"
	}
	return unit + "s"
}

// level is the confidence of the intervals, such as 95%.
func level(r *readout.Report) string {
	return strconv.FormatFloat(100*(1-r.Alpha), 'g', 4, 64) + "%"
}

// moment is a time to the minute.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// lasted is how long the readout has run, in its two largest units.
func lasted(r *readout.Report) string {
	d := r.At.Sub(r.Since)
	switch days := int(d.Hours()) / 24; {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, int(d.Hours())%24)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}

// kindConversion is the kind of a metric that is a share of units.
const kindConversion = "conversion"

// meanFormat and differenceFormat are how the numbers of a metric are written.
func meanFormat(m *readout.MetricReport) func(float64) string {
	if m.Kind == kindConversion {
		return percent
	}
	return value
}

func differenceFormat(m *readout.MetricReport) func(float64) string {
	if m.Kind == kindConversion {
		return points
	}
	return signedValue
}

// guardrailFormat is how the values of a guardrail are written: they are in the
// metric's unit.
func guardrailFormat(r *readout.Report, g *readout.GuardrailReport) func(float64) string {
	isConversion := slices.ContainsFunc(r.Metrics, func(m readout.MetricReport) bool { return m.Name == g.Metric && m.Kind == kindConversion })
	switch {
	case strings.HasSuffix(g.Metric, "_ms"):
		return milliseconds
	case strings.HasSuffix(g.Metric, "_rate"), isConversion:
		return func(v float64) string { return percent(v / 100) }
	}
	return value
}

// verdict is the word for a metric's verdict, with a sign that says it without
// colour.
func verdict(v string) string {
	switch v {
	case readout.Better:
		return "▲ better"
	case readout.Worse:
		return "▼ worse"
	case readout.Undecided:
		return "○ undecided"
	case readout.TooFew:
		return "… too few"
	}
	return ""
}

// splitVerdict says whether the units are split as the weights say.
func splitVerdict(r *readout.Report) string {
	switch {
	case r.SRM.Alert:
		return fmt.Sprintf("✕ not as planned: p %s", probability(r.SRM.PValue))
	case r.SRM.Units == 0:
		return "… nothing to test yet"
	}
	return fmt.Sprintf("✓ as planned: p %s", probability(r.SRM.PValue))
}

// guardrailState is whether a guardrail holds.
func guardrailState(g *readout.GuardrailReport) string {
	switch {
	case g.Tripped:
		return "✕ tripped"
	case g.Value == nil, g.State == "too_few":
		return "… too few"
	case g.State == "chance":
		return "~ beyond, may be chance"
	case g.State == "broken":
		return "✕ broken"
	}
	return "✓ holds"
}

// outcomes says what became of the feedback; empty: there was none.
func outcomes(f *readout.FeedbackReport) string {
	u := &f.Unmatched
	var all []string
	for _, s := range []struct {
		n    int64
		what string
	}{
		{f.Counted, "counted"}, {f.Repeated, "repeated"}, {f.BeforeExposure, "before the exposure"}, {f.OutsideWindow, "too late"},
		{f.NoMetric, "of a name that no metric has"}, {f.NotSampled, "of units that are not followed"},
		{u.UnknownRequest + u.AmbiguousRequest, "of a request that is not known (any experiment)"},
		{u.UnknownUnit, "of a unit that is not known (any experiment)"}, {u.UnknownExperiment, "of an experiment that is not known"},
		{u.BadValue, "with a value that is no number"},
	} {
		if s.n > 0 {
			all = append(all, count(s.n)+" "+s.what)
		}
	}
	return strings.Join(all, ", ")
}
