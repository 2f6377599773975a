package abtest

import (
	"fmt"
	"testing"
)

const vectorPlan = `
layers: [{name: risk, salt: risk-layer}, {name: other}]
experiments:
  - name: risk-v2
    model: risk
    salt: risk-v2-2026
    layer: risk
    range: [0, 6000]
    targeting: {all: [{attribute: country, in: [de, at]}, {not: {attribute: age, lt: 18}}]}
    overrides: {treatment: [user-1, user-2], control: [user-3]}
    fallback: control
    variants:
      - {name: control, weight: 50, version: 1}
      - {name: treatment, weight: 50, version: 2}
      - {name: candidate, shadow: true, version: 3, sample: 10}
  - name: risk-three
    model: risk
    layer: risk
    range: [6000, 10000]
    targeting: {any: [{attribute: tier, prefix: gold}, {attribute: beta, eq: true}, {attribute: age, gte: 18, lte: 99.5}]}
    variants:
      - {name: zeta, weight: 33.33}
      - {name: alpha, weight: 33.33}
      - {name: mid, weight: 33.34}
      - {name: none, weight: 0}
      - {name: all, shadow: true}
  - {name: digits, model: digits, variants: [{name: on, weight: 0.01}, {name: "off", weight: 99.99}]}
  - {name: old, model: retired, state: archived, variants: [{name: a, weight: 100}]}
`

// vectorEverything has all that the first plan lacks.
const vectorEverything = `
holdout: {share: 4, salt: global-2027}
lists: {staff: [user-7, user-8, user-9], dach: [de, at, ch, li, lu, it, fr, be, nl]}
layers:
  - {name: pages, holdout: {share: 10}}
  - {name: orgs, unit: org, salt: org-layer}
experiments:
  - {name: idea, model: shop, state: draft, variants: [{name: a, weight: 100}]}
  - name: canary
    model: shop
    unit: session
    sticky: true
    fallback: stable
    override_lists: {new: [staff]}
    targeting: {all: [{attribute: app, semver_gte: 2.10.0, semver_lt: "3"}, {percent: 60, salt: tenth}]}
    variants: [{name: stable, weight: 95, label: stable, payload: {k: [1, 2.5, "<x>"], a: null}}, {name: new, weight: 5, canary: true, label: canary, payload: text}]
  - name: ranking
    model: shop
    layer: pages
    range: [0, 7000]
    start: "2027-01-01T00:00:00Z"
    end: "2027-03-01T00:00:00+01:00"
    ramp: [{share: 10}, {at: "2027-01-10T00:00:00Z", share: 50}, {at: "2027-01-20T00:00:00Z", share: 100}]
    targeting: {any: [{attribute: country, in_list: dach}, {unit: user, in_list: staff}, {attribute: mail, suffix: .example, contains: "@"}]}
    variants: [{name: old, weight: 50}, {name: new, weight: 50}]
  - name: frozen
    model: shop
    layer: pages
    range: [7000, 9000]
    state: paused
    fallback: control
    variants: [{name: control, weight: 50}, {name: treatment, weight: 50}]
  - name: frozen-bare
    model: shop
    layer: pages
    range: [9000, 9500]
    state: paused
    variants: [{name: control, weight: 50}, {name: treatment, weight: 50}]
  - name: by-org
    model: search
    unit: org
    layer: orgs
    range: [0, 5000]
    targeting: {attribute: country, not_in_list: dach}
    variants: [{name: a, weight: 20}, {name: b, weight: 80}, {name: dark, shadow: true, sample: 50}]
  - name: after-ranking
    model: search
    prerequisites: [{experiment: ranking, variants: [new]}, {experiment: canary}]
    variants: [{name: on, weight: 50}, {name: "off", weight: 50}]
  - {name: timed, model: timed, start: "2027-01-01T00:00:00Z", end: "2027-03-01T00:00:00+01:00", variants: [{name: a, weight: 100}]}
`

func planVectors(t *testing.T) []planVector {
	return []planVector{vectorsOf(t, "risk", vectorPlan, riskRequests()), vectorsOf(t, "everything", vectorEverything, everythingRequests())}
}

func vectorsOf(t *testing.T, name, text string, requests []requestVector) planVector {
	cfg := decodeYAML(t, text)
	p, err := Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	v := planVector{Name: name, Config: cfg, Digest: p.Digest().String()}
	for _, r := range requests {
		v.Assignments = append(v.Assignments, assignmentVector{r, r.answer(p)})
	}
	return v
}

func riskRequests() (out []requestVector) {
	add := func(model, user string, attrs attributes, forced string) {
		out = append(out, requestVector{Model: model, User: user, Attributes: attrs, Forced: forced})
	}
	contexts := []attributes{nil, {"country": "de"}, {"country": "at", "age": 17.0}, {"country": "de", "age": 40.0}, {"beta": true}, {"tier": "gold-1", "country": 1.0}, {"age": 99.5}}
	for i := range 60 {
		add("risk", fmt.Sprint("user-", i), contexts[i%len(contexts)], "")
		add("digits", fmt.Sprint("user-", i*i), nil, "")
	}
	for _, forced := range []string{"treatment", "risk-three/none", "none", "candidate", "risk-v2/alpha", "typo", "digits/on"} {
		add("risk", "user-1", nil, forced)
		add("risk", "Zoë", contexts[3], forced)
	}
	add("retired", "user-1", nil, "a")
	add("unknown", "user-1", nil, "")
	return out
}

func everythingRequests() (out []requestVector) {
	times := []int64{1798761599, 1798761600, 1799600000, 1800500000, 1804000000} // from just before the start to past the end
	contexts := []attributes{nil, {"country": "de"}, {"country": "us", "app": "2.10.0"}, {"app": "2.10.0-rc.1", "mail": "a@b.example"}, {"country": "li", "app": "v2.99", "session": 12.0}}
	for i := range 120 {
		r := requestVector{Model: []string{"shop", "shop", "search"}[i%3], User: fmt.Sprint("user-", i), Attributes: contexts[i%len(contexts)], Now: times[i/2%len(times)]}
		if i%4 == 0 {
			r.Units = map[string]string{"org": fmt.Sprint("org-", i), "session": fmt.Sprint("s", i)}
		}
		if i%7 == 0 {
			r.Stored = map[string]string{"canary": []string{"new", "stable", "gone"}[i%3]}
		}
		if i%11 == 0 {
			r.User = ""
		}
		out = append(out, r)
	}
	for _, now := range times {
		out = append(out, requestVector{Model: "timed", User: "user-1", Now: now})
	}
	return append(out, requestVector{Model: "shop", User: "user-1", Forced: "frozen/treatment"}, requestVector{Model: "shop", User: "user-1", Forced: "idea/a"})
}
