package abtest

import (
	"math"
	"strconv"
)

// userUnit is the unit that every plan has.
const (
	userUnit     = "user"
	userUnitSlot = 0
)

// subject is a request on its way through a decision, with what was found out
// about it so far: each unit is digested once, and only when it is needed.
type subject struct {
	*Request
	plan    *Plan
	hashes  [MaxUnits]uint64
	known   [MaxUnits]bool
	present [MaxUnits]bool
	// held is whether the global holdout has the unit, once heldKnown.
	held, heldKnown bool
	number          [20]byte // the text of a unit that is an integer
	// The values of the first attributes of the plan, once they are looked up:
	// many conditions ask for the same few.
	looked, found [cachedAttributes + 1]bool
	values        [cachedAttributes + 1]Value // the last is for all others
}

// cachedAttributes is how many attributes a decision looks up only once.
const cachedAttributes = 6

// unit is the digest of the request's id for a unit of the plan; not ok where
// it has none.
func (s *subject) unit(slot uint8) (digest uint64, ok bool) {
	if !s.known[slot] {
		s.known[slot] = true
		if id := s.id(slot); len(id) > 0 {
			s.hashes[slot], s.present[slot] = hashUnit(id), true
		}
	}
	return s.hashes[slot], s.present[slot]
}

// id is the request's id for a unit: the user's, else an entity's, else that of
// a context key with a string or an integer. It is valid until the next call.
func (s *subject) id(slot uint8) []byte {
	if slot == userUnitSlot {
		return s.User
	}
	name := s.plan.units[slot]
	if s.Units != nil {
		if id := s.Units.Unit(name); len(id) > 0 {
			return id
		}
	}
	if s.Attributes == nil {
		return nil
	}
	switch v, _ := s.Attributes.Attribute(name); {
	case v.Kind == String:
		return v.Str
	case v.Kind == Number && math.Trunc(v.Num) == v.Num && math.Abs(v.Num) < 1<<53:
		return strconv.AppendInt(s.number[:0], int64(v.Num), 10)
	}
	return nil
}

// AppendUnit appends the id that the experiment assigns of a request: nothing
// where the request has none.
func (e *Experiment) AppendUnit(dst []byte, r *Request) []byte {
	s := subject{Request: r, plan: e.plan.plan}
	return append(dst, s.id(e.unit)...)
}

// attribute looks up an attribute of the plan. The value is valid until the next
// call, or for as long as the subject if the attribute is one of the first.
func (s *subject) attribute(slot uint16) (v *Value, found bool) {
	kept := min(slot, cachedAttributes)
	v = &s.values[kept]
	if s.Attributes != nil {
		*v, found = s.Attributes.Attribute(s.plan.attributes[slot])
	}
	s.looked[kept], s.found[kept] = true, found
	return v, found
}

// heldOut says whether the global holdout has the request's unit.
func (s *subject) heldOut() bool {
	if !s.heldKnown {
		s.held, s.heldKnown = s.plan.holdout.holds(s), true
	}
	return s.held
}

// unitSlot finds or adds a unit of the file; empty is the user.
func (c *compiler) unitSlot(at place, name string) uint8 {
	if name == "" {
		return userUnitSlot
	}
	c.name(at, name)
	for i, known := range c.units {
		if known == name {
			return uint8(i)
		}
	}
	if len(c.units) == MaxUnits {
		c.addf(at, "%q is one unit more than the %d that a file may have, the user included", name, MaxUnits)
		return userUnitSlot
	}
	c.units = append(c.units, name)
	return uint8(len(c.units) - 1)
}

// attributeSlot finds or adds the name of an attribute.
func (c *compiler) attributeSlot(name string) uint16 {
	slot, known := c.attributes[name]
	if !known {
		slot = uint16(len(c.attributeNames))
		c.attributes[name] = slot
		c.attributeNames = append(c.attributeNames, name)
	}
	return slot
}
