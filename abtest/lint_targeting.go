package abtest

import "math"

// satisfiable says whether some request can meet the condition, as far as can be
// seen: false is certain. It reports the conditions inside that none can meet.
func (l *linter) satisfiable(at place, n *node) bool {
	switch n.kind {
	case nodePercent:
		if n.share == 0 {
			l.addf(at.field("percent"), Warning, "unsatisfiable", "0 percent is nobody")
			return false
		}
		return true
	case nodeAny:
		some := false
		for i := range n.kids {
			some = l.satisfiable(at.field("any").index(i), &n.kids[i]) || some
		}
		return some
	case nodeNot:
		return true // what is in it may be false for many reasons
	case nodeAll:
		return l.conjunction(at, n)
	}
	if !compatible(n.tests) {
		l.addf(at, Warning, "unsatisfiable", "no value of %q passes all of its operators", l.subjectOf(n))
		return false
	}
	return true
}

// subjectOf names what a leaf looks at.
func (l *linter) subjectOf(n *node) string {
	if n.attribute == "" {
		return l.plan.units[n.unit]
	}
	return n.attribute
}

// conjunction looks at the parts of an all by themselves, and then at what they
// ask of one attribute together.
func (l *linter) conjunction(at place, n *node) bool {
	every := true
	tests := map[string][]test{}
	var names []string
	for i := range n.kids {
		kid := &n.kids[i]
		every = l.satisfiable(at.field("all").index(i), kid) && every
		if kid.kind != nodeLeaf {
			continue
		}
		name := "attribute " + kid.attribute
		if kid.attribute == "" {
			name = "unit " + l.plan.units[kid.unit]
		}
		if tests[name] == nil {
			names = append(names, name)
		}
		tests[name] = append(tests[name], kid.tests...)
	}
	for _, name := range names {
		if every && !compatible(tests[name]) {
			l.addf(at.field("all"), Warning, "unsatisfiable", "no value of %s passes all of its conditions", name)
			every = false
		}
	}
	return every
}

// compatible says whether a value could pass all tests, as far as can be seen.
func compatible(tests []test) bool {
	var instructions []instruction
	var in *set
	present, absent := false, false
	kinds := [Bool + 1]bool{String: true, Number: true, Bool: true}
	for i := range tests {
		t := &tests[i]
		instructions = append(instructions, t.instruction())
		present = present || t.op != opExists || t.exists
		absent = absent || t.op == opExists && !t.exists
		switch {
		case t.op == opIn:
			in = t.set
		case t.op == opNotIn || t.op == opExists:
		case t.op >= opGt && t.op <= opLte:
			kinds[String], kinds[Bool] = false, false
		default:
			kinds[Number], kinds[Bool] = false, false
		}
	}
	switch {
	case absent:
		return !present
	case in != nil:
		return in.some(func(v *Value) bool {
			for i := range instructions {
				if !instructions[i].passes(v, true) {
					return false
				}
			}
			return true
		})
	case !kinds[String] && !kinds[Number] && !kinds[Bool]:
		return false
	}
	return numbersLeft(tests) && versionsLeft(tests)
}

// lintedValues is how many values of a list are looked at, for each of its uses.
const lintedValues = 10_000

// some says whether f is true of a value of the set, or may be of one of those of a
// list that are too many to be looked at.
func (s *set) some(f func(*Value) bool) bool {
	if s.list != nil {
		looked := 0
		for x := range s.list.All() {
			if looked++; looked > lintedValues || f(&Value{Kind: String, Str: []byte(x)}) {
				return true
			}
		}
	}
	for _, x := range s.strings {
		if f(&Value{Kind: String, Str: []byte(x)}) {
			return true
		}
	}
	for _, x := range s.numbers {
		if f(&Value{Kind: Number, Num: x}) {
			return true
		}
	}
	for i, has := range s.bools {
		if has && f(&Value{Kind: Bool, Bool: i == 1}) {
			return true
		}
	}
	return false
}

// numbersLeft says whether the bounds of the tests leave a number between them.
func numbersLeft(tests []test) bool {
	low, high := math.Inf(-1), math.Inf(1)
	for i := range tests {
		switch t := &tests[i]; t.op {
		case opGt:
			low = max(low, math.Nextafter(t.limit, math.Inf(1)))
		case opGte:
			low = max(low, t.limit)
		case opLt:
			high = min(high, math.Nextafter(t.limit, math.Inf(-1)))
		case opLte:
			high = min(high, t.limit)
		}
	}
	return low <= high
}

// versionsLeft says whether no two tests of versions shut each other out.
func versionsLeft(tests []test) bool {
	for i := range tests {
		for j := range tests {
			a, b := &tests[i], &tests[j]
			lower := a.op == opSemverGt || a.op == opSemverGte || a.op == opSemverEq
			upper := b.op == opSemverLt || b.op == opSemverLte || b.op == opSemverEq
			if !lower || !upper {
				continue
			}
			d := a.version.compare(&b.version)
			if d > 0 || d == 0 && (a.op == opSemverGt || b.op == opSemverLt) {
				return false
			}
		}
	}
	return true
}
