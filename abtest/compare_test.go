package abtest

import (
	"fmt"
	"reflect"
	"testing"
)

func TestCompare(t *testing.T) {
	const plan = `experiments: [{name: e, model: m, targeting: {attribute: in, eq: true}, variants: [{name: a, weight: %d, version: 1}, {name: b, weight: %d, label: new}]}]`
	before, after := compileYAML(t, fmt.Sprintf(plan, 50, 50)), compileYAML(t, fmt.Sprintf(plan, 30, 70))
	c := Compare(before, after, 3)
	const n = 10000
	for i := range n {
		c.Add("m", of(fmt.Sprint(i), &attributes{"in": i%10 > 0}))
	}
	flows := c.Flows()
	a, b, none := Place{"e", "a", "m", 1, ""}, Place{"e", "b", "m", 0, "new"}, Place{Model: "m"}
	var got [][2]Place
	total := 0
	for _, f := range flows {
		got = append(got, [2]Place{f.From, f.To})
		total += f.Requests
	}
	if want := [][2]Place{{a, b}, {b, b}, {a, a}, {none, none}}; !reflect.DeepEqual(got, want) {
		t.Fatalf("flows %+v, want %+v", got, want)
	}
	if total != n || c.Requests() != n || c.Moved() != flows[0].Requests || flows[3].Requests != n/10 || !flows[0].Moves() || flows[1].Moves() {
		t.Errorf("%d of %d moved: %+v", c.Moved(), c.Requests(), flows)
	}
	// A fifth of the nine tenths moves.
	if m := c.Moved(); m < 1600 || m > 2000 {
		t.Errorf("%d moved, want about 1800", m)
	}
	for _, f := range flows {
		if len(f.Samples) != 3 {
			t.Errorf("%d samples of %+v", len(f.Samples), f)
		}
	}
	for _, s := range flows[0].Samples {
		r := of(s.User, &attributes{"in": true})
		if x, y := before.Assign("m", r), after.Assign("m", r); x.Variant.Name() != "a" || y.Variant.Name() != "b" || s.Before != ReasonSplit || s.After != ReasonSplit {
			t.Errorf("sample %+v is not one", s)
		}
	}
	if s := flows[3].Samples[0]; s != (Sample{"0", ReasonNotTargeted, ReasonNotTargeted}) {
		t.Errorf("sample %+v", s)
	}
}

// A variant that is served by something else moves its users, too.
func TestCompareSeesWhatAnswers(t *testing.T) {
	const plan = `experiments: [{name: e, model: m, variants: [{name: a, weight: 100, version: %d}]}]`
	c := Compare(compileYAML(t, fmt.Sprintf(plan, 1)), compileYAML(t, fmt.Sprintf(plan, 2)), 1)
	c.Add("m", of("u", nil))
	if c.Moved() != 1 || len(c.Flows()) != 1 {
		t.Errorf("flows %+v", c.Flows())
	}
}
