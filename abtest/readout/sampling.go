package readout

import "hotpath/abtest"

// roomDivisor: a quarter of the table is made free at once, so that going through
// all of it costs little for each unit that is added after.
const roomDivisor = 4

// maxHalvings leaves one unit of 2^40.
const maxHalvings = 40

// makeRoom halves the samples of the experiments that have the most entries, one
// after another, until enough should be free, and removes what left the samples.
func (r *Readout) makeRoom() {
	for r.units.full() {
		expected, total := make([]float64, len(r.byID)), 0.0
		for i, x := range r.byID {
			if x != nil {
				expected[i] = float64(x.entries)
				total += expected[i]
			}
		}
		halved := false
		for total > float64(r.units.most-r.units.most/roomDivisor) {
			x := r.largest(expected)
			if x == nil {
				break
			}
			x.halvings++
			halved = true
			expected[x.id] /= 2
			total -= expected[x.id]
		}
		before := r.units.units.n
		r.compact()
		if !halved && r.units.units.n == before {
			return // nothing can be removed any more
		}
	}
}

// largest is the experiment with the most entries that can be halved; nil: none can.
func (r *Readout) largest(expected []float64) *experiment {
	var largest *experiment
	for i, x := range r.byID {
		if x != nil && x.halvings < maxHalvings && (largest == nil || expected[i] > expected[largest.id]) {
			largest = x
		}
	}
	return largest
}

// compact removes the units of forgotten experiments and those outside of the
// samples, and numbers the experiments anew.
func (r *Readout) compact() {
	var live []*experiment
	ids := make([]uint16, len(r.byID))
	for old, x := range r.byID {
		if x == nil {
			continue
		}
		x.entries, x.moved = 0, 0
		for i := range x.arms {
			x.arms[i].units = 0
			x.arms[i].outcomes = [abtest.MaxMetrics]outcomes{}
		}
		ids[old] = uint16(len(live))
		live = append(live, x)
	}
	r.units.keepOnly(func(u *unit) bool {
		x := r.byID[u.experiment]
		if x == nil || !x.sampled(u.key) {
			return false
		}
		r.recount(x, u)
		u.experiment = ids[u.experiment]
		return true
	})
	r.requests.renumber(func(old uint16) (id uint16, live bool) { return ids[old], r.byID[old] != nil })
	for id, x := range live {
		x.id = uint16(id)
	}
	r.byID = live
}

// recount adds a unit that stays to the counts of its experiment.
func (r *Readout) recount(x *experiment, u *unit) {
	a := &x.arms[u.variant]
	a.units++
	x.entries++
	if u.moved {
		x.moved++
	}
	for i := range x.metrics {
		m := &x.metrics[i]
		if u.outcomes&(1<<m.slot) == 0 {
			continue
		}
		o := &a.outcomes[m.slot]
		o.converted++
		if s := r.units.sum(u, m.slot); s != nil {
			o.sums.Add(s.total)
			x.entries++
		}
	}
}
