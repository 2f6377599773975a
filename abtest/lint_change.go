package abtest

import (
	"slices"
	"strings"
)

// LintChange looks for what a change from one plan to another does to the units
// of experiments that are in both, at the time now in seconds since 1970. It
// knows shares and not requests; Compare counts those. Paths are of the new file.
func LintChange(before, after *Plan, now int64) []Finding {
	l := &changeLinter{linter{plan: after, now: now}}
	l.holdout("holdout", before.holdout, after.holdout, before, after)
	layers := map[string]*layer{}
	for _, y := range before.layers {
		layers[y.name] = y
	}
	for _, y := range after.layers {
		if was := layers[y.name]; was != nil {
			l.holdout(atLayer(y).field("holdout"), was.holdout, y.holdout, before, after)
		}
	}
	for _, e := range after.experiments {
		if was := before.byName[e.name]; was != nil && was.Enabled() {
			l.experiment(was, e)
		}
	}
	for _, e := range before.experiments {
		if after.byName[e.name] == nil && e.Enabled() {
			l.addf("experiments", Info, "removed", "experiment %q is gone: its units get the model as if there were none, or the next experiment", e.name)
		}
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return comparePaths(a.Path, b.Path) })
	return l.findings
}

type changeLinter struct{ linter }

func (l *changeLinter) experiment(was, is *Experiment) {
	at := atExperiment(is)
	if was.state != is.state {
		l.addf(at.field("state"), Info, "state_changed", "was %s, is %s", was.state, is.state)
		if !is.Enabled() {
			return
		}
	}
	switch {
	case was.key != is.key:
		l.addf(at.field("salt"), Warning, "dealt_anew", "a new salt deals every unit anew: what was measured so far is of another split")
	case was.unitName != is.unitName:
		l.addf(at.field("unit"), Warning, "dealt_anew", "assigns each %s instead of each %s", is.unitName, was.unitName)
	default:
		l.weights(at, was, is)
	}
	l.extent(at, was, is)
	l.readout(at, was, is)
	if a, b := was.schedule.share(l.now), is.schedule.share(l.now); b < a {
		l.addf(at.field("ramp"), Warning, "units_leave", "lets in %s percent instead of %s: the others leave", percent(int(b)), percent(int(a)))
	}
	if was.targetingDigest() != is.targetingDigest() {
		l.addf(at.field("targeting"), Info, "targeting_changed", "another condition: some units may leave, others come in")
	}
	for i, v := range is.variants {
		old := was.Variant(v.name)
		if old != nil && !v.shadow && (old.model != v.model || old.version != v.version || old.label != v.label || string(old.payload) != string(v.payload)) {
			l.addf(at.field("variants").index(i), Warning, "arm_changed", "%q is another model, version or payload now: what was measured so far is of the one before", v.name)
		}
	}
}

// weights counts the buckets that change hands.
func (l *changeLinter) weights(at place, was, is *Experiment) {
	moved, flows := 0, map[[2]string]int{}
	for b := range uint16(Buckets) {
		if x, y := was.VariantAt(b).name, is.VariantAt(b).name; x != y {
			moved++
			flows[[2]string{x, y}]++
		}
	}
	if moved == 0 {
		return
	}
	least := 0
	for _, v := range is.variants {
		grown := v.weight
		if old := was.Variant(v.name); old != nil {
			grown -= old.weight
		}
		least += max(grown, 0)
	}
	severity := Info
	if moved > least {
		severity = Warning
	}
	l.addf(at.field("variants"), severity, "weights_move", "the new weights move %s percent of the units from variant to variant, of the least possible %s: %s",
		percent(moved), percent(least), describeFlows(flows))
}

func describeFlows(flows map[[2]string]int) string {
	var parts []string
	for pair, n := range flows {
		parts = append(parts, pair[0]+" to "+pair[1]+" "+percent(n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// extent finds units that leave because the layer no longer gives them.
func (l *changeLinter) extent(at place, was, is *Experiment) {
	switch {
	case (was.layer == nil) != (is.layer == nil) || was.layer != nil && (was.layer.key != is.layer.key || l.unitOf(was) != l.unitOf(is)):
		l.addf(at.field("layer"), Warning, "units_leave", "in another layer, or one of another salt or unit, other units are in the experiment")
		return
	}
	kept := max(0, int(min(was.high, is.high))-int(max(was.low, is.low)))
	if left := int(was.high-was.low) - kept; left > 0 {
		l.addf(at.field("range"), Warning, "units_leave", "the new range lets go of %s percent of the layer's units", percent(left))
	}
}

func (l *changeLinter) unitOf(e *Experiment) string { return e.plan.plan.units[e.layer.unit] }

// holdout finds units that leave experiments because they are held out now.
func (l *changeLinter) holdout(at place, was, is *holdout, before, after *Plan) {
	switch {
	case is == nil:
	case was == nil:
		l.addf(at, Warning, "units_leave", "a new holdout takes %s percent out of experiments that run", percent(int(is.share)))
	case was.key != is.key || before.units[was.unit] != after.units[is.unit]:
		l.addf(at, Warning, "units_leave", "holds out others than before")
	case is.share > was.share:
		l.addf(at.field("share"), Warning, "units_leave", "a larger holdout takes %s percent more out of experiments that run", percent(int(is.share-was.share)))
	}
}
