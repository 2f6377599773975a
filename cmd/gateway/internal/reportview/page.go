package reportview

import (
	"bytes"
	_ "embed"
	"html/template"
	"time"

	"hotpath/abtest/readout"
)

//go:embed page.html.tmpl
var pageText string

// page is what the template shows.
type page struct {
	Made  time.Time
	Views []view
}

// view is an experiment with its pictures.
type view struct {
	*readout.Report
	Forest, Shares, Latencies, Scores template.HTML
	// Decided are the comparisons whose interval is clear of zero, Open counts the
	// others.
	Decided []comparison
	Open    int
}

// comparison is a metric of a variant, against the control.
type comparison struct {
	Metric  readout.MetricReport
	Variant readout.MetricVariantReport
}

func newView(r *readout.Report) view {
	v := view{Report: r, Forest: forest(r), Shares: shares(r), Latencies: latencies(r), Scores: scores(r)}
	for _, m := range r.Metrics {
		for _, one := range m.Variants {
			switch one.Verdict {
			case readout.Better, readout.Worse:
				v.Decided = append(v.Decided, comparison{m, one})
			case readout.Undecided, readout.TooFew:
				v.Open++
			}
		}
	}
	return v
}

// HTML is the reports as one page that needs nothing else: styles and pictures are
// inside, it has no script, and it follows the reader's light or dark theme.
func HTML(reports []*readout.Report, made time.Time) ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"count": count, "moment": moment, "lasted": lasted, "level": level, "plural": plural, "percent": percent, "probability": probability,
		"outcomes": outcomes, "verdict": verdict, "score": score, "marks": marks,
		"splitVerdict": splitVerdict, "state": guardrailState,
		"ratio": func(v *float64) string { return shown(v, percent) },
		"ms":    func(v *float64) string { return shown(v, milliseconds) },
		"mean": func(m readout.MetricReport, v readout.MetricVariantReport) string {
			return withInterval(v.Mean, v.Low, v.High, meanFormat(&m))
		},
		"difference": func(m readout.MetricReport, v readout.MetricVariantReport) string {
			return compared(&v, v.Difference, v.DifferenceLow, v.DifferenceHigh, differenceFormat(&m))
		},
		"lift": func(v readout.MetricVariantReport) string {
			return compared(&v, v.Lift, v.LiftLow, v.LiftHigh, signedPercent)
		},
		"p":     func(v readout.MetricVariantReport) string { return compared(&v, v.PValue, nil, nil, probability) },
		"about": func(r *readout.Report, m readout.MetricReport) string { return metricAbout(r, &m) },
		"guarded": func(r *readout.Report, g readout.GuardrailReport, v *float64) string {
			return shown(v, guardrailFormat(r, &g))
		},
		"colour": colour,
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	p := page{Made: made}
	for _, r := range reports {
		p.Views = append(p.Views, newView(r))
	}
	var b bytes.Buffer
	err = t.Execute(&b, p)
	return b.Bytes(), err
}
