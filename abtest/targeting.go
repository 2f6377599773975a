package abtest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// Kind is the type of an attribute's value.
type Kind uint8

// The types of attributes. The zero Kind equals nothing.
const (
	String Kind = iota + 1
	Number
	Bool
)

// Value is an attribute's value; Kind says which field holds it.
type Value struct {
	Kind Kind
	// Str belongs to the request and is only read during Assign.
	Str  []byte
	Num  float64
	Bool bool
}

// Attributes is the context of a request as Assign sees it. Nil has none.
type Attributes interface {
	// Attribute returns the value and whether there is one.
	Attribute(name string) (Value, bool)
}

type nodeKind uint8

const (
	nodeLeaf nodeKind = iota
	nodeAll
	nodeAny
	nodeNot
)

// node is a compiled Condition.
type node struct {
	kind      nodeKind
	kids      []node
	attribute string
	tests     []test
}

type operator uint8

const (
	opIn operator = iota
	opNotIn
	opPrefix
	opGt
	opGte
	opLt
	opLte
	opExists
)

// fewStrings are looked through one by one.
const fewStrings = 8

// test is one operator of a leaf with its operand.
type test struct {
	op operator
	// The operands of in and not_in, each once. A few strings are looked
	// through, which is faster; index holds them when there are more.
	strings []string
	index   map[string]struct{}
	numbers []float64
	bools   [2]bool // false, true
	prefix  []byte
	limit   float64
	exists  bool
}

func (n *node) match(attrs Attributes) bool {
	switch n.kind {
	case nodeAll:
		for i := range n.kids {
			if !n.kids[i].match(attrs) {
				return false
			}
		}
		return true
	case nodeAny:
		for i := range n.kids {
			if n.kids[i].match(attrs) {
				return true
			}
		}
		return false
	case nodeNot:
		return !n.kids[0].match(attrs)
	}
	var v Value
	var found bool
	if attrs != nil {
		v, found = attrs.Attribute(n.attribute)
	}
	for i := range n.tests {
		if !n.tests[i].match(&v, found) {
			return false
		}
	}
	return true
}

func (t *test) match(v *Value, found bool) bool {
	if t.op == opExists || !found {
		return t.op == opExists && t.exists == found
	}
	switch t.op {
	case opIn:
		return t.holds(v)
	case opNotIn:
		return !t.holds(v)
	case opPrefix:
		return v.Kind == String && bytes.HasPrefix(v.Str, t.prefix)
	}
	if v.Kind != Number {
		return false
	}
	switch t.op {
	case opGt:
		return v.Num > t.limit
	case opGte:
		return v.Num >= t.limit
	case opLt:
		return v.Num < t.limit
	default: // opLte
		return v.Num <= t.limit
	}
}

func (t *test) holds(v *Value) (ok bool) {
	switch v.Kind {
	case String:
		if t.index != nil {
			_, ok = t.index[string(v.Str)]
			return ok
		}
		for _, s := range t.strings {
			if s == string(v.Str) {
				return true
			}
		}
	case Number:
		_, ok = slices.BinarySearch(t.numbers, v.Num)
	case Bool:
		ok = v.Bool && t.bools[1] || !v.Bool && t.bools[0]
	}
	return ok
}

// add puts a value of the file into the set; it says what is wrong with it.
func (t *test) add(v any) error {
	switch v := v.(type) {
	case string:
		if len(v) > MaxTextBytes {
			return fmt.Errorf("string of %d bytes is over the limit of %d", len(v), MaxTextBytes)
		}
		t.strings = append(t.strings, v)
		return nil
	case bool:
		if v {
			t.bools[1] = true
		} else {
			t.bools[0] = true
		}
		return nil
	}
	n, ok := number(v)
	switch {
	case !ok:
		return fmt.Errorf("%v: want a string, a number or a boolean", v)
	case math.IsNaN(n) || math.IsInf(n, 0):
		return fmt.Errorf("%v is not a finite number", v)
	case math.Trunc(n) == n && math.Abs(n) >= 1<<53:
		return fmt.Errorf("%v is too large to be compared exactly: send and list it as a string", v)
	}
	t.numbers = append(t.numbers, n)
	return nil
}

// seal prepares a set for look-ups, once all values are added.
func (t *test) seal() {
	slices.Sort(t.strings)
	t.strings = slices.Compact(t.strings)
	slices.Sort(t.numbers)
	t.numbers = slices.Compact(t.numbers)
	if len(t.strings) <= fewStrings {
		return
	}
	t.index = make(map[string]struct{}, len(t.strings))
	for _, s := range t.strings {
		t.index[s] = struct{}{}
	}
}

// number reads the numeric types that YAML and JSON decoders put into any.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// condition compiles a Condition at depth 1 for the root; count is the number
// of conditions of the experiment so far.
func (c *compiler) condition(at place, cond *Condition, depth int, count *int) node {
	*count++
	if depth > MaxNesting {
		c.addf(at, "conditions nest deeper than %d levels", MaxNesting)
		return node{}
	}
	forms := 0
	for _, used := range [...]bool{len(cond.All) > 0, len(cond.Any) > 0, cond.Not != nil, cond.leaf()} {
		if used {
			forms++
		}
	}
	if forms != 1 {
		c.addf(at, "a condition is exactly one of all, any, not, or an attribute with its operators")
		return node{}
	}
	switch {
	case cond.Not != nil:
		return node{kind: nodeNot, kids: []node{c.condition(at.field("not"), cond.Not, depth+1, count)}}
	case len(cond.All) > 0:
		return node{kind: nodeAll, kids: c.conditions(at.field("all"), cond.All, depth, count)}
	case len(cond.Any) > 0:
		return node{kind: nodeAny, kids: c.conditions(at.field("any"), cond.Any, depth, count)}
	}
	return c.leaf(at, cond)
}

func (c *compiler) conditions(at place, conds []Condition, depth int, count *int) []node {
	var kids []node
	for i := range conds {
		if *count > MaxConditions {
			break // the caller reports it, once
		}
		kids = append(kids, c.condition(at.index(i), &conds[i], depth+1, count))
	}
	return kids
}

func (cond *Condition) leaf() bool {
	return cond.Attribute != "" || cond.operators() > 0
}

// operators counts the operators that are set.
func (cond *Condition) operators() (n int) {
	for _, used := range [...]bool{cond.In != nil, cond.NotIn != nil, cond.Eq != nil, cond.Prefix != nil, cond.Gt != nil,
		cond.Gte != nil, cond.Lt != nil, cond.Lte != nil, cond.Exists != nil} {
		if used {
			n++
		}
	}
	return n
}

func (c *compiler) leaf(at place, cond *Condition) node {
	n := node{kind: nodeLeaf, attribute: cond.Attribute}
	if cond.Attribute == "" {
		c.addf(at.field("attribute"), "is missing: an operator needs the attribute that it looks at")
	} else {
		c.text(at.field("attribute"), cond.Attribute)
	}
	if cond.operators() == 0 {
		c.addf(at, "attribute %q has no operator: give in, not_in, eq, prefix, gt, gte, lt, lte or exists", cond.Attribute)
	}
	if cond.In != nil {
		n.tests = append(n.tests, c.set(at.field("in"), opIn, cond.In))
	}
	if cond.NotIn != nil {
		n.tests = append(n.tests, c.set(at.field("not_in"), opNotIn, cond.NotIn))
	}
	if cond.Eq != nil {
		t := test{op: opIn}
		if err := t.add(cond.Eq); err != nil {
			c.addf(at.field("eq"), "%v", err)
		}
		t.seal()
		n.tests = append(n.tests, t)
	}
	if cond.Prefix != nil {
		c.text(at.field("prefix"), *cond.Prefix)
		n.tests = append(n.tests, test{op: opPrefix, prefix: []byte(*cond.Prefix)})
	}
	for _, b := range [...]struct {
		name  string
		op    operator
		limit *float64
	}{{"gt", opGt, cond.Gt}, {"gte", opGte, cond.Gte}, {"lt", opLt, cond.Lt}, {"lte", opLte, cond.Lte}} {
		if b.limit == nil {
			continue
		}
		if math.IsNaN(*b.limit) || math.IsInf(*b.limit, 0) {
			c.addf(at.field(b.name), "%v is not a finite number", *b.limit)
		}
		n.tests = append(n.tests, test{op: b.op, limit: *b.limit})
	}
	if cond.Exists != nil {
		n.tests = append(n.tests, test{op: opExists, exists: *cond.Exists})
	}
	return n
}

func (c *compiler) set(at place, op operator, values []any) test {
	t := test{op: op}
	if len(values) == 0 || len(values) > MaxValues {
		c.addf(at, "lists %d values, want 1 to %d", len(values), MaxValues)
		return t
	}
	for i, v := range values {
		if err := t.add(v); err != nil {
			c.addf(at.index(i), "%v", err)
		}
	}
	t.seal()
	return t
}
