package exposure

import (
	"encoding/binary"
	"hash/maphash"
	"time"
)

// fingerprints makes numbers out of what is to be told apart: 64 bits, so that a
// unit is taken for one of a million others once in 10^13 times. Its seed is the
// process's own: nobody can choose ids that meet.
type fingerprints struct {
	seed maphash.Seed
	text []byte
}

func newFingerprints() fingerprints { return fingerprints{seed: maphash.MakeSeed()} }

// exposure is the same for events of which one record is enough in a window. The
// plan is part of it, so that an experiment that begins anew finds all its units
// recorded; whether the reason exposes as well, so that somebody who looked at a
// variant by force does not hide that chance put them there later.
func (f *fingerprints) exposure(e *Event) uint64 {
	t := f.text[:0]
	for _, s := range [...]string{e.Experiment, e.Assigned, e.Served, e.UnitName} {
		t = append(append(t, s...), 0)
	}
	t = append(append(t, e.Unit...), e.Plan[:]...)
	if e.Reason.Exposes() {
		t = append(t, 1)
	} else {
		t = append(t, 0)
	}
	f.text = t
	return maphash.Bytes(f.seed, t)
}

// feedback is the same for reports of one outcome.
func (f *fingerprints) feedback(r *Feedback) uint64 {
	t := binary.BigEndian.AppendUint16(f.text[:0], uint16(len(r.ID)))
	f.text = append(append(t, r.ID...), r.Outcome...)
	return maphash.Bytes(f.seed, f.text)
}

func (f *fingerprints) request(id []byte) uint64 { return maphash.Bytes(f.seed, id) }

// table is a set of fingerprints of a fixed capacity, with open addressing.
type table struct {
	slots []uint64 // 0: empty
	used  int
	most  int
}

func newTable(capacity int) table {
	size := 16
	for size < capacity+capacity/3 {
		size *= 2
	}
	return table{slots: make([]uint64, size), most: capacity}
}

// find is the place of a fingerprint, or the empty one where it belongs.
func (t *table) find(f uint64) (at int, there bool) {
	mask := uint64(len(t.slots) - 1)
	for i := f & mask; ; i = (i + 1) & mask {
		switch t.slots[i] {
		case f:
			return int(i), true
		case 0:
			return int(i), false
		}
	}
}

// add puts a fingerprint in. Fresh: it was not there. Kept: it is now.
func (t *table) add(f uint64) (fresh, kept bool) {
	at, there := t.find(f)
	if there {
		return false, true
	}
	if t.used == t.most {
		return true, false
	}
	t.slots[at] = f
	t.used++
	return true, true
}

func (t *table) clear() {
	if t.used > 0 {
		clear(t.slots)
		t.used = 0
	}
}

// nonZero keeps a fingerprint off the mark of an empty place.
func nonZero(f uint64) uint64 {
	if f == 0 {
		return 1
	}
	return f
}

// window remembers who was recorded in the current stretch of time. Stretches
// follow one another from 1970 on.
type window struct {
	length int64 // nanoseconds; 0: nobody is remembered
	number int64
	table  table
}

func newWindow(length time.Duration, units int) window {
	if length == 0 {
		return window{}
	}
	return window{length: int64(length), table: newTable(units)}
}

// first says whether nobody with this fingerprint came earlier in the window. With
// no room to remember it, it is first each time: an event that is recorded twice
// biases nothing, one that is never recorded does.
func (w *window) first(at int64, f uint64) (first, room bool) {
	if w.length == 0 {
		return true, true
	}
	// An event that was answered just before the window began counts to it. A clock
	// that was put back further begins a window.
	if n := at / w.length; n != w.number && n != w.number-1 {
		w.number = n
		w.table.clear()
	}
	return w.table.add(nonZero(f))
}

// recent remembers at least the last so many fingerprints.
type recent struct {
	now, before table
}

// newRecent makes room for n: the last n/2 at least are remembered.
func newRecent(n int) *recent {
	half := max(n/2, 1)
	return &recent{newTable(half), newTable(half)}
}

// add says whether the fingerprint is not remembered, and remembers it.
func (r *recent) add(f uint64) bool {
	f = nonZero(f)
	if _, there := r.before.find(f); there {
		return false
	}
	fresh, kept := r.now.add(f)
	if !kept {
		r.now, r.before = r.before, r.now
		r.now.clear()
		r.now.add(f)
	}
	return fresh
}
