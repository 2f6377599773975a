package readout

import "hotpath/abtest"

// plansKept is how many plans an event may be from. Events wait in the log's queue
// for less than a second, so that two would do unless edits come in bursts.
const plansKept = 16

// recentPlans are the digests of the latest plans. Experiments keep their shares in
// each of them, at the same place.
type recentPlans struct {
	digests [plansKept]abtest.Digest
	n       int // how many there are
	next    int // where a new one goes: the oldest
	current int
}

// find is the place of a plan.
func (p *recentPlans) find(d abtest.Digest) (slot int, known bool) {
	if p.n > 0 && p.digests[p.current] == d {
		return p.current, true
	}
	for i := range p.n {
		if p.digests[i] == d {
			return i, true
		}
	}
	return 0, false
}

// add makes a plan the current one, in the place of the oldest if it is new.
func (p *recentPlans) add(d abtest.Digest) {
	if slot, known := p.find(d); known {
		p.current = slot
		return
	}
	p.current = p.next
	p.digests[p.current] = d
	p.next = (p.next + 1) % plansKept
	p.n = min(p.n+1, plansKept)
}

// SetPlan says which experiments there are. What is kept of one is forgotten when it
// is gone, and begun anew when its salt, its unit or the names of the variants that
// answer change, since its units are others then. All other edits keep it. Call it
// before the plan begins to serve.
func (r *Readout) SetPlan(p *abtest.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plans.add(p.Digest())
	for name := range r.experiments {
		if p.Experiment(name) == nil {
			r.forget(name)
		}
	}
	var stale staleOutcomes
	r.order = r.order[:0]
	for _, e := range p.Experiments() {
		x := r.experiments[e.Name()]
		if x != nil && !x.is(e) {
			r.forget(e.Name())
			x = nil
		}
		if x == nil {
			x = newExperiment(e, len(r.byID), r.prefix(e.Unit()))
			r.experiments[e.Name()], r.byID = x, append(r.byID, x)
		}
		x.shares[r.plans.current] = nil
		stale.add(x, x.adopt(e, r.plans.current, r.now))
		r.order = append(r.order, e.Name())
	}
	r.clearOutcomes(stale)
	if len(r.byID) > 2*len(r.experiments)+idsToSpare {
		r.compact()
	}
}

// idsToSpare is how many experiments may have been forgotten before their ids are
// given to others. Ids have 16 bits.
const idsToSpare = 1 << 14

// forget leaves the units of an experiment to the next compaction: going through
// all of them for each edit would hold up the edit.
func (r *Readout) forget(name string) {
	r.byID[r.experiments[name].id] = nil
	delete(r.experiments, name)
}
