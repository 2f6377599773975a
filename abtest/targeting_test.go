package abtest

import (
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
		p := compileYAML(t, "experiments: [{name: e, model: m, variants: [{name: a, weight: 100}], targeting: "+c.cond+"}]")
		a := p.Assign("m", []byte("u"), &c.attrs, nil)
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
	if a := p.Assign("m", []byte("u"), nil, nil); a.Experiment == nil || a.Experiment.Name() != "f" {
		t.Errorf("got %+v, want experiment f", a)
	}
}
