package abtest

import (
	"fmt"
	"testing"
)

const stickyPlan = `
holdout: {share: 10}
layers: [{name: l}]
experiments:
  - {name: first, model: m, targeting: {attribute: x, exists: true}, variants: [{name: a, weight: 100}]}
  - name: e
    model: m
    sticky: true
    layer: l
    range: [0, 5000]
    end: "1970-01-02T00:00:00Z"
    overrides: {a: [vip]}
    targeting: {attribute: y, exists: true}
    variants: [{name: a, weight: 50}, {name: b, weight: 50}, {name: gone, weight: 0}, {name: s, shadow: true}]
  - {name: loose, model: m, state: stopped, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
`

func TestSticky(t *testing.T) {
	p := compileYAML(t, stickyPlan)
	keep := func(variant string) Stored { return stored{"e": []byte(variant)} }
	outside := []byte(userWhere(func(u string) bool {
		return bucketIn(domainLayer, "l", u) >= 5000 && bucketIn(domainHoldout, "global", u) >= 1000
	}))
	held := []byte(userWhere(func(u string) bool { return bucketIn(domainHoldout, "global", u) < 1000 }))
	for _, c := range []struct {
		about string
		r     Request
		want  string
	}{
		{"beats targeting, range and earlier experiments", Request{User: outside, Stored: keep("b"), Attributes: &attributes{"x": 1}}, "e/b sticky"},
		{"beats the holdout", Request{User: held, Stored: keep("b")}, "e/b sticky"},
		{"does not beat an override", Request{User: []byte("vip"), Stored: keep("b")}, "e/a override"},
		{"does not beat force", Request{User: outside, Stored: keep("b"), Forced: []byte("e/a")}, "e/a forced"},
		{"a variant that is withdrawn", Request{User: outside, Stored: keep("gone")}, "not_targeted"},
		{"a variant that is no more", Request{User: outside, Stored: keep("old")}, "not_targeted"},
		{"a shadow", Request{User: outside, Stored: keep("s")}, "not_targeted"},
		{"nothing stored", Request{User: outside, Stored: stored{}}, "not_targeted"},
		{"past the end", Request{User: outside, Stored: keep("b"), Now: aDay}, "not_targeted"},
		{"no unit", Request{Stored: keep("b"), Attributes: &attributes{"y": 1}}, "no_unit"},
		{"an experiment that is not sticky", Request{User: outside, Stored: stored{"first": []byte("a")}}, "not_targeted"},
	} {
		expect(t, p, c.about, &c.r, c.want)
	}
	m := p.ModelExperiments("m")
	if s := m.Sticky(); len(s) != 1 || s[0].Name() != "e" || p.ModelExperiments("x").Sticky() != nil {
		t.Errorf("sticky experiments %v", s)
	}
}

// Only what chance has just chosen is to be stored, and only for sticky experiments.
func TestStore(t *testing.T) {
	p := compileYAML(t, stickyPlan)
	inside := []byte(userWhere(func(u string) bool {
		return bucketIn(domainLayer, "l", u) < 5000 && bucketIn(domainHoldout, "global", u) >= 1000
	}))
	y := &attributes{"y": 1}
	for _, c := range []struct {
		about string
		r     Request
		want  bool
	}{
		{"split", Request{User: inside, Attributes: y}, true},
		{"kept already", Request{User: inside, Attributes: y, Stored: stored{"e": []byte("b")}}, false},
		{"override", Request{User: []byte("vip")}, false},
		{"forced", Request{User: inside, Forced: []byte("e/a")}, false},
		{"not sticky", Request{User: inside, Attributes: &attributes{"x": 1}}, false},
		{"nothing", Request{User: inside}, false},
	} {
		if a := p.Assign("m", &c.r); a.Store() != c.want {
			t.Errorf("%s: %v, %s", c.about, a.Store(), a.Reason)
		}
	}
}

// Who has the control only while another variant is held is not to stay there.
func TestStoreUnderAHold(t *testing.T) {
	third := 30.0
	rest := 40.0
	c := Config{Experiments: []ExperimentConfig{{Name: "e", Model: "m", Sticky: true, Variants: []VariantConfig{
		{Name: "control", Weight: &rest}, {Name: "b", Weight: &third}, {Name: "c", Weight: &third}}}}}
	p, err := Compile(c.WithHolds([]Hold{{Experiment: "e", Variant: "b"}}))
	if err != nil {
		t.Fatal(err)
	}
	stores := map[string]int{}
	for i := range 300 {
		a := p.Assign("m", of(fmt.Sprint(i), nil))
		if a.Store() {
			stores[a.Variant.Name()]++
		} else {
			stores["not "+a.Variant.Name()]++
		}
	}
	if stores["control"] != 0 || stores["not control"] == 0 || stores["c"] == 0 || stores["not c"] != 0 {
		t.Errorf("stored %v", stores)
	}
	// A unit that had the held variant before keeps its entry, which is not valid now.
	r := of("u", nil)
	r.Stored = stored{"e": []byte("b")}
	if a := p.Assign("m", r); a.Variant.Name() == "b" || a.Reason != ReasonSplit {
		t.Errorf("%s, %s", a.Variant.Name(), a.Reason)
	}
}

// What is stored stands against a change of weights, and a new salt lets go of it.
func TestStickyOutlivesAChangeOfWeights(t *testing.T) {
	const plan = `experiments: [{name: e, model: m, salt: %s, sticky: true, variants: [{name: a, weight: %d}, {name: b, weight: %d}]}]`
	before, after := compileYAML(t, fmt.Sprintf(plan, "s", 90, 10)), compileYAML(t, fmt.Sprintf(plan, "s", 10, 90))
	other := compileYAML(t, fmt.Sprintf(plan, "t", 10, 90))
	moved := 0
	for i := range 1000 {
		r := of(fmt.Sprint(i), nil)
		was := before.Assign("m", r)
		if after.Assign("m", r).Variant.Name() != was.Variant.Name() {
			moved++
		}
		r.Stored = stored{"e": []byte(was.Variant.Name())}
		if is := after.Assign("m", r); is.Variant.Name() != was.Variant.Name() || is.Reason != ReasonSticky {
			t.Fatalf("%d went from %s to %s, %s", i, was.Variant.Name(), is.Variant.Name(), is.Reason)
		}
	}
	if moved < 700 {
		t.Errorf("only %d would move without: the test shows nothing", moved)
	}
	key := before.Experiment("e").StickyKey()
	if key != after.Experiment("e").StickyKey() || key == other.Experiment("e").StickyKey() {
		t.Errorf("keys %s, %s and with another salt %s", key, after.Experiment("e").StickyKey(), other.Experiment("e").StickyKey())
	}
}
