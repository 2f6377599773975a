package abtest

import "slices"

// guardrails finds bounds that protect nobody.
func (l *linter) guardrails(e *Experiment) {
	at, comparing := atExperiment(e), false
	for i := range e.guardrails {
		g := &e.guardrails[i]
		comparing = comparing || g.MaxIncrease != nil || g.MaxDecrease != nil || g.MaxRatio != nil
		if g.Default {
			continue // the file says nothing of it
		}
		at := at.field("guardrails").index(i)
		switch {
		case len(g.Variants) == 0:
			l.addf(at, Error, "watches_nobody", "the experiment has no variant beside the control, %q: remove it, or add one", e.control.name)
		case !slices.ContainsFunc(g.Variants, func(v *Variant) bool { return v.weight > 0 }):
			l.addf(at, Info, "watches_nobody", "the weight of what it watches is 0")
		}
		if m := g.Feedback; m != nil && g.onlyFor(!m.Down) {
			better, give := "higher", "min or max_decrease, or the metric the goal down"
			if m.Down {
				better, give = "lower", "max, max_increase or max_ratio, or the metric the goal up"
			}
			l.addf(at, Warning, "trips_on_success", "%s is better the %s it is, and that is when this trips: give %s", m.Name, better, give)
		}
	}
	if comparing && e.control.weight == 0 {
		l.addf(at.field("variants").index(e.control.index).field("weight"), Warning, "never_trips",
			"%q is the control and nobody is in it: guardrails that compare with it never trip", e.control.name)
	}
}

// onlyFor says whether the guardrail trips only where the metric is high, or low.
func (g *Guardrail) onlyFor(high bool) bool {
	above := g.Max != nil || g.MaxIncrease != nil || g.MaxRatio != nil
	below := g.Min != nil || g.MaxDecrease != nil
	return above != below && above == high
}

// readout finds what makes the readout begin anew, and guards that are gone.
func (l *changeLinter) readout(at place, was, is *Experiment) {
	if was.control.name != is.control.name {
		l.addf(at.field("control"), Warning, "control_changed", "the others were compared with %q and are with %q now", was.control.name, is.control.name)
	}
	for i := range is.metrics {
		m := &is.metrics[i]
		if old := was.metric(m.Name); old != nil && (old.Value != m.Value || old.Within != m.Within) {
			l.addf(at.field("metrics").index(i), Warning, "metric_changed", "%q is of another kind or time now: what was measured so far does not go with it", m.Name)
		}
	}
	for _, v := range is.variants {
		old := was.Variant(v.name)
		if old != nil && was.watches(old) && !is.watches(v) && v.weight > 0 && v != is.control {
			l.addf(at.field("guardrails"), Warning, "unguarded", "no guardrail watches %q any more", v.name)
		}
	}
}
