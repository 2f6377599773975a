package readout

import (
	"slices"

	"hotpath/abtest"
)

// adoptGuards takes over the guardrails of a new plan. What has been reported of one
// that stays is remembered, unless the variant changed.
func (x *experiment) adoptGuards(defs []abtest.Guardrail, changes []armChange, now int64) {
	guards := make([]guard, len(defs))
	for i := range defs {
		g := &guards[i]
		g.Guardrail = defs[i]
		before := slices.IndexFunc(x.guards, func(o guard) bool { return sameGuardrail(&o.Guardrail, &g.Guardrail) })
		for _, v := range g.Variants {
			w := watch{arm: x.arm(v.Name())}
			if before >= 0 && !changes[w.arm].rearms(&g.Guardrail, x.watching(&w)) {
				for _, o := range x.guards[before].watched {
					if o.arm == w.arm {
						w = o
						w.carriedOut = w.carriedOut || !x.watching(&o)
					}
				}
				if changes[w.arm].resumed {
					x.see(g, &w, now)
				}
			}
			g.watched = append(g.watched, w)
		}
	}
	x.guards = guards
	for key := range x.trips {
		if !slices.ContainsFunc(guards, func(g guard) bool { return g.Metric == key.metric }) {
			delete(x.trips, key)
		}
	}
	x.adoptWindows()
}

// armChange is what a new plan does to an arm.
type armChange struct {
	// renewed: another model or version answers; other: its weight or the
	// experiment's state is another one; resumed: it did not serve before.
	renewed, other, resumed bool
}

// rearms says whether a guardrail may report the arm again. While it does not serve
// the trip that led to that stands. When it does again, answers before the change
// count no longer, but all feedback does: who resumes a variant that feedback held
// back has seen it.
func (c armChange) rearms(g *abtest.Guardrail, serves bool) bool {
	return c.renewed || c.other && serves && g.Feedback == nil
}

// see takes a guardrail of feedback that is broken as reported: whoever lets the
// variant serve again knows.
func (x *experiment) see(g *guard, w *watch, now int64) {
	if g.Feedback == nil || w.reported {
		return
	}
	if l := x.look(g, w, now); l.state == broken {
		w.reported, w.carriedOut, w.at, w.text = true, true, now, l.text()
	}
}

// sameGuardrail says whether two guardrails trip alike.
func sameGuardrail(a, b *abtest.Guardrail) bool {
	same := func(p, q *float64) bool { return p == q || p != nil && q != nil && *p == *q }
	return a.Metric == b.Metric && a.Window == b.Window && a.MinRequests == b.MinRequests && a.Action == b.Action &&
		same(a.Max, b.Max) && same(a.Min, b.Min) && same(a.MaxIncrease, b.MaxIncrease) && same(a.MaxDecrease, b.MaxDecrease) &&
		same(a.MaxRatio, b.MaxRatio)
}

// adoptWindows gives each arm the windows that guardrails look at, and keeps those
// that it has.
func (x *experiment) adoptWindows() {
	needed := make([][]*window, len(x.arms))
	need := func(arm int, g *guard) {
		_, latencies := quantileOf(g.Metric)
		for _, w := range needed[arm] {
			if w.length == g.Window {
				w.latencies = w.latencies || latencies
				return
			}
		}
		w := x.arms[arm].window(g.Window)
		if w == nil {
			w = newWindow(g.Window)
		}
		w.latencies = latencies
		needed[arm] = append(needed[arm], w)
	}
	for i := range x.guards {
		g := &x.guards[i]
		if g.Feedback != nil {
			continue
		}
		need(x.arm(x.def.Control().Name()), g)
		for _, w := range g.watched {
			need(w.arm, g)
		}
	}
	for i := range x.arms {
		x.arms[i].windows = needed[i]
	}
}

// window is the arm's window of a length; nil when it has none.
func (a *arm) window(length int64) *window {
	for _, w := range a.windows {
		if w.length == length {
			return w
		}
	}
	return nil
}
