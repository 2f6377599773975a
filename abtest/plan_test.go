package abtest

import "testing"

func TestDefaults(t *testing.T) {
	p := compileYAML(t, `
experiments:
  - name: risk-v2
    model: risk
    fallback: control
    overrides: {treatment: [1234, "0042", user-1]}
    variants:
      - {name: control, weight: 50, model: risk-old, version: 1}
      - {name: treatment, weight: 50}
      - {name: candidate, shadow: true, version: 3}
`)
	e := p.Experiment("risk-v2")
	low, high := e.Range()
	if e.Salt() != "risk-v2" || e.Layer() != "" || low != 0 || high != Buckets || !e.Enabled() || e.State() != Running || e.Unit() != "user" || e.Sticky() || e.RampShare(0) != Buckets || e.Targeted() || e.Index() != 0 || e.Model() != "risk" {
		t.Errorf("defaults of the experiment: %+v", e)
	}
	if e.Fallback() != e.Variant("control") || e.Variant("nobody") != nil || p.Experiment("nobody") != nil {
		t.Errorf("look-ups: fallback %v", e.Fallback())
	}
	for i, want := range []Variant{
		{name: "control", model: "risk-old", version: 1, weight: 5000},
		{name: "treatment", model: "risk", weight: 5000},
		{name: "candidate", model: "risk", version: 3, shadow: true, sample: Buckets},
	} {
		v := e.Variants()[i]
		if v.Name() != want.name || v.Model() != want.model || v.Version() != want.version || v.Weight() != want.weight ||
			v.Shadow() != want.shadow || v.Sample() != int(want.sample) || v.Index() != i {
			t.Errorf("variant %d: %+v, want %+v", i, v, want)
		}
	}
	for _, unit := range []string{"1234", "0042", "user-1"} {
		if a := p.Assign("risk", of(unit, nil)); a.Reason != ReasonOverride {
			t.Errorf("%s: %s", unit, a.Reason)
		}
	}
	if es := p.ModelExperiments("risk").Experiments(); len(es) != 1 || es[0] != e {
		t.Errorf("experiments of the model: %v", es)
	}
	if es := p.ModelExperiments("other").Experiments(); es != nil {
		t.Errorf("experiments of another model: %v", es)
	}
}

func TestVariants(t *testing.T) {
	p := compileYAML(t, `
experiments:
  - name: e
    model: m
    fallback: control
    variants:
      - {name: control, weight: 95, label: stable, payload: {b: [1, 2.5, null, "<x>"], a: {c: true}}}
      - {name: new, weight: 5, canary: true, version: 3, payload: text}
      - {name: dark, shadow: true, label: canary, payload: 0}
`)
	e := p.Experiment("e")
	for i, want := range []Variant{
		{label: "stable", payload: []byte(`{"a":{"c":true},"b":[1,2.5,null,"<x>"]}`)},
		{version: 3, canary: true, payload: []byte(`"text"`)},
		{label: "canary", payload: []byte("0")},
	} {
		v := e.Variants()[i]
		if v.Label() != want.label || v.Version() != want.version || v.Canary() != want.canary || string(v.Payload()) != string(want.payload) {
			t.Errorf("variant %d: %+v, payload %s", i, v, v.Payload())
		}
	}
	if plain := compile(t, nil, split("e", 100)).Experiment("e").Variant("a"); plain.Payload() != nil || plain.Label() != "" || plain.Canary() {
		t.Errorf("defaults: %+v", plain)
	}
}

func TestOverrideLists(t *testing.T) {
	p := compileYAML(t, `
lists: {staff: [s1, s2], press: [p1]}
experiments:
  - {name: over, model: m, end: "1970-01-02T00:00:00Z", override_lists: {b: [staff]}, variants: [{name: a, weight: 100}, {name: b, weight: 0}]}
  - {name: e, model: m, overrides: {b: [u1]}, override_lists: {b: [staff, press]}, variants: [{name: a, weight: 100}, {name: b, weight: 0}]}
`)
	for _, c := range []struct {
		user string
		now  int64
		want string
	}{
		{"s1", 0, "over/b override"}, {"s1", aDay, "e/b override"}, {"p1", 0, "e/b override"}, {"u1", aDay, "e/b override"}, {"u2", aDay, "e/a split"},
	} {
		expect(t, p, c.user, &Request{User: []byte(c.user), Now: c.now}, c.want)
	}
}
