package readout

import (
	"math"
	"slices"

	"hotpath/abtest/exposure"
)

// Reported implements exposure.Follower.
func (r *Readout) Reported(f *exposure.Feedback) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !(math.Abs(f.Value) <= maxValue) {
		r.unmatched.BadValue++
		return
	}
	var only *experiment
	if len(f.Experiment) > 0 {
		if only = r.experiments[string(f.Experiment)]; only == nil {
			r.unmatched.UnknownExperiment++
			return
		}
	}
	if len(f.RequestID) == 0 {
		if !r.byUnit(f, only) {
			r.unmatched.UnknownUnit++
		}
		return
	}
	switch found, ambiguous := r.byRequest(f, only); {
	case ambiguous:
		r.unmatched.AmbiguousRequest++
	case !found && (len(f.Unit) == 0 || !r.byUnit(f, only)):
		r.unmatched.UnknownRequest++
	}
}

// maxValue of an outcome keeps sums and squares finite.
const maxValue = 1e100

// target is a unit that feedback is about.
type target struct {
	x   *experiment
	key uint64
}

// byRequest counts an outcome at the units that the request was about. Ambiguous: it
// was about several of one experiment, and the feedback does not say of which.
func (r *Readout) byRequest(f *exposure.Feedback, only *experiment) (found, ambiguous bool) {
	var room [requestsTogether]target
	all := room[:0]
	for id, key := range r.requests.of(digest(r.seed, f.RequestID)) {
		if x := r.byID[id]; x != nil && (only == nil || x == only) && !slices.Contains(all, target{x, key}) {
			all = append(all, target{x, key})
		}
	}
	found = len(all) > 0
	named := r.unitKey(f.UnitName, f.Unit)
	var chosen [requestsTogether]target
	n := 0
	for _, t := range all {
		switch {
		case alone(all, t.x) || len(f.Unit) > 0 && t.key == named:
			chosen[n] = t
			n++
		case len(f.Unit) == 0:
			ambiguous = true
		}
	}
	if n > 0 {
		r.count(f, chosen[:n], true)
	}
	return found, ambiguous || found && n == 0
}

// alone says whether no two of the targets are of this experiment.
func alone(all []target, x *experiment) bool {
	n := 0
	for _, t := range all {
		if t.x == x {
			n++
		}
	}
	return n == 1
}

// byUnit counts an outcome in every experiment that the unit is in, or in one.
func (r *Readout) byUnit(f *exposure.Feedback, only *experiment) (found bool) {
	key := r.unitKey(f.UnitName, f.Unit)
	var room [16]target
	all := room[:0]
	for u := range r.units.of(key) {
		if x := r.byID[u.experiment]; x != nil && (only == nil || x == only) {
			all = append(all, target{x, key})
		}
	}
	if len(all) == 0 && only != nil && !only.sampled(key) {
		only.notSampled++
		return true
	}
	if len(all) > 0 {
		r.count(f, all, false)
	}
	return len(all) > 0
}

// count counts an outcome at some units. An experiment without such a metric is
// only told if none of them has one: what it does not ask for may be for others.
func (r *Readout) count(f *exposure.Feedback, all []target, byRequest bool) {
	known := false
	for _, t := range all {
		if m := t.x.metric(f.Outcome); m != nil {
			known = true
			r.countAt(f, t, m, byRequest)
		}
	}
	for _, t := range all {
		if !known {
			t.x.note(f.Outcome)
		}
	}
}

// countAt counts an outcome at one unit.
func (r *Readout) countAt(f *exposure.Feedback, t target, m *metric, byRequest bool) {
	x := t.x
	u := r.units.find(t.key, x.id)
	switch {
	case u == nil:
		x.notSampled++
	case !byRequest && before(f.At, u.at):
		x.early++
	case m.Within > 0 && f.At-u.at > m.Within:
		x.late++
	case m.Value:
		r.addValue(f.Value, t, m, u)
	case u.outcomes&(1<<m.slot) != 0:
		x.repeated++
	default:
		u.outcomes |= 1 << m.slot
		x.arms[u.variant].outcomes[m.slot].converted++
		x.counted++
	}
}

// addValue adds a value to the unit's sum.
func (r *Readout) addValue(value float64, t target, m *metric, u *unit) {
	x := t.x
	if s := r.units.sum(u, m.slot); s != nil {
		x.arms[u.variant].outcomes[m.slot].sums.Replace(s.total, s.total+value)
		s.total += value
		x.counted++
		return
	}
	if r.units.full() {
		r.makeRoom()
		if u = r.units.find(t.key, x.id); u == nil || r.units.full() {
			x.notSampled++
			return
		}
	}
	r.units.addSum(u, m.slot, value)
	u.outcomes |= 1 << m.slot
	o := &x.arms[u.variant].outcomes[m.slot]
	o.converted++
	o.sums.Add(value)
	x.entries++
	x.counted++
}

// before says whether an outcome came before the exposure. Many clients know their
// time in whole seconds only, in which one just after may seem to.
func before(outcome, exposed int64) bool {
	const second = 1_000_000_000
	if outcome%second == 0 {
		return outcome/second < exposed/second
	}
	return outcome < exposed
}
