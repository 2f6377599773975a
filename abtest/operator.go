package abtest

import (
	"bytes"
	"math"
)

type operator uint8

const (
	opIn operator = iota
	opNotIn
	opPrefix
	opSuffix
	opContains
	opGt
	opGte
	opLt
	opLte
	opSemverEq
	opSemverGt
	opSemverGte
	opSemverLt
	opSemverLte
	opExists
	opPercent
)

// test is one operator of a leaf with its operand. set is for in and not_in, text
// and version for those named after them, limit for numbers.
type test struct {
	op      operator
	set     *set
	text    []byte
	limit   float64
	version version
	exists  bool
}

func (i *instruction) matchText(s []byte) bool {
	switch i.op {
	case opPrefix:
		return bytes.HasPrefix(s, i.operand.text)
	case opSuffix:
		return bytes.HasSuffix(s, i.operand.text)
	}
	return bytes.Contains(s, i.operand.text)
}

func (i *instruction) matchNumber(n float64) bool {
	switch i.op {
	case opGt:
		return n > i.limit
	case opGte:
		return n >= i.limit
	case opLt:
		return n < i.limit
	}
	return n <= i.limit
}

func (i *instruction) matchVersion(s []byte) bool {
	v, ok := parseVersion(s)
	if !ok {
		return false
	}
	switch d := v.compare(&i.operand.version); i.op {
	case opSemverEq:
		return d == 0
	case opSemverGt:
		return d > 0
	case opSemverGte:
		return d >= 0
	case opSemverLt:
		return d < 0
	default: // opSemverLte
		return d <= 0
	}
}

// tests compiles the operators of a leaf.
func (c *compiler) tests(at place, cond *Condition) (tests []test) {
	tests = c.membership(at, cond)
	for _, o := range [...]struct {
		name string
		op   operator
		text *string
	}{{"prefix", opPrefix, cond.Prefix}, {"suffix", opSuffix, cond.Suffix}, {"contains", opContains, cond.Contains}} {
		if o.text != nil {
			c.text(at.field(o.name), *o.text)
			tests = append(tests, test{op: o.op, text: []byte(*o.text)})
		}
	}
	for _, o := range [...]struct {
		name  string
		op    operator
		limit *float64
	}{{"gt", opGt, cond.Gt}, {"gte", opGte, cond.Gte}, {"lt", opLt, cond.Lt}, {"lte", opLte, cond.Lte}} {
		if o.limit == nil {
			continue
		}
		if math.IsNaN(*o.limit) || math.IsInf(*o.limit, 0) {
			c.addf(at.field(o.name), "%v is not a finite number", *o.limit)
		}
		tests = append(tests, test{op: o.op, limit: *o.limit})
	}
	for _, o := range [...]struct {
		name string
		op   operator
		text *string
	}{{"semver_eq", opSemverEq, cond.SemverEq}, {"semver_gt", opSemverGt, cond.SemverGt}, {"semver_gte", opSemverGte, cond.SemverGte},
		{"semver_lt", opSemverLt, cond.SemverLt}, {"semver_lte", opSemverLte, cond.SemverLte}} {
		if o.text == nil {
			continue
		}
		v, ok := parseVersion([]byte(*o.text))
		if !ok || len(*o.text) > MaxTextBytes {
			c.addf(at.field(o.name), "%.64q is not a version such as 2.10.0 or 2.10.0-rc.1", *o.text)
		}
		tests = append(tests, test{op: o.op, text: []byte(*o.text), version: v})
	}
	if cond.Exists != nil {
		tests = append(tests, test{op: opExists, exists: *cond.Exists})
	}
	return tests
}

// membership compiles the operators that compare with a set.
func (c *compiler) membership(at place, cond *Condition) (tests []test) {
	if cond.In != nil {
		tests = append(tests, test{op: opIn, set: c.inline(at.field("in"), cond.In)})
	}
	if cond.NotIn != nil {
		tests = append(tests, test{op: opNotIn, set: c.inline(at.field("not_in"), cond.NotIn)})
	}
	if cond.InList != "" {
		tests = append(tests, test{op: opIn, set: c.namedList(at.field("in_list"), cond.InList)})
	}
	if cond.NotInList != "" {
		tests = append(tests, test{op: opNotIn, set: c.namedList(at.field("not_in_list"), cond.NotInList)})
	}
	if cond.Eq != nil {
		s := &set{}
		if err := s.add(cond.Eq); err != nil {
			c.addf(at.field("eq"), "%v", err)
		}
		s.seal()
		tests = append(tests, test{op: opIn, set: c.shared(s)})
	}
	return tests
}
