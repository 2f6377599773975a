package experiments

import (
	"maps"
	"slices"

	"hotpath/abtest"
)

// Resumed are the experiments of which somebody has let go a hold that a guardrail had
// set, as they were then. Those whose text is gone from the history are left out.
func (k *Keeper) Resumed() []*abtest.Experiment {
	released := map[abtest.Hold]Revision{}
	tripped := map[abtest.Hold]bool{}
	for _, r := range slices.Backward(k.history.list()) { // the oldest first
		switch {
		case r.Hold == nil:
		case !r.Released:
			tripped[*r.Hold] = r.Via == ViaGuardrail
			delete(released, *r.Hold)
		case tripped[*r.Hold]:
			released[*r.Hold] = r
		}
	}
	plans := map[string]*abtest.Plan{} // by ETag; nil: not known
	var resumed []*abtest.Experiment
	for _, r := range slices.SortedFunc(maps.Values(released), func(a, b Revision) int { return a.Number - b.Number }) {
		plan, known := plans[r.ETag]
		if !known {
			plan = k.planOf(r)
			plans[r.ETag] = plan
		}
		if plan == nil {
			continue
		}
		if e := plan.Experiment(r.Hold.Experiment); e != nil {
			resumed = append(resumed, e)
		}
	}
	return resumed
}

// planOf is what the file of a revision says; nil where that cannot be told any more.
func (k *Keeper) planOf(r Revision) *abtest.Plan {
	_, text, _, err := k.history.get(r.Number)
	if err != nil {
		return nil
	}
	s, err := new(reading).read(k.o.File, directory(k.o.File), text)
	if err != nil {
		return nil
	}
	return s.plan
}
