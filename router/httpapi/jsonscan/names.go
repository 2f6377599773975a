package jsonscan

import (
	"encoding/binary"
	"hash/maphash"
)

const (
	// fewNames is how many names an object keeps out of the hash table.
	fewNames = 64
	// keepSlots and keepNames bound what one odd body leaves behind.
	keepSlots = 16 << 10
	keepNames = 4 << 10
)

// nameSet finds member names that an object has twice. Objects nest, so open
// ones share a stack of names. An object with few names looks through them only
// when a bit says that it may have the name: that bit comes from a hash so cheap
// that one can aim at it, which then costs fewNames comparisons. Objects with
// many names share one hash table, in which every entry carries its object's
// number.
//
// Names leave both when their object closes. Only the innermost object gets
// names, so those that leave are always the ones that came last: no entry was
// ever moved past them, and emptying their slots breaks no probe sequence.
//
// The seed is secret and the object's number is mixed into the hash, so no body
// can aim its names at one slot: n names cost O(n).
type nameSet struct {
	seed  maphash.Seed
	list  []entry
	slots []slot // a power of two of them, at most half in use
	used  int
	last  uint64 // number given out last
}

type entry struct {
	name []byte
	slot int // -1 while its object has few names
}

type slot struct {
	hash   uint64
	object uint64 // 0 when empty
	name   int    // index in list
}

// Names is one open object.
type Names struct {
	base   int    // its first name in list
	object uint64 // its number in the table; 0 while it has few names
	bits   [8]uint64
}

// quickHash is 9 bits of a name, from its length and at most 16 of its bytes.
func quickHash(name []byte) uint64 {
	n := len(name)
	var x uint64
	switch {
	case n >= 8:
		x = binary.LittleEndian.Uint64(name) ^ binary.LittleEndian.Uint64(name[n-8:])*0xff51afd7ed558ccd
	case n >= 4:
		x = uint64(binary.LittleEndian.Uint32(name)) | uint64(binary.LittleEndian.Uint32(name[n-4:]))<<32
	case n > 0:
		x = uint64(name[0]) | uint64(name[n/2])<<8 | uint64(name[n-1])<<16
	}
	return (x ^ uint64(n)) * 0x9e3779b97f4a7c15 >> 55
}

func (s *nameSet) open() Names { return Names{base: len(s.list)} }

func (s *nameSet) close(n *Names) {
	mine := s.list[n.base:]
	if n.object != 0 {
		s.vacate(mine)
	}
	clear(mine)
	s.list = s.list[:n.base]
}

// end closes what is open, after an error, and gives back memory that few
// bodies need.
func (s *nameSet) end() {
	s.vacate(s.list)
	clear(s.list)
	s.list = s.list[:0]
	if cap(s.list) > keepNames {
		s.list = nil
	}
	if len(s.slots) > keepSlots {
		s.slots = nil
	}
}

func (s *nameSet) vacate(entries []entry) {
	for i := range entries {
		if at := entries[i].slot; at >= 0 {
			s.slots[at].object = 0
			s.used--
		}
	}
}

// add notes a name of the innermost open object; false when it has it already.
func (s *nameSet) add(n *Names, name []byte) bool {
	if n.object != 0 {
		s.list = append(s.list, entry{name, -1})
		return s.insert(n.object, len(s.list)-1)
	}
	mine := s.list[n.base:]
	h := quickHash(name)
	word, bit := &n.bits[h>>6], uint64(1)<<(h&63)
	if *word&bit != 0 {
		for i := range mine {
			if string(mine[i].name) == string(name) {
				return false
			}
		}
	}
	*word |= bit
	s.list = append(s.list, entry{name, -1})
	if len(mine) == fewNames {
		s.last++
		n.object = s.last
		for i := n.base; i < len(s.list); i++ {
			s.insert(n.object, i)
		}
	}
	return true
}

// insert puts the name at an index of list into the table; false when the same
// name of the same object is there.
func (s *nameSet) insert(object uint64, at int) bool {
	if s.used*2 >= len(s.slots) {
		s.grow()
	}
	name := s.list[at].name
	hash := maphash.Bytes(s.seed, name) ^ object*0x9e3779b97f4a7c15
	mask := uint64(len(s.slots) - 1)
	i := hash & mask
	for ; s.slots[i].object != 0; i = (i + 1) & mask {
		e := &s.slots[i]
		if e.hash == hash && e.object == object && string(s.list[e.name].name) == string(name) {
			return false
		}
	}
	s.slots[i] = slot{hash, object, at}
	s.list[at].slot = int(i)
	s.used++
	return true
}

// grow doubles the table and puts the entries back in the order they came in.
func (s *nameSet) grow() {
	old := s.slots
	s.slots = make([]slot, max(128, 2*len(old)))
	mask := uint64(len(s.slots) - 1)
	for n := range s.list {
		at := s.list[n].slot
		if at < 0 {
			continue
		}
		i := old[at].hash & mask
		for s.slots[i].object != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = old[at]
		s.list[n].slot = int(i)
	}
}
