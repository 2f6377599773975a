package abtest

import (
	"fmt"
	"math"
	"testing"
)

var targetingCases = []struct {
	cond  string
	attrs attributes
	want  bool
}{
	{`{attribute: country, in: [de, at]}`, attributes{"country": "at"}, true},
	{`{attribute: country, in: [de, at]}`, attributes{"country": "fr"}, false},
	{`{attribute: country, in: [de, at]}`, attributes{"country": "DE"}, false},
	{`{attribute: country, in: [no]}`, attributes{"country": "no"}, true},
	{`{attribute: country, in: [de, at]}`, nil, false},
	{`{attribute: country, not_in: [de]}`, attributes{"country": "fr"}, true},
	{`{attribute: country, not_in: [de]}`, attributes{"country": "de"}, false},
	{`{attribute: country, not_in: [de]}`, attributes{"country": 7}, true},
	{`{attribute: country, not_in: [de]}`, nil, false},
	{`{not: {attribute: country, in: [de]}}`, nil, true},
	{`{attribute: x, in: [a, 1, true]}`, attributes{"x": "a"}, true},
	{`{attribute: x, in: [a, 1, true]}`, attributes{"x": 1}, true},
	{`{attribute: x, in: [a, 1, true]}`, attributes{"x": true}, true},
	{`{attribute: x, in: [a, 1, true]}`, attributes{"x": false}, false},
	{`{attribute: x, in: [a, 1, true]}`, attributes{"x": "1"}, false},
	{`{attribute: x, in: [a, b, c, d, e, f, g, h, i, 9, 8, 7]}`, attributes{"x": "i"}, true},
	{`{attribute: x, in: [a, b, c, d, e, f, g, h, i, 9, 8, 7]}`, attributes{"x": "j"}, false},
	{`{attribute: x, in: [a, b, c, d, e, f, g, h, i, 9, 8, 7]}`, attributes{"x": 8}, true},
	{`{attribute: x, in: [a, b, c, d, e, f, g, h, i, 9, 8, 7]}`, attributes{"x": math.NaN()}, false},
	{`{attribute: x, in: [false]}`, attributes{"x": false}, true},
	{`{attribute: x, eq: 1.5}`, attributes{"x": 1.5}, true},
	{`{attribute: x, eq: 0}`, attributes{"x": 0}, true},
	{`{attribute: x, eq: -3}`, attributes{"x": -3}, true},
	{`{attribute: x, eq: "1.5"}`, attributes{"x": 1.5}, false},
	{`{attribute: x, eq: ""}`, attributes{"x": ""}, true},
	{`{attribute: x, eq: false}`, attributes{"x": false}, true},
	{`{attribute: x, eq: false}`, nil, false},
	{`{attribute: x, prefix: ab}`, attributes{"x": "abc"}, true},
	{`{attribute: x, prefix: ab}`, attributes{"x": "a"}, false},
	{`{attribute: x, prefix: ab}`, attributes{"x": 1}, false},
	{`{attribute: x, suffix: bc}`, attributes{"x": "abc"}, true},
	{`{attribute: x, suffix: bc}`, attributes{"x": "bcd"}, false},
	{`{attribute: x, suffix: bc}`, attributes{"x": true}, false},
	{`{attribute: x, contains: bc}`, attributes{"x": "abcd"}, true},
	{`{attribute: x, contains: bc}`, attributes{"x": "b c"}, false},
	{`{attribute: x, contains: "1"}`, attributes{"x": 1}, false},
	{`{attribute: x, prefix: a, suffix: c, contains: b}`, attributes{"x": "abc"}, true},
	{`{attribute: x, prefix: a, suffix: c, contains: b}`, attributes{"x": "ac"}, false},
	{`{attribute: x, in_list: few}`, attributes{"x": "b"}, true},
	{`{attribute: x, in_list: few}`, attributes{"x": "c"}, false},
	{`{attribute: x, in_list: many}`, attributes{"x": "j"}, true},
	{`{attribute: x, in_list: many}`, attributes{"x": "k"}, false},
	{`{attribute: x, in_list: few}`, nil, false},
	{`{attribute: x, not_in_list: few}`, attributes{"x": "c"}, true},
	{`{attribute: x, not_in_list: few}`, attributes{"x": "b"}, false},
	{`{attribute: x, not_in_list: few}`, attributes{"x": 1}, true},
	{`{attribute: x, not_in_list: few}`, nil, false},
	{`{unit: user, in: [u]}`, nil, true},
	{`{unit: user, in_list: few}`, nil, false},
	{`{unit: user, prefix: u, not_in: [v]}`, nil, true},
	{`{unit: org, exists: true}`, nil, false},
	{`{unit: org, exists: true}`, attributes{"org": 17}, true},
	{`{unit: org, eq: "17"}`, attributes{"org": 17}, true},
	{`{unit: org, eq: 17}`, attributes{"org": 17}, false},
	{`{attribute: app, semver_gte: 2.10.0}`, attributes{"app": "2.9.9"}, false},
	{`{attribute: app, semver_gte: 2.10.0}`, attributes{"app": "2.10.0"}, true},
	{`{attribute: app, semver_gte: 2.10.0}`, attributes{"app": "2.10.0-rc.1"}, false},
	{`{attribute: app, semver_gt: 2.10.0}`, attributes{"app": "2.10"}, false},
	{`{attribute: app, semver_gt: 2.10.0}`, attributes{"app": "v2.10.1"}, true},
	{`{attribute: app, semver_eq: 2.10.0}`, attributes{"app": "2.10.0+build.7"}, true},
	{`{attribute: app, semver_eq: 2.10.0}`, attributes{"app": "2.10.1"}, false},
	{`{attribute: app, semver_lt: 2.10.0}`, attributes{"app": "2.10.0-rc.1"}, true},
	{`{attribute: app, semver_lt: 2.10.0}`, attributes{"app": "2.10.0"}, false},
	{`{attribute: app, semver_lte: 2.10.0}`, attributes{"app": "2.10.0"}, true},
	{`{attribute: app, semver_lte: 2.10.0}`, attributes{"app": "2.10.1"}, false},
	{`{attribute: app, semver_gte: "2.0", semver_lt: "3.0"}`, attributes{"app": "2.99"}, true},
	{`{attribute: app, semver_gte: "2.0", semver_lt: "3.0"}`, attributes{"app": "3.0.1"}, false},
	{`{attribute: app, semver_lt: 2.10.0}`, attributes{"app": "not a version"}, false},
	{`{attribute: app, semver_lt: 2.10.0}`, attributes{"app": 2.1}, false},
	{`{attribute: app, semver_lt: 2.10.0}`, nil, false},
	{`{percent: 100, salt: s}`, nil, true},
	{`{percent: 0, salt: s}`, nil, false},
	{`{percent: 100, salt: s, unit: org}`, nil, false},
	{`{percent: 100, salt: s, unit: org}`, attributes{"org": "o"}, true},
	{`{not: {percent: 100, salt: s}}`, nil, false},
	{`{any: [{all: [{attribute: a, eq: 1}, {attribute: b, eq: 1}]}, {all: [{attribute: a, eq: 2}, {not: {attribute: b, eq: 2}}]}]}`, attributes{"a": 2, "b": 1}, true},
	{`{any: [{all: [{attribute: a, eq: 1}, {attribute: b, eq: 1}]}, {all: [{attribute: a, eq: 2}, {not: {attribute: b, eq: 2}}]}]}`, attributes{"a": 2, "b": 2}, false},
	{`{not: {all: [{attribute: a, gte: 1, lt: 5}, {not: {any: [{attribute: a, eq: 3}, {attribute: a, eq: 4}]}}]}}`, attributes{"a": 4}, true},
	{`{not: {all: [{attribute: a, gte: 1, lt: 5}, {not: {any: [{attribute: a, eq: 3}, {attribute: a, eq: 4}]}}]}}`, attributes{"a": 2}, false},
	{`{attribute: age, gt: 18}`, attributes{"age": 18}, false},
	{`{attribute: age, gt: 18}`, attributes{"age": 18.5}, true},
	{`{attribute: age, gte: 18}`, attributes{"age": 18}, true},
	{`{attribute: age, gte: 18}`, attributes{"age": 17}, false},
	{`{attribute: age, lt: 18}`, attributes{"age": 18}, false},
	{`{attribute: age, lt: 18}`, attributes{"age": 17}, true},
	{`{attribute: age, lte: 18}`, attributes{"age": 18}, true},
	{`{attribute: age, lte: 18}`, attributes{"age": 19}, false},
	{`{attribute: age, lte: 18}`, attributes{"age": "17"}, false},
	{`{attribute: age, lt: 18}`, nil, false},
	{`{attribute: age, gte: 18, lt: 65}`, attributes{"age": 40}, true},
	{`{attribute: age, gte: 18, lt: 65}`, attributes{"age": 65}, false},
	{`{attribute: age, exists: true}`, attributes{"age": 0}, true},
	{`{attribute: age, exists: true}`, nil, false},
	{`{attribute: age, exists: false}`, nil, true},
	{`{attribute: age, exists: false}`, attributes{"age": 0}, false},
	{`{all: [{attribute: c, in: [de]}, {attribute: age, gte: 18}]}`, attributes{"c": "de", "age": 18}, true},
	{`{all: [{attribute: c, in: [de]}, {attribute: age, gte: 18}]}`, attributes{"c": "de"}, false},
	{`{any: [{attribute: c, in: [de]}, {attribute: age, gte: 18}]}`, attributes{"age": 18}, true},
	{`{any: [{attribute: c, in: [de]}, {attribute: age, gte: 18}]}`, attributes{"c": "at"}, false},
	{`{all: [{not: {any: [{attribute: c, eq: de}, {attribute: c, eq: at}]}}, {attribute: c, exists: true}]}`, attributes{"c": "fr"}, true},
	{`{all: [{not: {any: [{attribute: c, eq: de}, {attribute: c, eq: at}]}}, {attribute: c, exists: true}]}`, attributes{"c": "at"}, false},
}

func TestTargeting(t *testing.T) {
	for _, c := range targetingCases {
		p := compileYAML(t, "lists: {few: [a, b], many: [a, b, c, d, e, f, g, h, i, j]}\nexperiments: [{name: e, model: m, variants: [{name: a, weight: 100}], targeting: "+c.cond+"}]")
		a := p.Assign("m", of("u", &c.attrs))
		want := ReasonNotTargeted
		if c.want {
			want = ReasonSplit
		}
		if a.Reason != want {
			t.Errorf("%s with %v: %s, want %s", c.cond, c.attrs, a.Reason, want)
		}
	}
}

// A request without a context is one in which nothing exists.
func TestTargetingWithoutAttributes(t *testing.T) {
	p := compileYAML(t, `
experiments:
  - {name: e, model: m, variants: [{name: a, weight: 100}], targeting: {attribute: beta, eq: true}}
  - {name: f, model: m, variants: [{name: a, weight: 100}], targeting: {attribute: beta, exists: false}}`)
	if a := p.Assign("m", of("u", nil)); a.Experiment == nil || a.Experiment.Name() != "f" {
		t.Errorf("got %+v, want experiment f", a)
	}
}

// More attributes than a decision keeps the values of.
func TestTargetingOfManyAttributes(t *testing.T) {
	cond := Condition{}
	attrs := attributes{}
	for i := range 2 * cachedAttributes {
		name := fmt.Sprint("a", i)
		attrs[name] = i
		cond.All = append(cond.All, Condition{Attribute: name, Eq: i}, Condition{Attribute: name, Lt: ptr(float64(i) + 1)})
	}
	e := split("e", 100)
	e.Targeting = &cond
	p := compile(t, nil, e)
	expect(t, p, "all", of("u", &attrs), "e/a split")
	for i := range 2 * cachedAttributes {
		name := fmt.Sprint("a", i)
		attrs[name] = i + 1
		expect(t, p, name, of("u", &attrs), "not_targeted")
		attrs[name] = i
	}
}

// The share of a percent condition has its own hash: it is as large as it says,
// in each variant and under each salt alike.
func TestPercent(t *testing.T) {
	p := compileYAML(t, `experiments:
  - {name: e, model: m, targeting: {percent: 20, salt: p}, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - {name: other, model: o, targeting: {all: [{percent: 20, salt: p}, {percent: 50, salt: q}]}, variants: [{name: a, weight: 100}]}`)
	const n = 40000
	counts := map[string]int{}
	for i := range n {
		r := of(fmt.Sprint(i), nil)
		x, y := p.Assign("m", r), p.Assign("o", r)
		counts[armOf(x)]++
		counts[armOf(y)]++
		if y.Variant != nil && x.Variant == nil {
			t.Fatalf("%d is in the share of one salt in one condition only", i)
		}
	}
	for arm, share := range map[string]float64{"e/a": .1, "e/b": .1, "other/a": .1} {
		if want := share * n; math.Abs(float64(counts[arm])-want) > 4.5*math.Sqrt(want*(1-share)) {
			t.Errorf("%s has %d, want about %.0f", arm, counts[arm], want)
		}
	}
}
