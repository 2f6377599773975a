package abtest

import (
	"sync"
	"testing"
)

// everyWay are requests that go through every part of a decision.
func everyWay() []*Request {
	kept := stored{"sticky": []byte("b")}
	de, ids := &fixed{"country", Value{Kind: String, Str: []byte("de")}}, entities{"org": []byte("acme")}
	number := &fixed{"session", Value{Kind: Number, Num: 123}}
	var out []*Request
	for _, user := range []string{"", "unit-1", "vip", "unit-2"} {
		for _, forced := range []string{"", "all/b", "typo"} {
			for _, attrs := range []Attributes{nil, de, number} {
				for _, units := range []Units{nil, ids} {
					for _, s := range []Stored{nil, kept} {
						out = append(out, &Request{User: []byte(user), Attributes: attrs, Units: units, Forced: []byte(forced), Stored: s, Now: 1 << 31})
					}
				}
			}
		}
	}
	return out
}

const everyPart = `
lists: {long: [a, b, c, d, e, f, g, h, i, vip, de]}
holdout: {share: 10}
layers: [{name: l, holdout: {share: 10}}, {name: orgs, unit: org}]
experiments:
  - {name: needed, model: other, overrides: {a: [vip]}, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - {name: sticky, model: m, sticky: true, unit: session, ramp: [{share: 20}], variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - name: all
    model: m
    layer: l
    range: [0, 5000]
    start: "2000-01-01T00:00:00Z"
    ramp: [{share: 20}, {at: "2030-01-01T00:00:00Z", share: 50}]
    prerequisites: [{experiment: needed}]
    targeting: {any: [{attribute: country, in_list: long, prefix: d, suffix: e, contains: d}, {percent: 10, salt: p}, {unit: user, in_list: long}, {attribute: session, gt: 1, lt: 200}, {attribute: app, semver_gt: 1.2.3}]}
    overrides: {b: [vip]}
    variants: [{name: a, weight: 40}, {name: b, weight: 30}, {name: c, weight: 30}, {name: s, shadow: true}]
  - {name: orgs, model: m, unit: org, layer: orgs, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
`

func TestAssignDoesNotAllocate(t *testing.T) {
	p := compileYAML(t, everyPart)
	m, requests := p.ModelExperiments("m"), everyWay()
	seen := map[Reason]bool{}
	for _, r := range requests {
		a := p.Assign("m", r)
		seen[a.Reason] = true
		n := testing.AllocsPerRun(10, func() {
			a = m.Assign(r)
			if a.Experiment != nil && len(a.Experiment.Shadows()) > 0 {
				a.ShadowHit(0)
			}
		})
		if n != 0 {
			t.Errorf("%v allocations for %+v, %s", n, r, a.Reason)
		}
	}
	for _, r := range []Reason{ReasonSplit, ReasonSticky, ReasonOverride, ReasonForced} {
		if !seen[r] {
			t.Errorf("no request with the reason %s", r)
		}
	}
}

// A plan is read by all requests at once; under the race detector this shows
// that reading is all they do.
func TestAssignFromManyGoroutines(t *testing.T) {
	p := compileYAML(t, everyPart)
	requests := everyWay()
	const readers = 4
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() {
			for j := range requests {
				r := *requests[(i+j)%len(requests)]
				if a, b := p.Assign("m", &r), p.ModelExperiments("m").Assign(&r); a != b {
					t.Errorf("%+v, then %+v", a, b)
				}
			}
		})
	}
	all.Wait()
}
