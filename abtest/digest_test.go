package abtest

import (
	"encoding/json"
	"strings"
	"testing"
)

const digested = `
lists: {users: [v1, v2], countries: [de, at], same: [at, de]}
layers: [{name: l}, {name: k}]
experiments:
  - {name: base, model: o, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
  - {name: e, model: m, layer: l, targeting: {attribute: a, in: [1, x, true]}, overrides: {a: [u1, u2]}, variants: [{name: a, weight: 60}, {name: b, weight: 40}, {name: s, shadow: true}]}
`

func TestDigest(t *testing.T) {
	base := compileYAML(t, digested).Digest()
	if text, err := json.Marshal(base); err != nil || string(text) != `"`+base.String()+`"` || len(base.String()) != 32 {
		t.Errorf("digest as text: %s, %v", text, err)
	}
	for _, same := range []string{
		strings.Replace(digested, "{name: l}, {name: k}", "{name: k}, {name: l, salt: l}", 1),
		strings.Replace(digested, "layer: l,", "layer: l, salt: e, range: [0, 10000], state: running, unit: user,", 1),
		strings.Replace(digested, "[1, x, true]", "[true, x, 1.0, 1]", 1),
		strings.Replace(digested, "[u1, u2]", "[u2, u1]", 1),
		strings.Replace(digested, "[de, at]", "[at, de, de]", 1),
		strings.Replace(digested, "layer: l,", "layer: l, sticky: false, ramp: [], prerequisites: [],", 1),
		strings.Replace(digested, "shadow: true}", "shadow: true, sample: 100, model: m, version: 0}", 1),
	} {
		if compileYAML(t, same).Digest() != base {
			t.Errorf("another digest for the same plan:\n%s", same)
		}
	}
	const timed = "start: \"2027-01-01T00:00:00Z\", end: \"2027-01-02T00:00:00Z\", ramp: [{share: 5}, {at: \"2027-01-01T12:00:00Z\", share: 6}],"
	seen := map[Digest]string{base: digested}
	for _, change := range [][2]string{
		{"name: e,", "name: f,"}, {"model: m,", "model: n,"}, {"layer: l,", "layer: k,"}, {"layer: l,", ""}, {"{name: l}", "{name: l, salt: z}"},
		{"layer: l,", "layer: l, salt: z,"}, {"layer: l,", "layer: l, range: [0, 1],"}, {"layer: l,", "layer: l, state: draft,"},
		{"layer: l,", "layer: l, fallback: a,"}, {"layer: l,", "layer: l, fallback: b,"}, {"attribute: a,", "attribute: b,"},
		{"in: [1, x, true]", "in: [1, x, false]"}, {"in: [1, x, true]", "in: [1, xx, true]"}, {"in: [1, x, true]", "in: [2, x, true]"},
		{"in: [1, x, true]", "not_in: [1, x, true]"}, {"in: [1, x, true]", "gt: 1"}, {"in: [1, x, true]", "gte: 1"}, {"in: [1, x, true]", "prefix: x"},
		{"in: [1, x, true]", "exists: true"}, {"in: [1, x, true]", "exists: false"}, {"[u1, u2]", "[u1]"}, {"[u1, u2]", "[u1, u3]"}, {"{a: [u1", "{b: [u1"},
		{"60}, {name: b, weight: 40}", "60.01}, {name: b, weight: 39.99}"}, {"weight: 40", "weight: 40, version: 1"}, {"weight: 40", "weight: 40, model: n"},
		{"shadow: true", "shadow: true, sample: 1"}, {"{attribute: a, in: [1, x, true]}", "{not: {attribute: a, in: [1, x, true]}}"},
		{"{attribute: a, in: [1, x, true]}", "{all: [{attribute: a, in: [1, x, true]}]}"}, {"{attribute: a, in: [1, x, true]}", "{any: [{attribute: a, in: [1, x, true]}]}"},
		{"{name: l}", "{name: l, unit: org}"}, {"{name: l}", "{name: l, holdout: {share: 1}}"}, {"{name: l}", "{name: l, holdout: {share: 2}}"},
		{"{name: l}", "{name: l, holdout: {share: 1, salt: z}}"}, {"{name: l}", "{name: l, holdout: {share: 1, unit: org}}"},
		{"lists:", "holdout: {share: 1}\nlists:"}, {"lists:", "holdout: {share: 1, unit: org}\nlists:"},
		{"layer: l,", "layer: l, state: paused,"}, {"layer: l,", "layer: l, state: stopped,"}, {"layer: l,", "layer: l, state: archived,"},
		{"layer: l,", "layer: l, unit: org,"}, {"layer: l,", "layer: l, sticky: true,"}, {"layer: l,", "layer: l, " + timed},
		{"layer: l,", "layer: l, " + strings.Replace(timed, "01-02", "01-03", 1)}, {"layer: l,", "layer: l, " + strings.Replace(timed, "01-01T00", "01-01T01", 1)},
		{"layer: l,", "layer: l, " + strings.Replace(timed, "share: 6", "share: 7", 1)}, {"layer: l,", "layer: l, " + strings.Replace(timed, "T12", "T13", 1)},
		{"layer: l,", "layer: l, prerequisites: [{experiment: base}],"}, {"layer: l,", "layer: l, prerequisites: [{experiment: base, variants: [a]}],"},
		{"layer: l,", "layer: l, override_lists: {a: [users]},"}, {"layer: l,", "layer: l, override_lists: {b: [users]},"},
		{"in: [1, x, true]", "suffix: x"}, {"in: [1, x, true]", "contains: x"}, {"in: [1, x, true]", "lt: 1"}, {"in: [1, x, true]", "lte: 1"},
		{"in: [1, x, true]", "semver_eq: \"1\""}, {"in: [1, x, true]", "semver_gt: \"1\""}, {"in: [1, x, true]", "semver_gte: \"1\""}, {"in: [1, x, true]", "semver_lt: \"1\""}, {"in: [1, x, true]", "semver_lte: \"1\""}, {"in: [1, x, true]", "semver_lte: \"2\""},
		{"in: [1, x, true]", "in_list: users"}, {"in: [1, x, true]", "not_in_list: users"}, {"in: [1, x, true]", "in_list: countries"},
		{"{attribute: a,", "{unit: org,"}, {"{attribute: a, in: [1, x, true]}", "{percent: 1, salt: s}"}, {"{attribute: a, in: [1, x, true]}", "{percent: 2, salt: s}"},
		{"{attribute: a, in: [1, x, true]}", "{percent: 1, salt: t}"}, {"{attribute: a, in: [1, x, true]}", "{percent: 1, salt: s, unit: org}"},
		{"weight: 40", "weight: 40, label: stable"}, {"weight: 40", "weight: 40, label: canary"}, {"weight: 40", "weight: 40, canary: true"},
		{"weight: 40", "weight: 40, payload: 1"}, {"weight: 40", "weight: 40, payload: \"1\""}, {"weight: 40", "weight: 40, payload: {a: 1, b: [true]}"},
	} {
		text := strings.Replace(digested, change[0], change[1], 1)
		d := compileYAML(t, text).Digest()
		if other, twice := seen[d]; twice {
			t.Errorf("one digest for\n%s and\n%s", text, other)
		}
		seen[d] = text
	}
}

// A condition means the same in whatever order its parts are written down, and
// under whatever name a list is.
func TestDigestOfEqualConditions(t *testing.T) {
	for _, pair := range [][2]string{
		{"in_list: countries", "in_list: same"},
		{"gt: 1, prefix: x", "prefix: x, gt: 1"},
		{"eq: 1", "in: [1.0, 1]"},
	} {
		a := compileYAML(t, strings.Replace(digested, "in: [1, x, true]", pair[0], 1)).Digest()
		b := compileYAML(t, strings.Replace(digested, "in: [1, x, true]", pair[1], 1)).Digest()
		if a != b {
			t.Errorf("%s and %s have two digests", pair[0], pair[1])
		}
	}
	payload := func(text string) Digest {
		return compileYAML(t, strings.Replace(digested, "weight: 40", "weight: 40, payload: "+text, 1)).Digest()
	}
	if payload("{a: 1, b: 2}") != payload("{b: 2, a: 1}") {
		t.Error("a payload in another order has another digest")
	}
}
