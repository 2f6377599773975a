package readout

import (
	"iter"
	"math/bits"
	"math/rand/v2"
)

// unit is one unit of one experiment.
type unit struct {
	key  uint64 // digest
	at   int64  // of its first exposure
	next uint32 // in the chain of the index, plus one
	// sums is the first of its values, plus one.
	sums       uint32
	experiment uint16
	variant    uint8 // place of the arm
	outcomes   uint8 // places of the metrics that have one
	moved      bool
}

// sum is what the values of one unit for one metric add up to.
type sum struct {
	total float64
	next  uint32 // of the unit, plus one
	slot  uint8
}

// unitTable holds units, found by digest: an index of chains into a list.
type unitTable struct {
	most  int // units and sums together
	seed  uint64
	shift int
	heads []uint32 // plus one; 0: none. Made with the first unit.
	units list[unit]
	sums  list[sum]
	spare uint32 // first sum that is free, plus one
	freed int    // how many are
}

func (t *unitTable) init(most int) {
	t.most = most
	// Odd, so that multiplying loses nothing; random, so that nobody can choose ids
	// that share a chain.
	t.seed = rand.Uint64() | 1
	t.shift = 63 - bits.Len(uint(most-1)) // chains are of one unit, mostly
}

// full: there is no room for another entry.
func (t *unitTable) full() bool { return t.units.n+t.sums.n-t.freed >= t.most }

func (t *unitTable) head(key uint64) *uint32 { return &t.heads[key*t.seed>>t.shift] }

// find is the unit of an experiment; nil when there is none.
func (t *unitTable) find(key uint64, experiment uint16) *unit {
	if t.heads == nil {
		return nil
	}
	for i := *t.head(key); i != 0; {
		u := t.units.at(i - 1)
		if u.key == key && u.experiment == experiment {
			return u
		}
		i = u.next
	}
	return nil
}

// of are the units of a digest, one for each experiment.
func (t *unitTable) of(key uint64) iter.Seq[*unit] {
	return func(yield func(*unit) bool) {
		if t.heads == nil {
			return
		}
		for i := *t.head(key); i != 0; {
			u := t.units.at(i - 1)
			i = u.next
			if u.key == key && !yield(u) {
				return
			}
		}
	}
}

// add puts a unit in that is not there. The table must not be full.
func (t *unitTable) add(u unit) {
	if t.heads == nil {
		t.heads = make([]uint32, 1<<(64-t.shift))
	}
	t.link(t.units.add(u))
}

func (t *unitTable) link(i uint32) {
	u := t.units.at(i)
	head := t.head(u.key)
	u.next, *head = *head, i+1
}

// sum is that of a unit for the metric at a place; nil when it has none.
func (t *unitTable) sum(u *unit, slot uint8) *sum {
	for i := u.sums; i != 0; {
		s := t.sums.at(i - 1)
		if s.slot == slot {
			return s
		}
		i = s.next
	}
	return nil
}

// addSum gives a unit a sum. The table must not be full.
func (t *unitTable) addSum(u *unit, slot uint8, total float64) {
	s := sum{total: total, next: u.sums, slot: slot}
	if t.spare == 0 {
		u.sums = t.sums.add(s) + 1
		return
	}
	u.sums = t.spare
	place := t.sums.at(t.spare - 1)
	t.spare = place.next
	t.freed--
	*place = s
}

// dropSums frees those sums of a unit that are of the places in mask.
func (t *unitTable) dropSums(u *unit, mask uint8) {
	for at := &u.sums; *at != 0; {
		s := t.sums.at(*at - 1)
		if mask&(1<<s.slot) == 0 {
			at = &s.next
			continue
		}
		free := *at
		*at = s.next
		s.next, t.spare = t.spare, free
		t.freed++
	}
}

// keepOnly removes the units for which keep is false; keep may change the others'
// experiment.
func (t *unitTable) keepOnly(keep func(*unit) bool) {
	kept := 0
	for i := range t.units.n {
		u := t.units.at(uint32(i))
		if !keep(u) {
			t.dropSums(u, ^uint8(0))
			continue
		}
		*t.units.at(uint32(kept)) = *u
		kept++
	}
	t.units.truncate(kept)
	if t.freed == t.sums.n {
		t.sums.truncate(0)
		t.spare, t.freed = 0, 0
	}
	clear(t.heads)
	for i := range kept {
		t.link(uint32(i))
	}
}

// staleOutcomes are the places of metrics, by experiment, whose outcomes are to be
// forgotten.
type staleOutcomes map[uint16]uint8

func (s *staleOutcomes) add(x *experiment, places uint8) {
	if places == 0 {
		return
	}
	if *s == nil {
		*s = staleOutcomes{}
	}
	(*s)[x.id] = places
}

// clearOutcomes forgets outcomes of all units of some experiments.
func (r *Readout) clearOutcomes(stale staleOutcomes) {
	if len(stale) == 0 {
		return
	}
	t := &r.units
	for i := range t.units.n {
		u := t.units.at(uint32(i))
		mask := stale[u.experiment] & u.outcomes
		if mask == 0 {
			continue
		}
		u.outcomes &^= mask
		before := t.freed
		t.dropSums(u, mask)
		r.byID[u.experiment].entries -= t.freed - before
	}
}
