package abtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

const wrong = `
lists:
  fine: [a, b]
  empty: []
  "bad name": [a]
  holes: [a, ""]
holdout: {share: 0, unit: "bad unit"}
layers:
  - {name: l}
  - {name: l, salt: "a\tb", unit: org, holdout: {salt: x}}
experiments:
  - name: -bad
    model: ""
    state: asleep
    layer: nowhere
    range: [5, 5]
    start: "2027-02-30T00:00:00Z"
    ramp:
      - {share: 20}
      - {at: "2027-01-01T00:00:00Z", share: 10}
      - {at: "2026-01-01T00:00:00Z", share: 10.001}
      - {share: 50}
      - {at: tomorrow}
      - {at: "2026-01-01T00:00:00Z", share: 30}
    targeting:
      all:
        - {attribute: a}
        - {in: [1]}
        - {attribute: a, eq: 1, not: {attribute: b, exists: true}}
        - {attribute: a, in: [[1], 9007199254740993], prefix: "", lt: .inf}
        - {attribute: a, not_in: []}
        - {}
        - {attribute: a, in_list: missing, not_in_list: fine, semver_gt: 1.2.x}
        - {attribute: a, unit: user, suffix: "", contains: ""}
        - {percent: 10}
        - {percent: 200, salt: p, attribute: a}
        - {percent: 12.345, salt: p}
        - {attribute: a, exists: true, salt: p}
        - {unit: user}
    overrides: {x.y: [u1], a: [u2, u3, ""], b: [u3], s: [u4]}
    override_lists: {a: [fine, missing], b: [fine]}
    fallback: s
    variants:
      - {name: a, weight: 33.333}
      - {name: a, weight: -1, version: -2, label: "no label"}
      - {name: b, sample: 5, model: a/b, version: 3, label: stable}
      - {name: s, shadow: true, weight: 5, sample: 0, canary: true}
      - {name: s2, shadow: true, sample: 101}
      - {name: c, weight: 60, canary: true}
  - name: two
    model: m
    range: [0, 100]
    start: "2027-01-01T00:00:00Z"
    end: "2027-01-01T01:00:00+01:00"
    fallback: nobody
    prerequisites: [{experiment: nothing}, {experiment: r1}, {experiment: r1}, {experiment: r2, variants: [z]}]
    variants: [{name: a, weight: 33.33}, {name: b, weight: 66.66}]
  - name: two
    model: m
    layer: l
    range: [-1, 10001]
    variants: [{name: s, shadow: true}]
  - {name: r1, model: m, layer: l, range: [0, 6000], variants: [{name: a, weight: 100}]}
  - {name: r2, model: m, layer: l, range: [5999, 7000], variants: [{name: a, weight: 100}]}
  - {name: r3, model: m, layer: l, range: [100, 200], state: draft, variants: [{name: a, weight: 100}]}
  - {name: r4, model: m, layer: l, range: [7000, 8000, 1], variants: [{name: a, weight: 100}]}
  - {name: r5, model: m, layer: l, range: [10, 20], state: paused, variants: [{name: a, weight: 100}]}
  - {name: r6, model: m, fallback: c, variants: [{name: a, weight: 95}, {name: c, weight: 5, canary: true}]}
`

// wrongProblems are how the problems of wrong begin.
var wrongProblems = []string{
	`lists.'bad name': "bad name": a name starts with`,
	`lists.empty: is empty`,
	`lists.holes[1]: is 0 bytes long`,
	`holdout.unit: "bad unit": a name starts with`,
	`holdout.share: is 0: give a share above 0`,
	`layers[1].name: "l" is the name of an earlier layer`,
	`layers[1].salt: "a\tb" holds a control character`,
	`layers[1].holdout.share: is missing`,
	`experiments[0].name: "-bad": a name starts with`,
	`experiments[0].model: is missing`,
	`experiments[0].state: "asleep" is not a state: give one of running, draft`,
	`experiments[0].layer: "nowhere" is not declared under layers`,
	`experiments[0].range: [5, 5) holds no bucket`,
	`experiments[0].start: "2027-02-30T00:00:00Z" is not a time such as`,
	`experiments[0].ramp[1].share: 10.00 is below 20.00 of the step before`,
	`experiments[0].ramp[2].share: 10.001 has more than two decimals`,
	`experiments[0].ramp[3].at: is missing: only the first step`,
	`experiments[0].ramp[4].at: "tomorrow" is not a time`,
	`experiments[0].ramp[4].share: is missing`,
	`experiments[0].ramp[5].at: is not after the step before`,
	`experiments[0].targeting.all[0]: "a" has no operator`,
	`experiments[0].targeting.all[1].attribute: is missing`,
	`experiments[0].targeting.all[2]: a condition is exactly one of`,
	`experiments[0].targeting.all[3].in[0]: [1]: want a string, a number or a boolean`,
	`experiments[0].targeting.all[3].in[1]: 9007199254740993 is too large`,
	`experiments[0].targeting.all[3].prefix: is empty`,
	`experiments[0].targeting.all[3].lt: +Inf is not a finite number`,
	`experiments[0].targeting.all[4].not_in: lists 0 values`,
	`experiments[0].targeting.all[5]: a condition is exactly one of`,
	`experiments[0].targeting.all[6].in_list: "missing" is not declared under lists or list_files`,
	`experiments[0].targeting.all[6].semver_gt: "1.2.x" is not a version`,
	`experiments[0].targeting.all[7].unit: stands beside the attribute "a"`,
	`experiments[0].targeting.all[7].suffix: is empty`,
	`experiments[0].targeting.all[7].contains: is empty`,
	`experiments[0].targeting.all[8].salt: is missing`,
	`experiments[0].targeting.all[9]: a condition is exactly one of`,
	`experiments[0].targeting.all[10].percent: 12.345 has more than two decimals`,
	`experiments[0].targeting.all[11].salt: is for percent only`,
	`experiments[0].targeting.all[12]: "user" has no operator`,
	`experiments[0].variants[0].weight: 33.333 has more than two decimals`,
	`experiments[0].variants[1].name: "a" is the name of an earlier variant`,
	`experiments[0].variants[1].version: -2 is negative`,
	`experiments[0].variants[1].label: "no label": a name starts with`,
	`experiments[0].variants[1].label: "no label" stands beside version -2`,
	`experiments[0].variants[1].weight: -1 is not between 0 and 100`,
	`experiments[0].variants[2].model: "a/b": a name starts with`,
	`experiments[0].variants[2].label: "stable" stands beside version 3: give one of the two`,
	`experiments[0].variants[2].sample: is for shadows only`,
	`experiments[0].variants[2].weight: is missing`,
	`experiments[0].variants[3].weight: a shadow answers nobody`,
	`experiments[0].variants[3].canary: a shadow answers nobody`,
	`experiments[0].variants[3].sample: is 0`,
	`experiments[0].variants[4].sample: 101 is not between`,
	`experiments[0].variants[5].weight: 60.00 is more than half: a canary takes a small share`,
	`experiments[0].overrides.a[2]: is empty`,
	`experiments[0].overrides.b[0]: user "u3" is listed already at experiments[0].overrides.a[1]`,
	`experiments[0].overrides.s: "s" is a shadow`,
	`experiments[0].overrides.'x.y': "x.y" is not a variant`,
	`experiments[0].override_lists.a[1]: "missing" is not declared under lists or list_files`,
	`experiments[0].override_lists.b[0]: user "a" is listed already at experiments[0].override_lists.a[0]`,
	`experiments[0].override_lists.b[0]: user "b" is listed already`,
	`experiments[0].fallback: "s" is a shadow`,
	`experiments[1].range: [0, 100) is of no layer`,
	`experiments[1].end: 2027-01-01T01:00:00+01:00 is not after the start, 2027-01-01T00:00:00Z`,
	`experiments[1].variants: weights add up to 99.99, want exactly 100`,
	`experiments[1].fallback: "nobody" is not a variant`,
	`experiments[2].name: "two" is the name of an earlier experiment`,
	`experiments[2].range: [-1, 10001) reaches outside`,
	`experiments[2].variants: no variant answers`,
	`experiments[6].range: has 3 numbers`,
	`experiments[8].fallback: "c" is a canary`,
	`experiments[1].prerequisites[0].experiment: "nothing" is not an experiment of this file`,
	`experiments[1].prerequisites[2].experiment: "r1" is required already`,
	`experiments[1].prerequisites[3].variants[0]: "z" is not a variant of experiment "r2"`,
	`experiments[4].range: [5999, 7000) overlaps [0, 6000) of experiment "r1"`,
	`experiments[7].range: [10, 20) overlaps [0, 6000) of experiment "r1"`,
}

func TestCompileReportsEveryProblem(t *testing.T) {
	_, err := Compile(decodeYAML(t, wrong))
	var got Problems
	if !errors.As(err, &got) {
		t.Fatalf("error is %T", err)
	}
	want := wrongProblems
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i].String(), want[i]) {
			t.Fatalf("problem %d of %d is not as wanted (%d):\n%v", i, len(got), len(want), err)
		}
	}
	checkPaths(t, wrong, got)
}

// checkPaths asks a YAML library for the place of every problem, as `validate`
// does to print its line. Fields that are missing have no place.
func checkPaths(t *testing.T, text string, problems Problems) {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Message, "is missing") {
			continue
		}
		path, err := yaml.PathString("$." + p.Path)
		if err != nil {
			t.Errorf("%s: %v", p.Path, err)
			continue
		}
		if n, err := path.FilterFile(file); err != nil || n == nil {
			t.Errorf("%s leads nowhere: %v", p.Path, err)
		}
	}
}

func TestOverlapsNameBothExperiments(t *testing.T) {
	at := func(name string, state State, low, high int) ExperimentConfig {
		e := split(name, 100)
		e.Layer, e.Range, e.State = "l", []int{low, high}, state.String()
		return e
	}
	cfg := Config{Layers: []LayerConfig{{Name: "l"}, {Name: "unused"}}, Experiments: []ExperimentConfig{
		at("wide", Running, 0, 6000), at("inside", Paused, 10, 20), at("edge", Running, 5999, 7000),
		at("next", Running, 7000, 8000), at("retired", Stopped, 0, 10000), at("second", Running, 7500, 7600),
	}}
	_, err := Compile(cfg)
	var got Problems
	errors.As(err, &got)
	want := []string{
		`experiments[1].range: [10, 20) overlaps [0, 6000) of experiment "wide" in layer "l"`,
		`experiments[2].range: [5999, 7000) overlaps [0, 6000) of experiment "wide" in layer "l"`,
		`experiments[5].range: [7500, 7600) overlaps [7000, 8000) of experiment "next" in layer "l"`,
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i].String(), want[i]) {
			t.Errorf("got %s, want %s", got[i], want[i])
		}
	}
}

func TestEveryHundredthOfAPercentIsAccepted(t *testing.T) {
	c := &compiler{}
	for n := range Buckets + 1 {
		var w float64
		if _, err := fmt.Sscan(fmt.Sprintf("%d.%02d", n/100, n%100), &w); err != nil {
			t.Fatal(err)
		}
		if got, ok := c.basisPoints("w", w); !ok || got != n {
			t.Errorf("%v is %d, %v; want %d", w, got, ok, n)
		}
	}
}

func TestCompilePauses(t *testing.T) {
	pauses := 0
	cfg := Config{Experiments: many(100)}
	p, err := Compile(cfg.WithPauses(func() { pauses++ }))
	if err != nil || pauses < 300 || p.Digest() != under(t, cfg).Digest() {
		t.Errorf("%v, %d pauses of 100 experiments", err, pauses)
	}
}
