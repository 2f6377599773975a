package readout

import (
	"time"

	"hotpath/abtest/stats"
)

// metricReport compares a metric between the arms.
func (x *experiment) metricReport(m *metric, alpha float64) MetricReport {
	p := MetricReport{Name: m.Name, Kind: "conversion", Goal: "up", Since: moment(m.since)}
	if m.Value {
		p.Kind = "value"
	}
	if m.Down {
		p.Goal = "down"
	}
	if m.Within > 0 {
		p.Within = time.Duration(m.Within).String()
	}
	c := &x.arms[x.arm(x.def.Control().Name())]
	for _, i := range x.inFileOrder() {
		p.Variants = append(p.Variants, x.arms[i].metricReport(m, c, alpha))
	}
	return p
}

// moments are those of a metric over the arm's units.
func (a *arm) moments(m *metric) stats.Moments {
	if m.Value {
		return a.sums(m.slot)
	}
	return stats.Proportion(float64(a.outcomes[m.slot].converted), float64(a.units))
}

// The fewest units of each arm, and outcomes of both, that a comparison is made of.
const (
	fewestUnits    = 100
	fewestOutcomes = 20
)

func (a *arm) metricReport(m *metric, control *arm, alpha float64) MetricVariantReport {
	own, theirs := a.moments(m), control.moments(m)
	v := MetricVariantReport{Name: a.name, Units: a.units, Converted: a.outcomes[m.slot].converted, Mean: known(own.Mean, own.N > 0)}
	low, high := stats.MeanSequence(own, alpha, 0)
	if !m.Value {
		low, high = stats.ProportionSequence(float64(v.Converted), float64(v.Units), alpha)
	}
	v.Low, v.High = known(low, own.N > 0), known(high, own.N > 0)
	if a == control {
		return v
	}
	v.Verdict = TooFew
	if min(a.units, control.units) == 0 {
		return v
	}
	diff, low, high, p := stats.DifferenceSequence(theirs, own, alpha, 0)
	v.Difference, v.DifferenceLow, v.DifferenceHigh = known(diff, true), known(low, true), known(high, true)
	lift, low, high := stats.LiftSequence(theirs, own, alpha, 0)
	v.Lift, v.LiftLow, v.LiftHigh = known(lift, theirs.Mean != 0), known(low, true), known(high, true)
	v.PValue = known(p, true)
	if min(a.units, control.units) >= fewestUnits && v.Converted+control.outcomes[m.slot].converted >= fewestOutcomes {
		v.Verdict = Undecided
	}
	return v
}

// adjust corrects the p-values for their number, and gives the verdicts by them.
func adjust(metrics []MetricReport, alpha float64) {
	var all []*MetricVariantReport
	var p []float64
	for i := range metrics {
		for j := range metrics[i].Variants {
			if v := &metrics[i].Variants[j]; v.Verdict == Undecided {
				all, p = append(all, v), append(p, *v.PValue)
			}
		}
	}
	adjusted := stats.Holm(p)
	for i, v := range all {
		v.PAdjusted = known(adjusted[i], true)
	}
	for i := range metrics {
		m := &metrics[i]
		for j := range m.Variants {
			v := &m.Variants[j]
			if v.PAdjusted == nil || *v.PAdjusted > alpha {
				continue
			}
			v.Verdict = Worse
			if (*v.Difference > 0) == (m.Goal == "up") {
				v.Verdict = Better
			}
		}
	}
}
