package exposure

import (
	"bytes"
	"encoding/binary"
	"math"
)

// joinRoom is the memory for the unit of one request: a usual id with its name.
const joinRoom = 48

// joins remembers which units the latest requests were about. A record of feedback
// that names a request gets its unit from here: the request itself may have no
// record, as only the first of a window has.
type joins struct {
	buckets [][4]join
	// arena is a ring of the units. Written counts the bytes that were ever put in.
	arena   []byte
	written uint64
}

// join is one request: its fingerprint, and the place of its unit among all bytes
// ever put into the arena. A zero one is free.
type join struct{ print, at uint64 }

func newJoins(requests int) *joins {
	buckets := 1
	for 4*buckets < requests {
		buckets *= 2
	}
	// Places begin at 1: 0 is that of a free join.
	return &joins{buckets: make([][4]join, buckets), arena: make([]byte, max(requests*joinRoom, 4*maxJoin)), written: 1}
}

// joinHeader is the lengths of the name and of the unit.
const (
	joinHeader = 4
	maxJoin    = joinHeader + MaxName + MaxUnit
)

// add remembers a request. It pushes out the oldest one that shares its bucket. A
// request that is about several units, such as a batch, has none from then on.
func (j *joins) add(print uint64, name string, unit []byte) {
	if len(name) > MaxName {
		return
	}
	bucket := j.bucket(print)
	place, oldest := 0, uint64(math.MaxUint64)
	for i := range bucket {
		if bucket[i].print == print && j.holds(bucket[i]) {
			if had, about := j.text(bucket[i].at); string(had) == name && bytes.Equal(about, unit) {
				return
			}
			name, unit, place = "", nil, i
			break
		}
		if bucket[i].at < oldest {
			place, oldest = i, bucket[i].at
		}
	}
	bucket[place] = join{print, j.put(name, unit)}
}

// put adds a unit to the arena, and says where.
func (j *joins) put(name string, unit []byte) uint64 {
	n := joinHeader + len(name) + len(unit)
	from := int(j.written % uint64(len(j.arena)))
	if from+n > len(j.arena) { // it would wrap around: begin at the front
		j.written += uint64(len(j.arena) - from)
		from = 0
	}
	to := j.arena[from : from+n]
	binary.LittleEndian.PutUint16(to, uint16(len(name)))
	binary.LittleEndian.PutUint16(to[2:], uint16(len(unit)))
	copy(to[joinHeader+copy(to[joinHeader:], name):], unit)
	at := j.written
	j.written += uint64(n)
	return at
}

// holds says whether the arena still has what a join is about.
func (j *joins) holds(b join) bool { return b.at != 0 && b.at+uint64(len(j.arena)) >= j.written }

// text is what was put at a place.
func (j *joins) text(at uint64) (name, unit []byte) {
	t := j.arena[at%uint64(len(j.arena)):]
	split := int(binary.LittleEndian.Uint16(t))
	end := split + int(binary.LittleEndian.Uint16(t[2:]))
	t = t[joinHeader:]
	return t[:split:split], t[split:end:end]
}

func (j *joins) bucket(print uint64) *[4]join { return &j.buckets[print&uint64(len(j.buckets)-1)] }

// find is the unit of a request, valid until the next add. None: it is forgotten, or
// had several.
func (j *joins) find(print uint64) (name, unit []byte) {
	for _, b := range j.bucket(print) {
		if b.print == print && j.holds(b) {
			return j.text(b.at)
		}
	}
	return nil, nil
}
