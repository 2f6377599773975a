package abtest

import (
	"fmt"
	"testing"
)

const unitsPlan = `
experiments:
  - {name: users, model: m, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - {name: orgs, model: m, unit: org, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - {name: off, model: m, unit: org, state: draft, variants: [{name: a, weight: 100}]}
`

// The unit that is handed out is the one that is hashed.
func TestAppendUnit(t *testing.T) {
	p := compileYAML(t, unitsPlan)
	for _, c := range []struct {
		about, experiment, want string
		r                       Request
	}{
		{"user", "users", "Zoë", Request{User: []byte("Zoë"), Units: entities{"user": []byte("x")}}},
		{"no user", "users", "", Request{Units: entities{"user": []byte("x")}, Attributes: &attributes{"user": "x"}}},
		{"entity", "orgs", "acme", Request{User: []byte("u"), Units: entities{"org": []byte("acme")}, Attributes: &attributes{"org": "x"}}},
		{"context string", "orgs", "acme", Request{User: []byte("u"), Units: entities{}, Attributes: &fixed{"org", Value{Kind: String, Str: []byte("acme")}}}},
		{"context integer", "orgs", "-9007199254740991", Request{Attributes: &attributes{"org": -(1<<53 - 1)}}},
		{"context zero", "orgs", "0", Request{Attributes: &attributes{"org": 0.0}}},
		{"large context integer", "orgs", "", Request{Attributes: &attributes{"org": 1 << 53}}},
		{"context fraction", "orgs", "", Request{Attributes: &attributes{"org": 1.5}}},
		{"context boolean", "orgs", "", Request{Attributes: &attributes{"org": true}}},
		{"empty entity", "orgs", "", Request{User: []byte("u"), Units: entities{"org": nil}}},
		{"nothing", "orgs", "", Request{User: []byte("u")}},
		{"a draft", "off", "acme", Request{Units: entities{"org": []byte("acme")}}},
	} {
		e := p.Experiment(c.experiment)
		buffer := append(make([]byte, 0, 64), "before:"...)
		if got := string(e.AppendUnit(buffer, &c.r)); got != "before:"+c.want {
			t.Errorf("%s: %q, want %q", c.about, got, "before:"+c.want)
		}
		if n := testing.AllocsPerRun(10, func() { e.AppendUnit(buffer, &c.r) }); n != 0 {
			t.Errorf("%s: %v allocations", c.about, n)
		}
		a := e.Explain(&c.r)
		if n := testing.AllocsPerRun(10, func() { a = e.Explain(&c.r) }); n != 0 {
			t.Errorf("%s: %v allocations to explain", c.about, n)
		}
		bucket := uint16(0)
		if c.want != "" {
			bucket = bucketIn(domainAssign, c.experiment, c.want)
		}
		if a.Bucket != bucket || (a.Reason == ReasonNoUnit) != (c.want == "" && c.experiment != "off") {
			t.Errorf("%s: bucket %d, %s; that of the unit is %d", c.about, a.Bucket, a.Reason, bucket)
		}
	}
}

// An experiment by itself says what it says among the others, and what Assign
// would if it were the only one.
func TestExplainOfOneExperiment(t *testing.T) {
	g := newGenerator(13)
	for range 20 {
		cfg := g.plan()
		p := under(t, cfg)
		for range 50 {
			v := g.request()
			v.Forced = ""
			r := v.request()
			for _, a := range p.ModelExperiments(v.Model).Explain(nil, r) {
				if own := a.Experiment.Explain(r); own != a {
					t.Fatalf("%s of %+v: by itself %+v, among the others %+v", a.Experiment.Name(), v, own, a)
				}
			}
		}
	}
	only := compile(t, nil, split("e", 50, 50))
	for i := range 100 {
		r := of(fmt.Sprint(i), nil)
		if a, own := only.Assign("m", r), only.Experiment("e").Explain(r); a != own {
			t.Fatalf("alone %+v, Assign %+v", own, a)
		}
	}
}
