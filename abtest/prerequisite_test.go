package abtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPrerequisites(t *testing.T) {
	p := compileYAML(t, `
experiments:
  - name: ranking
    model: other
    targeting: {attribute: country, eq: de}
    overrides: {a: [vip]}
    sticky: true
    variants: [{name: a, weight: 50}, {name: b, weight: 50}, {name: s, shadow: true}]
  - {name: pausable, model: other, state: paused, fallback: a, variants: [{name: a, weight: 100}]}
  - {name: over, model: other, state: stopped, variants: [{name: a, weight: 100}]}
  - {name: on-b, model: m, prerequisites: [{experiment: ranking, variants: [b]}], variants: [{name: x, weight: 100}]}
  - {name: on-any, model: any, prerequisites: [{experiment: ranking}], variants: [{name: x, weight: 100}]}
  - {name: on-both, model: both, prerequisites: [{experiment: on-any}, {experiment: on-b}], variants: [{name: x, weight: 100}]}
  - {name: on-paused, model: paused, prerequisites: [{experiment: pausable}], variants: [{name: x, weight: 100}]}
  - {name: on-over, model: over, prerequisites: [{experiment: over}], variants: [{name: x, weight: 100}]}
`)
	de := &attributes{"country": "de"}
	user := func(variant string) string {
		return userWhere(func(u string) bool {
			return p.Experiment("ranking").VariantAt(bucketIn(domainAssign, "ranking", u)).Name() == variant
		})
	}
	a, b := user("a"), user("b")
	for _, c := range []struct {
		about, model string
		r            *Request
		want         Reason
	}{
		{"in the variant", "m", of(b, de), ReasonSplit},
		{"in another variant", "m", of(a, de), ReasonPrerequisite},
		{"not targeted there", "m", of(b, nil), ReasonPrerequisite},
		{"any variant", "any", of(a, de), ReasonSplit},
		{"any variant, not in it", "any", of(a, nil), ReasonPrerequisite},
		{"overridden there", "any", of("vip", nil), ReasonSplit},
		{"overridden there to another variant", "m", of("vip", de), ReasonPrerequisite},
		{"kept there", "m", &Request{User: []byte(a), Stored: stored{"ranking": []byte("b")}}, ReasonSplit},
		{"over two steps", "both", of(b, de), ReasonSplit},
		{"over two steps, one fails", "both", of(a, de), ReasonPrerequisite},
		{"paused", "paused", of(a, de), ReasonPrerequisite},
		{"stopped", "over", of(a, de), ReasonPrerequisite},
	} {
		if got := p.Assign(c.model, c.r); got.Reason != c.want {
			t.Errorf("%s: %s, want %s", c.about, got.Reason, c.want)
		}
	}
}

func problemsOf(t *testing.T, text string) []string {
	t.Helper()
	_, err := Compile(decodeYAML(t, text))
	var ps Problems
	errors.As(err, &ps)
	var out []string
	for _, p := range ps {
		out = append(out, p.String())
	}
	return out
}

func requiring(name string, others ...string) string {
	var on []string
	for _, o := range others {
		on = append(on, "{experiment: "+o+"}")
	}
	return fmt.Sprintf("  - {name: %s, model: m, prerequisites: [%s], variants: [{name: a, weight: 100}]}\n", name, strings.Join(on, ", "))
}

func TestPrerequisitesDoNotLeadBack(t *testing.T) {
	got := problemsOf(t, "experiments:\n"+requiring("a", "b")+requiring("b", "d", "c")+requiring("c", "b")+requiring("d")+requiring("self", "self"))
	want := []string{
		`experiments[1].prerequisites: lead back to the experiment itself: b > c > b`,
		`experiments[4].prerequisites: lead back to the experiment itself: self > self`,
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %q", got)
	}
}

func TestPrerequisitesCostIsBounded(t *testing.T) {
	text := "experiments:\n" + requiring("e0")
	for i := 1; i <= 8; i++ {
		// Each level decides the level below, and all the others, over again.
		var on []string
		for j := range i {
			on = append(on, fmt.Sprint("e", j))
		}
		text += requiring(fmt.Sprint("e", i), on...)
	}
	got := problemsOf(t, text)
	want := `experiments[7].prerequisites: lead to more than 64 decisions about one unit`
	if len(got) != 2 || !strings.HasPrefix(got[0], want) {
		t.Errorf("got %q", got)
	}
}
