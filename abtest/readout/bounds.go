package readout

import (
	"strconv"
	"strings"
	"time"
)

// bound is one of a guardrail's bounds.
type bound struct {
	kind  boundKind
	limit float64
}

// boundKind is which one.
type boundKind uint8

const (
	mostValue boundKind = iota
	leastValue
	mostIncrease
	mostDecrease
	mostRatio
)

var boundNames = [...]string{"max", "min", "max_increase", "max_decrease", "max_ratio"}

func (b bound) String() string {
	return boundNames[b.kind] + " " + strconv.FormatFloat(b.limit, 'g', -1, 64)
}

// relative: the bound is about the difference to the control.
func (b bound) relative() bool { return b.kind >= mostIncrease }

// bounds are those that the guardrail has.
func (g *guard) bounds() []bound {
	var all []bound
	for kind, limit := range [...]*float64{g.Max, g.Min, g.MaxIncrease, g.MaxDecrease, g.MaxRatio} {
		if limit != nil {
			all = append(all, bound{boundKind(kind), *limit})
		}
	}
	return all
}

// exceeded says whether what was measured is beyond the bound.
func (b bound) exceeded(l *look) bool {
	v, c := l.variant.value, l.control.value
	switch b.kind {
	case mostValue:
		return v > b.limit
	case leastValue:
		return v < b.limit
	case mostIncrease:
		return v-c > b.limit
	case mostDecrease:
		return c-v > b.limit
	}
	return c >= 0 && v > b.limit*c // no multiple of a negative value is a bound
}

// certain says whether it is beyond the bound more than chance explains.
func (b bound) certain(l *look) bool {
	g, v, c := l.guard, &l.variant, &l.control
	switch b.kind {
	case mostValue:
		return v.low > b.limit
	case leastValue:
		return v.high < b.limit
	case mostIncrease:
		return g.least(v, c, 1) > b.limit
	case mostDecrease:
		return g.least(c, v, 1) > b.limit
	}
	return g.least(v, c, b.limit) > 0
}

// boundsText lists a guardrail's bounds.
func (g *guard) boundsText() string {
	var all []string
	for _, b := range g.bounds() {
		all = append(all, b.String())
	}
	return strings.Join(all, ", ")
}

// text is a sentence about the look.
func (l *look) text() string {
	g := l.guard
	what, span := "answers", "in the last "+time.Duration(g.Window).String()
	if g.Feedback != nil {
		what, span = "units", "since the readout began"
	}
	t := g.Metric + " of " + l.arm + " is " + g.shown(l.variant) + " of " + strconv.FormatInt(l.variant.n, 10) + " " + what + " " + span +
		", the control's " + g.shown(l.control) + " of " + strconv.FormatInt(l.control.n, 10) + ": "
	switch l.state {
	case broken:
		return t + l.bound.String()
	case chance:
		return t + "beyond " + l.bound.String() + ", but that may be chance"
	case within:
		return t + "within " + g.boundsText()
	}
	return t + "fewer than min_requests " + strconv.Itoa(g.MinRequests)
}

// shown is a value in the metric's unit.
func (g *guard) shown(m measured) string {
	if m.n == 0 {
		return "unknown"
	}
	const digits = 4
	t := strconv.FormatFloat(m.value, 'g', digits, 64)
	if _, ok := quantileOf(g.Metric); g.Feedback == nil && ok {
		return t + " ms"
	}
	if g.Percent() {
		return t + " %"
	}
	return t
}
