package readout

import (
	"math"
	"time"

	"hotpath/abtest"
)

// srmAlpha is the p-value below which the split is taken for wrong.
const srmAlpha = 0.001

// Reports are those of all experiments, in file order.
func (r *Readout) Reports() []*Report {
	r.mu.Lock()
	names := append([]string(nil), r.order...)
	r.mu.Unlock()
	reports := make([]*Report, 0, len(names))
	for _, name := range names {
		if p, ok := r.Report(name); ok {
			reports = append(reports, p)
		}
	}
	return reports
}

// Report is what is known about an experiment; false: there is none of that name.
func (r *Readout) Report(name string) (*Report, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.experiments[name]
	if x == nil {
		return nil, false
	}
	p := &Report{Experiment: name, Model: x.def.Model(), State: x.def.State().String(), Control: x.def.Control().Name(), Unit: x.def.Unit(),
		Since: moment(x.since), At: moment(r.now), Alpha: r.alpha, Sample: 1 / x.scale(),
		Exposures: x.exposures, Dropped: x.dropped, Overridden: x.overridden, Forced: x.forced, Paused: x.paused, Moved: x.estimated(x.moved),
		SRM: x.srmReport(), Metrics: []MetricReport{}, Guardrails: []GuardrailReport{}, Notes: []string{}}
	bounds := x.scoreBounds()
	for _, i := range x.inFileOrder() {
		v := x.variantReport(i, bounds)
		p.Requests += v.Requests
		p.Variants = append(p.Variants, v)
	}
	for i := range x.metrics {
		p.Metrics = append(p.Metrics, x.metricReport(&x.metrics[i], r.alpha))
	}
	adjust(p.Metrics, r.alpha)
	p.Feedback = FeedbackReport{Counted: x.counted, Repeated: x.repeated, BeforeExposure: x.early, OutsideWindow: x.late,
		NoMetric: x.noMetric, NotSampled: x.notSampled, Unmatched: r.unmatched}
	for i := range x.guards {
		p.Guardrails = x.guardrailReports(p.Guardrails, &x.guards[i], r.now)
	}
	p.Notes = x.notes(p)
	return p, true
}

// moment is a time of the readout, zero if there is none yet.
func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// known is a number for JSON; nil where it is not finite or not ok.
func known(x float64, ok bool) *float64 {
	if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// share is a part of a whole; nil of nothing.
func share(part, whole float64) *float64 { return known(part/whole, whole > 0) }

// scale is how many units one that is kept stands for.
func (x *experiment) scale() float64 { return math.Ldexp(1, int(x.halvings)) }

// estimated is how many units there are for those that are kept.
func (x *experiment) estimated(kept int64) int64 { return kept << x.halvings }

// inFileOrder are the places of the arms.
func (x *experiment) inFileOrder() []int {
	places := make([]int, 0, len(x.arms))
	for _, v := range x.def.Variants() {
		if !v.Shadow() {
			places = append(places, x.arm(v.Name()))
		}
	}
	return places
}

// tested is how many units the test of the split has seen.
func (x *experiment) tested() (n float64) {
	for i := range x.arms {
		n += x.srm.Count(i)
	}
	return n
}

func (x *experiment) srmReport() SRMReport {
	n := x.tested()
	statistic, p := x.srm.ChiSquare()
	return SRMReport{Units: int64(n), PValue: x.srm.P(), ChiSquare: known(statistic, n > 0), ChiSquareP: known(p, n > 0), Alert: x.srm.P() < srmAlpha}
}

func (x *experiment) variantReport(i int, bounds []float64) VariantReport {
	a := &x.arms[i]
	n := x.tested()
	v := VariantReport{Name: a.name, Control: a.def == x.def.Control(), Weight: percent * float64(a.def.Weight()) / abtest.Buckets, Canary: a.def.Canary(),
		Held: a.def.Held(), Units: x.estimated(a.units), Share: share(x.srm.Count(i), n), ExpectedShare: share(x.srm.Expected(i), n),
		Requests: a.requests, Rejected: a.rejected, Errors: a.errors, ErrorRate: share(float64(a.errors), float64(a.answered())),
		OtherServed: a.otherServed, Degraded: a.degraded, NonFinite: a.nonFinite}
	const nanoseconds = 1e6
	for q, to := range map[float64]**float64{0.5: &v.Latency.P50, 0.9: &v.Latency.P90, 0.95: &v.Latency.P95, 0.99: &v.Latency.P99} {
		ns, ok := a.latency.quantile(q)
		*to = known(ns/nanoseconds, ok)
	}
	for q, to := range map[float64]**float64{0.1: &v.Score.P10, 0.5: &v.Score.P50, 0.9: &v.Score.P90} {
		*to = known(a.score.quantile(q))
	}
	v.Score.N = a.score.n
	v.Score.Mean, v.Score.StdDev = known(a.scores.Mean, a.score.n > 0), known(a.scores.StdDev(), a.score.n > 1)
	v.Score.Histogram = a.score.histogram(bounds)
	return v
}

func (x *experiment) guardrailReports(rows []GuardrailReport, g *guard, now int64) []GuardrailReport {
	for i := range g.watched {
		w := &g.watched[i]
		l := x.look(g, w, now)
		row := GuardrailReport{Metric: g.Metric, Action: g.Action.String(), Variant: l.arm, Bound: g.boundsText(),
			Value: known(l.variant.value, l.variant.n > 0), ControlValue: known(l.control.value, l.control.n > 0),
			State: lookStates[l.state], Requests: l.variant.n, ControlRequests: l.control.n, Tripped: w.reported || l.state == broken && x.watching(w), Text: l.text()}
		if g.Feedback == nil {
			row.Window = time.Duration(g.Window).String()
		}
		if w.reported {
			row.Text = w.text
		}
		rows = append(rows, row)
	}
	return rows
}
