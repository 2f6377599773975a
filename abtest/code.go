package abtest

// instruction is one test of a targeting program. A program is what a tree of
// conditions comes to: each test says which one is next where it holds and where
// it does not. It takes half the time of walking the tree, most of which goes
// into fetching the tree's parts from memory.
type instruction struct {
	op     operator
	exists bool
	// ofUnit: slot is that of a unit, not that of an attribute.
	ofUnit  bool
	slot    uint16
	yes, no uint16
	limit   float64  // of numbers, and the share of percent
	set     *set     // of in and not_in
	operand *operand // of the others
}

// operand is what an instruction compares with, if that is no number and no set.
type operand struct {
	text    []byte
	version version
	key     uint64 // of percent
}

// The ends of a program.
const (
	accept = 1<<16 - 1
	reject = 1<<16 - 2
)

// program is a compiled targeting condition; empty holds for everyone. It is
// written from its end, so it begins at its last instruction.
type program []instruction

// compileProgram puts a tree into a program.
func compileProgram(root *node) program {
	var p program
	p.emit(root, accept, reject)
	return p
}

// emit adds a node, given what comes after it, and returns where it begins.
func (p *program) emit(n *node, yes, no uint16) uint16 {
	switch n.kind {
	case nodeNot:
		return p.emit(&n.kids[0], no, yes)
	case nodeAll:
		for i := len(n.kids) - 1; i >= 0; i-- {
			yes = p.emit(&n.kids[i], yes, no)
		}
		return yes
	case nodeAny:
		for i := len(n.kids) - 1; i >= 0; i-- {
			no = p.emit(&n.kids[i], yes, no)
		}
		return no
	case nodePercent:
		return p.add(instruction{op: opPercent, ofUnit: true, slot: uint16(n.unit), yes: yes, no: no, limit: float64(n.share), operand: &operand{key: n.key}})
	}
	for i := len(n.tests) - 1; i >= 0; i-- {
		i := n.tests[i].instruction()
		i.ofUnit, i.slot, i.yes, i.no = n.attribute == "", n.slot(), yes, no
		yes = p.add(i)
	}
	return yes
}

// instruction is the test without what it looks at.
func (t *test) instruction() instruction {
	i := instruction{op: t.op, exists: t.exists, limit: t.limit, set: t.set}
	if t.text != nil {
		i.operand = &operand{text: t.text, version: t.version}
	}
	return i
}

func (p *program) add(i instruction) uint16 {
	*p = append(*p, i)
	return uint16(len(*p) - 1)
}

// holds runs the program on a request.
func (p program) holds(s *subject) bool {
	at := uint16(accept)
	if len(p) > 0 {
		at = uint16(len(p) - 1)
	}
	for at < reject {
		i := &p[at]
		var holds bool
		switch {
		case i.op == opPercent:
			u, ok := s.unit(uint8(i.slot))
			holds = ok && bucketOf(i.operand.key, u) < uint16(i.limit)
		case i.ofUnit:
			v := Value{Kind: String, Str: s.id(uint8(i.slot))}
			holds = i.passes(&v, len(v.Str) > 0)
		case i.slot < cachedAttributes && s.looked[i.slot]:
			holds = i.passes(&s.values[i.slot], s.found[i.slot])
		default:
			holds = i.passes(s.attribute(i.slot))
		}
		if holds {
			at = i.yes
		} else {
			at = i.no
		}
	}
	return at == accept
}

// passes says whether a value passes the test.
func (i *instruction) passes(v *Value, found bool) bool {
	if i.op == opExists || !found {
		return i.op == opExists && i.exists == found
	}
	switch {
	case i.op == opIn:
		return i.set.holds(v)
	case i.op == opNotIn:
		return !i.set.holds(v)
	case i.op <= opContains:
		return v.Kind == String && i.matchText(v.Str)
	case i.op <= opLte:
		return v.Kind == Number && i.matchNumber(v.Num)
	}
	return v.Kind == String && i.matchVersion(v.Str)
}
