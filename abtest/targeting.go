package abtest

type nodeKind uint8

const (
	nodeLeaf nodeKind = iota
	nodeAll
	nodeAny
	nodeNot
	nodePercent
)

// node is a compiled Condition.
type node struct {
	kind nodeKind
	kids []node
	// A leaf looks at an attribute, or where there is none at the id of a unit.
	attribute     string
	attributeSlot uint16
	tests         []test
	unit          uint8
	// A share of the units, in basis points.
	salt  string
	key   uint64
	share uint16
}

// slot is what a leaf looks at, by its number.
func (n *node) slot() uint16 {
	if n.attribute == "" {
		return uint16(n.unit)
	}
	return n.attributeSlot
}

// condition compiles a Condition at depth 1 for the root; count is the number
// of conditions of the experiment so far.
func (c *compiler) condition(at place, e *Experiment, cond *Condition, depth int, count *int) node {
	*count++
	if depth > MaxNesting {
		c.addf(at, "conditions nest deeper than %d levels", MaxNesting)
		return node{}
	}
	forms := 0
	for _, used := range [...]bool{len(cond.All) > 0, len(cond.Any) > 0, cond.Not != nil, cond.Percent != nil, cond.leaf()} {
		if used {
			forms++
		}
	}
	if forms != 1 {
		c.addf(at, "a condition is exactly one of all, any, not, percent, or an attribute or unit with its operators")
		return node{}
	}
	if cond.Salt != "" && cond.Percent == nil {
		c.addf(at.field("salt"), "is for percent only")
	}
	switch {
	case cond.Not != nil:
		return node{kind: nodeNot, kids: []node{c.condition(at.field("not"), e, cond.Not, depth+1, count)}}
	case len(cond.All) > 0:
		return node{kind: nodeAll, kids: c.conditions(at.field("all"), e, cond.All, depth, count)}
	case len(cond.Any) > 0:
		return node{kind: nodeAny, kids: c.conditions(at.field("any"), e, cond.Any, depth, count)}
	case cond.Percent != nil:
		return c.percent(at, e, cond)
	}
	return c.leaf(at, cond)
}

func (c *compiler) conditions(at place, e *Experiment, conds []Condition, depth int, count *int) []node {
	var kids []node
	for i := range conds {
		if *count > MaxConditions {
			break // the caller reports it, once
		}
		kids = append(kids, c.condition(at.index(i), e, &conds[i], depth+1, count))
	}
	return kids
}

// percent compiles a share of the units.
func (c *compiler) percent(at place, e *Experiment, cond *Condition) node {
	n := node{kind: nodePercent, unit: e.unit, salt: cond.Salt, key: hashKey(domainPercent, cond.Salt)}
	if cond.Unit != "" {
		n.unit = c.unitSlot(at.field("unit"), cond.Unit)
	}
	if cond.Salt == "" {
		c.addf(at.field("salt"), "is missing: give one of its own, or that of the condition whose units it wants")
	} else {
		c.text(at.field("salt"), cond.Salt)
	}
	share, _ := c.basisPoints(at.field("percent"), *cond.Percent)
	n.share = uint16(share)
	return n
}

// leaf compiles operators on one attribute or unit.
func (c *compiler) leaf(at place, cond *Condition) node {
	n := node{kind: nodeLeaf, attribute: cond.Attribute}
	switch {
	case cond.Attribute != "" && cond.Unit != "":
		c.addf(at.field("unit"), "stands beside the attribute %q: give one of the two", cond.Attribute)
	case cond.Attribute != "":
		c.text(at.field("attribute"), cond.Attribute)
		n.attributeSlot = c.attributeSlot(cond.Attribute)
	case cond.Unit != "":
		n.unit = c.unitSlot(at.field("unit"), cond.Unit)
	default:
		c.addf(at.field("attribute"), "is missing: an operator needs the attribute or unit that it looks at")
	}
	if n.tests = c.tests(at, cond); len(n.tests) == 0 {
		c.addf(at, "%q has no operator: give one such as in, eq, prefix, gte, semver_gte or exists", cond.Attribute+cond.Unit)
	}
	return n
}

// leaf says whether the condition has the form of a leaf.
func (cond *Condition) leaf() bool {
	return cond.Attribute != "" || cond.Unit != "" && cond.Percent == nil || cond.operators()
}

// operators says whether an operator is set.
func (cond *Condition) operators() bool {
	return cond.In != nil || cond.NotIn != nil || cond.InList != "" || cond.NotInList != "" || cond.Eq != nil ||
		cond.Prefix != nil || cond.Suffix != nil || cond.Contains != nil ||
		cond.Gt != nil || cond.Gte != nil || cond.Lt != nil || cond.Lte != nil ||
		cond.SemverEq != nil || cond.SemverGt != nil || cond.SemverGte != nil || cond.SemverLt != nil || cond.SemverLte != nil ||
		cond.Exists != nil
}
