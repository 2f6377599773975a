package abtest

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

const aDay = 86400

// expect assigns a request and compares "experiment/variant reason".
func expect(t *testing.T, p *Plan, about string, r *Request, want string) {
	t.Helper()
	a := p.Assign("m", r)
	if got := strings.TrimSpace(armOf(a) + " " + a.Reason.String()); got != want {
		t.Errorf("%s: got %q, want %q", about, got, want)
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		state, fallback                 string
		plain, listed, forced, overlaid string
	}{
		{"running", "", "e/a split", "e/b override", "e/b forced", "e/a split"},
		{"paused", "fallback: a, ", "e/a paused", "e/a paused", "e/b forced", "e/a paused"},
		{"paused", "", "paused", "paused", "e/b forced", "paused"},
		{"draft", "fallback: a, ", "next/a split", "next/a split", "next/a split", "next/a split"},
		{"stopped", "", "next/a split", "next/a split", "next/a split", "next/a split"},
		{"archived", "", "next/a split", "next/a split", "next/a split", "next/a split"},
	} {
		p := compileYAML(t, `experiments:
  - {name: e, model: m, sticky: true, `+c.fallback+`state: `+c.state+`, overrides: {b: [vip]}, variants: [{name: a, weight: 99}, {name: b, weight: 1}, {name: s, shadow: true}]}
  - {name: next, model: m, variants: [{name: a, weight: 100}]}`)
		user := userWhere(func(u string) bool { return p.Experiment("e").VariantAt(bucketIn(domainAssign, "e", u)).Name() == "a" })
		expect(t, p, c.state, of(user, nil), c.plain)
		expect(t, p, c.state+", listed", of("vip", nil), c.listed)
		expect(t, p, c.state+", forced", &Request{User: []byte(user), Forced: []byte("e/b")}, c.forced)
		if c.state == "paused" {
			if a := p.Assign("m", of(user, nil)); a.Variant != nil && a.ShadowHit(0) {
				t.Error("a paused experiment has its shadow scored")
			}
			expect(t, p, "paused, stored", &Request{User: []byte(user), Stored: stored{"e": []byte("b")}}, c.overlaid)
		}
		if e := p.Experiment("e"); e.State().String() != c.state || e.Enabled() != (c.state == "running" || c.state == "paused") {
			t.Errorf("%s: state %s, enabled %v", c.state, e.State(), e.Enabled())
		}
	}
}

func TestStartAndEnd(t *testing.T) {
	p := compileYAML(t, `experiments:
  - {name: e, model: m, start: "1970-01-02T00:00:00Z", end: "1970-01-03T00:00:00Z", overrides: {a: [vip]}, variants: [{name: a, weight: 100}]}`)
	for _, c := range []struct {
		now  int64
		user string
		want string
	}{
		{0, "u", "not_started"}, {aDay - 1, "u", "not_started"}, {aDay, "u", "e/a split"}, {2*aDay - 1, "u", "e/a split"}, {2 * aDay, "u", "ended"},
		{aDay - 1, "vip", "not_started"}, {aDay, "vip", "e/a override"}, {2 * aDay, "vip", "ended"},
	} {
		expect(t, p, fmt.Sprint(c.now, " ", c.user), &Request{User: []byte(c.user), Now: c.now}, c.want)
	}
	expect(t, p, "forced before the start", &Request{User: []byte("u"), Forced: []byte("a")}, "e/a forced")
	if start, end, hasStart, hasEnd := p.Experiment("e").Schedule(); start != aDay || end != 2*aDay || !hasStart || !hasEnd {
		t.Errorf("schedule %d %v, %d %v", start, hasStart, end, hasEnd)
	}
}

const ramped = `experiments:
  - name: e
    model: m
    ramp: [{at: "1970-01-02T00:00:00Z", share: 1}, {at: "1970-01-03T00:00:00Z", share: 20}, {at: "1970-01-04T00:00:00Z", share: 20.5}, {at: "1970-01-05T00:00:00Z", share: 100}]
    variants: [{name: a, weight: 30}, {name: b, weight: 70}]`

// A ramp lets in its share at each step, and whoever is in keeps the variant.
func TestRamp(t *testing.T) {
	p := compileYAML(t, ramped)
	e := p.Experiment("e")
	const n = 20000
	had := map[string]string{}
	for day, share := range []float64{0, .01, .20, .205, 1, 1} {
		in := 0
		if got := e.RampShare(int64(day) * aDay); float64(got) != share*Buckets {
			t.Errorf("day %d: share %d", day, got)
		}
		for i := range n {
			user := fmt.Sprint("user", i)
			a := p.Assign("m", &Request{User: []byte(user), Now: int64(day)*aDay + int64(i%aDay)})
			switch {
			case a.Variant == nil && had[user] != "":
				t.Fatalf("day %d: %s left", day, user)
			case a.Variant == nil:
				if a.Reason != ReasonOutsideRamp {
					t.Fatalf("reason %s", a.Reason)
				}
				continue
			case had[user] != "" && had[user] != a.Variant.Name():
				t.Fatalf("day %d: %s went from %s to %s", day, user, had[user], a.Variant.Name())
			}
			had[user] = a.Variant.Name()
			in++
		}
		if want := share * n; math.Abs(float64(in)-want) > 4.5*math.Sqrt(want*(1-share)) {
			t.Errorf("day %d: %d of %d are in, want about %.0f", day, in, n, want)
		}
	}
}

func TestUnits(t *testing.T) {
	p := compileYAML(t, `experiments: [{name: e, model: m, unit: session, salt: s, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}]`)
	e := p.Experiment("e")
	want := func(id string) string {
		return "e/" + e.VariantAt(bucketIn(domainAssign, "s", id)).Name() + " split"
	}
	for _, c := range []struct {
		about string
		r     Request
		want  string
	}{
		{"an entity", Request{Units: entities{"session": []byte("s1")}}, want("s1")},
		{"a context key", Request{Attributes: &attributes{"session": "s2"}}, want("s2")},
		{"an entity before a context key", Request{Units: entities{"session": []byte("s1")}, Attributes: &attributes{"session": "s2"}}, want("s1")},
		{"an integer", Request{Attributes: &attributes{"session": -120}}, want("-120")},
		{"the user does not count", Request{User: []byte("s1")}, "no_unit"},
		{"another entity", Request{Units: entities{"org": []byte("s1")}}, "no_unit"},
		{"a fraction", Request{Attributes: &attributes{"session": 1.5}}, "no_unit"},
		{"a number that is not exact", Request{Attributes: &attributes{"session": 1 << 53}}, "no_unit"},
		{"infinity", Request{Attributes: &attributes{"session": math.Inf(1)}}, "no_unit"},
		{"a boolean", Request{Attributes: &attributes{"session": true}}, "no_unit"},
		{"an empty string", Request{Attributes: &attributes{"session": ""}}, "no_unit"},
	} {
		expect(t, p, c.about, &c.r, c.want)
	}
	if u := p.Units(); len(u) != 1 || u[0] != "session" || e.Unit() != "session" {
		t.Errorf("units %v, %s", u, e.Unit())
	}
	p = compileYAML(t, `experiments: [{name: e, model: m, variants: [{name: a, weight: 100}]}]`)
	expect(t, p, "no user", &Request{}, "no_unit")
}

// Of a layer only the experiment that owns the unit's bucket says why not.
func TestLayerOfAnotherUnit(t *testing.T) {
	p := compileYAML(t, `
layers: [{name: l}]
experiments:
  - {name: e, model: m, unit: session, layer: l, range: [0, 5000], variants: [{name: a, weight: 100}]}
  - {name: f, model: m, layer: l, range: [5000, 9000], targeting: {attribute: x, exists: true}, variants: [{name: a, weight: 100}]}`)
	at := func(low, high uint16) []byte {
		return []byte(userWhere(func(u string) bool { b := bucketIn(domainLayer, "l", u); return low <= b && b < high }))
	}
	session := entities{"session": []byte("s")}
	expect(t, p, "first", &Request{User: at(0, 5000), Units: session}, "e/a split")
	expect(t, p, "first without its unit", &Request{User: at(0, 5000)}, "no_unit")
	expect(t, p, "second", &Request{User: at(5000, 9000), Units: session}, "not_targeted")
	expect(t, p, "nobody's", &Request{User: at(9000, Buckets), Units: session}, "out_of_range")
	expect(t, p, "without the layer's unit", &Request{Units: session}, "no_unit")
}

func TestHoldouts(t *testing.T) {
	p := compileYAML(t, `
holdout: {share: 5, salt: g}
layers: [{name: l, holdout: {share: 20}}]
experiments:
  - {name: e, model: m, layer: l, overrides: {a: [vip]}, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - {name: other, model: o, variants: [{name: a, weight: 100}]}`)
	const n = 40000
	global, layered, b := 0, 0, 0
	for i := range n {
		r := of(fmt.Sprint(i), nil)
		held := bucketIn(domainHoldout, "g", string(r.User)) < 500
		heldHere := held || bucketIn(domainHoldout, "l", string(r.User)) < 2000
		x, y := p.Assign("m", r), p.Assign("o", r)
		if (x.Reason == ReasonHoldout) != heldHere || (y.Reason == ReasonHoldout) != held {
			t.Fatalf("%s: %s and %s, held out %v, in the layer %v", r.User, x.Reason, y.Reason, held, heldHere)
		}
		if held {
			global++
		} else if heldHere {
			layered++
		}
		if x.Variant != nil && x.Variant.Name() == "b" {
			b++
		}
	}
	for _, c := range []struct {
		about string
		got   int
		share float64
	}{{"global", global, .05}, {"layer", layered, .95 * .2}, {"b", b, .95 * .8 / 2}} {
		if math.Abs(float64(c.got)-c.share*n) > 4.5*math.Sqrt(n*c.share*(1-c.share)) {
			t.Errorf("%s: %d of %d, want about %.0f", c.about, c.got, n, c.share*n)
		}
	}
	held := userWhere(func(u string) bool { return bucketIn(domainHoldout, "g", u) < 500 })
	expect(t, p, "forced", &Request{User: []byte(held), Forced: []byte("b")}, "e/b forced")
	vip := compileYAML(t, `
holdout: {share: 100}
experiments: [{name: e, model: m, overrides: {a: [vip]}, variants: [{name: a, weight: 100}]}]`)
	expect(t, vip, "listed", of("vip", nil), "e/a override")
	expect(t, vip, "everyone else", of("u", nil), "holdout")
}
