package readout

import (
	"slices"

	"hotpath/abtest"
)

// Live says that all before was read from a log, and that what follows happens now.
// The windows of the guardrails begin empty: a log has the first answers of each unit
// only, and those that led to a hold must not lead to another one. Resumed are
// experiments as they were when somebody let go of a guardrail's hold on them; what
// their guardrails on feedback saw has been seen, where nothing has changed since.
func (r *Readout) Live(resumed []*abtest.Experiment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.experiments {
		for i := range x.arms {
			x.arms[i].windows = nil
		}
		x.adoptWindows()
	}
	for _, e := range resumed {
		if x := r.experiments[e.Name()]; x != nil && x.is(e) {
			x.seeAll(e, r.now)
		}
	}
}

// seeAll takes those guardrails on feedback as reported that the experiment has had
// since before.
func (x *experiment) seeAll(before *abtest.Experiment, now int64) {
	defs := before.Guardrails()
	for i := range x.guards {
		g := &x.guards[i]
		if !slices.ContainsFunc(defs, func(d abtest.Guardrail) bool { return sameGuardrail(&d, &g.Guardrail) }) {
			continue
		}
		for j := range g.watched {
			w := &g.watched[j]
			if a := &x.arms[w.arm]; x.watching(w) && sameModel(a.def, before.Variant(a.name)) {
				x.see(g, w, now)
			}
		}
	}
}
