package abtest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

const linted = `
lists: {used: [a], idle: [a]}
layers:
  - {name: l}
  - {name: m, salt: l}
  - {name: empty, salt: e}
  - {name: by-org, unit: org}
experiments:
  - {name: e0, model: a, variants: [{name: x, weight: 50, version: 1}, {name: y, weight: 50, version: 1}]}
  - {name: e1, model: a, salt: e0, targeting: {attribute: c, in_list: used}, variants: [{name: x, weight: 70}, {name: c, weight: 30, version: 2, canary: true}]}
  - {name: e2, model: b, layer: l, range: [0, 5000], variants: [{name: x, weight: 100}, {name: none, weight: 0, version: 2}]}
  - {name: e3, model: b, layer: l, range: [5000, 10000], prerequisites: [{experiment: e2}], variants: [{name: x, weight: 100}]}
  - {name: e4, model: c, layer: m, salt: e2, prerequisites: [{experiment: e2, variants: [none]}, {experiment: e5}], variants: [{name: x, weight: 100}]}
  - {name: e5, model: d, state: stopped, variants: [{name: x, weight: 100}]}
  - {name: e6, model: d, end: "1970-01-02T00:00:00Z", variants: [{name: x, weight: 100}]}
  - {name: e7, model: e, layer: by-org, ramp: [{share: 0}], variants: [{name: x, weight: 100}]}
  - {name: e8, model: f, end: "2100-01-01T00:00:00Z", ramp: [{share: 5}, {at: "2101-01-01T00:00:00Z", share: 6}], variants: [{name: x, weight: 100}]}
  - {name: e9, model: f, state: paused, variants: [{name: x, weight: 100}]}
  - {name: e10, model: f, prerequisites: [{experiment: e8}, {experiment: e6}], targeting: {all: [{attribute: a, gt: 5}, {attribute: a, lt: 5}]}, variants: [{name: x, weight: 100}]}
  - {name: e11, model: g, prerequisites: [{experiment: e12}], variants: [{name: x, weight: 100}]}
  - {name: e12, model: g, variants: [{name: x, weight: 100}]}
`

func TestLint(t *testing.T) {
	got := compileYAML(t, linted).Lint(2 * aDay)
	want := []string{
		`experiments[0].variants[1]: info: is the same as "x"`,
		`experiments[1]: error: experiment "e0", which stands before it, takes every unit of model "a"`,
		`experiments[1].salt: warning: "e0" is the salt of experiment "e0" too`,
		`experiments[1].variants[1].canary: warning: the experiment has no fallback`,
		`experiments[1].variants[1].weight: warning: 30.00 percent is much for a canary`,
		`experiments[3].prerequisites[0].experiment: error: experiment "e2" is in layer "l" too`,
		`experiments[4].prerequisites[0].variants: warning: nobody but listed users has these variants of "e2"`,
		`experiments[4].prerequisites[1].experiment: error: experiment "e5" is stopped, so that nobody is in it`,
		`experiments[4].salt: warning: "e2" is the salt of experiment "e2" too`,
		`experiments[6].end: warning: is past: say state: stopped`,
		`experiments[7].ramp: error: no step lets anybody in`,
		`experiments[7].unit: warning: assigns each user, but layer "by-org" divides by org`,
		`experiments[8].ramp[1].at: warning: is not before the end`,
		`experiments[9]: info: experiment "e8" about the same model stands before it`,
		`experiments[9].state: info: while it is paused its units get the model as if there were no experiment`,
		`experiments[10]: info: experiment "e8" about the same model stands before it`,
		`experiments[10].prerequisites[0].experiment: error: experiment "e8" about the same model stands before this one`,
		`experiments[10].prerequisites[1].experiment: error: experiment "e6" has ended`,
		`experiments[10].targeting: error: no request can meet the condition`,
		`experiments[10].targeting.all: warning: no value of attribute a passes all of its conditions`,
		`experiments[11].prerequisites[0].experiment: warning: experiment "e12" is about the same model: its units in this one`,
		`experiments[12]: info: experiment "e11" about the same model stands before it`,
		`layers[1].salt: warning: "l" is the salt of layer "l" too`,
		`layers[2]: info: no experiment is in layer "empty"`,
		`lists.idle: info: nothing refers to this list`,
	}
	compareFindings(t, got, want)
	file, err := parser.ParseBytes([]byte(linted), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range got {
		path, err := yaml.PathString("$." + f.Path)
		if err != nil {
			t.Fatal(err)
		}
		// What is said of a default has no place in the file but its experiment.
		if n, err := path.FilterFile(file); (err != nil || n == nil) && !strings.HasSuffix(f.Path, ".unit") && !strings.HasSuffix(f.Path, ".variants") {
			t.Errorf("%s leads nowhere: %v", f.Path, err)
		}
	}
}

func compareFindings(t *testing.T, got []Finding, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i].String(), want[i]) {
			for _, f := range got {
				t.Log(f)
			}
			t.Fatalf("finding %d of %d is not as wanted (%d)", i, len(got), len(want))
		}
	}
}

func TestLintIsSilent(t *testing.T) {
	p := compileYAML(t, `
layers: [{name: l}]
experiments:
  - {name: a, model: m, layer: l, range: [0, 5000], variants: [{name: x, weight: 50}, {name: y, weight: 50, version: 2}]}
  - {name: b, model: m, layer: l, range: [5000, 9000], targeting: {attribute: c, eq: 1}, fallback: x, variants: [{name: x, weight: 95}, {name: y, weight: 5, version: 2, canary: true}]}`)
	if got := p.Lint(0); len(got) > 0 {
		t.Errorf("found %v", got)
	}
	if got := LintChange(p, p, 0); len(got) > 0 {
		t.Errorf("found %v of no change", got)
	}
}

func TestUnsatisfiableTargeting(t *testing.T) {
	for _, c := range []struct {
		cond string
		can  bool
	}{
		{`{attribute: a, gt: 5, lt: 5.1}`, true},
		{`{attribute: a, gte: 5, lte: 5}`, true},
		{`{attribute: a, gt: 5, lte: 5}`, false},
		{`{attribute: a, gte: 6, lt: 5}`, false},
		{`{attribute: a, gte: 6, prefix: x}`, false},
		{`{attribute: a, eq: 5, gte: 6}`, false},
		{`{attribute: a, eq: 7, gte: 6}`, true},
		{`{attribute: a, in: [x, y], not_in: [x]}`, true},
		{`{attribute: a, in: [x, y], not_in: [x, y]}`, false},
		{`{attribute: a, in: [x, y], in_list: names}`, false},
		{`{attribute: a, in: [n1, y], in_list: names}`, true},
		{`{attribute: a, in: [true], prefix: t}`, false},
		{`{attribute: a, in: [x, true], exists: true}`, true},
		{`{attribute: a, not_in: [x], exists: false}`, false},
		{`{attribute: a, exists: false}`, true},
		{`{all: [{attribute: a, exists: false}, {attribute: a, exists: true}]}`, false},
		{`{all: [{attribute: a, eq: de}, {attribute: a, eq: at}]}`, false},
		{`{all: [{attribute: a, eq: de}, {attribute: b, eq: at}]}`, true},
		{`{all: [{attribute: a, eq: de}, {not: {attribute: a, eq: de}}]}`, true},
		{`{all: [{unit: user, in: [u1]}, {unit: user, prefix: v}]}`, false},
		{`{all: [{unit: user, in: [u1]}, {attribute: user, prefix: v}]}`, true},
		{`{any: [{attribute: a, gt: 5, lt: 4}, {attribute: a, eq: 1}]}`, true},
		{`{any: [{attribute: a, gt: 5, lt: 4}, {percent: 0, salt: s}]}`, false},
		{`{attribute: a, semver_gt: "1.0", semver_lt: "2.0"}`, true},
		{`{attribute: a, semver_gt: "2.0", semver_lt: "2.0"}`, false},
		{`{attribute: a, semver_gte: "2.0", semver_lte: "2.0"}`, true},
		{`{attribute: a, semver_eq: "2.0", semver_lt: "1.0"}`, false},
		{`{attribute: a, semver_eq: "2.0", gt: 1}`, false},
		{`{attribute: a, eq: "1.5", semver_gte: "2.0"}`, false},
	} {
		p := compileYAML(t, `lists: {names: [n1, n2]}
experiments: [{name: e, model: m, variants: [{name: a, weight: 100}], targeting: `+c.cond+`}]`)
		can := true
		for _, f := range p.Lint(0) {
			can = can && f.Code != "never_reached"
		}
		if can != c.can {
			t.Errorf("%s: %v", c.cond, p.Lint(0))
		}
	}
}

const changing = `
holdout: {share: 5}
layers: [{name: l, holdout: {share: 5}}, {name: k}]
experiments:
  - {name: e, model: m, layer: l, range: [0, 6000], ramp: [{share: 50}], targeting: {attribute: c, eq: 1}, variants: [{name: a, weight: 60, version: 1}, {name: b, weight: 40, version: 2}]}
  - {name: three, model: n, variants: [{name: a, weight: 33.33}, {name: b, weight: 33.33}, {name: c, weight: 33.34}]}
`

func TestLintChange(t *testing.T) {
	before := compileYAML(t, changing)
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{"weight: 60, version: 1}, {name: b, weight: 40", "weight: 50, version: 1}, {name: b, weight: 50",
			[]string{`experiments[0].variants: info: the new weights move 10.00 percent of the units from variant to variant, of the least possible 10.00: a to b 10.00`}},
		{"weight: 33.33}, {name: b, weight: 33.33}", "weight: 43.33}, {name: b, weight: 23.33}", []string{`experiments[1].variants: warning: the new weights move 1`}},
		{"name: e,", "name: e, salt: f,", []string{`experiments[0].salt: warning: a new salt deals every unit anew`}},
		{"name: e,", "name: e, unit: org,", []string{`experiments[0].unit: warning: assigns each org instead of each user`}},
		{"layer: l,", "layer: k,", []string{`experiments[0].layer: warning: in another layer`}},
		{"{name: l,", "{name: l, salt: x,", []string{`experiments[0].layer: warning: in another layer, or one of another salt`}},
		{"[0, 6000]", "[1000, 7000]", []string{`experiments[0].range: warning: the new range lets go of 10.00 percent`}},
		{"[0, 6000]", "[0, 7000]", nil},
		{"share: 50", "share: 40", []string{`experiments[0].ramp: warning: lets in 40.00 percent instead of 50.00`}},
		{"share: 50", "share: 60", nil},
		{"eq: 1", "eq: 2", []string{`experiments[0].targeting: info: another condition`}},
		{"targeting: {attribute: c, eq: 1},", "", []string{`experiments[0].targeting: info: another condition`}},
		{"version: 2", "version: 3", []string{`experiments[0].variants[1]: warning: "b" is another model, version or payload`}},
		{"version: 2", "version: 2, payload: 1", []string{`experiments[0].variants[1]: warning: "b" is another model, version or payload`}},
		{"name: e,", "name: e, state: paused,", []string{`experiments[0].state: info: was running, is paused`}},
		{"name: e,", "name: e, state: stopped, salt: x,", []string{`experiments[0].state: info: was running, is stopped`}},
		{"name: e,", "name: f,", []string{`experiments: info: experiment "e" is gone`}},
		{"holdout: {share: 5}\nl", "holdout: {share: 6}\nl", []string{`holdout.share: warning: a larger holdout takes 1.00 percent more out`}},
		{"holdout: {share: 5}\nl", "holdout: {share: 5, salt: x}\nl", []string{`holdout: warning: holds out others`}},
		{"holdout: {share: 5}\nl", "l", nil},
		{"l, holdout: {share: 5}", "l, holdout: {share: 7}", []string{`layers[0].holdout.share: warning: a larger holdout`}},
		{"{name: k}", "{name: k, holdout: {share: 1}}", []string{`layers[1].holdout: warning: a new holdout takes 1.00 percent`}},
	} {
		text := strings.Replace(changing, c.from, c.to, 1)
		if text == changing {
			t.Fatalf("%s changes nothing", c.from)
		}
		compareFindings(t, LintChange(before, compileYAML(t, text), 0), c.want)
	}
}

func TestLintOfGuardrails(t *testing.T) {
	got := compileYAML(t, `
experiments:
  - name: e0
    model: m
    metrics: [{name: buy}, {name: wait, kind: value, goal: down}]
    guardrails:
      - {metric: buy, max: 5, max_increase: 1, max_ratio: 2}
      - {metric: wait, min: 5, max_decrease: 2}
      - {metric: buy, min: 1}
      - {metric: buy, min: 1, max: 5}
      - {metric: wait, max: 1}
      - {metric: error_rate, max: 1, variants: [none]}
      - {metric: mean_score, min: 1, variants: [none, c]}
    variants: [{name: control, weight: 0}, {name: c, weight: 50, version: 1}, {name: d, weight: 50, version: 2}, {name: none, weight: 0, version: 3}]
  - {name: e1, model: n, guardrails: [{metric: error_rate, max: 1}], variants: [{name: a, weight: 100}, {name: s, shadow: true}]}
  - {name: e2, model: o, fallback: a, variants: [{name: a, weight: 0}, {name: b, weight: 95, version: 1}, {name: c, weight: 5, version: 2, canary: true}]}
`).Lint(0)
	compareFindings(t, got, []string{
		`experiments[0].guardrails[0]: warning: buy is better the higher it is, and that is when this trips: give min or max_decrease`,
		`experiments[0].guardrails[1]: warning: wait is better the lower it is, and that is when this trips: give max, max_increase`,
		`experiments[0].guardrails[5]: info: the weight of what it watches is 0`,
		`experiments[0].variants[0].weight: warning: "control" is the control and nobody is in it`,
		`experiments[1].guardrails[0]: error: the experiment has no variant beside the control, "a"`,
		`experiments[2].variants[0].weight: warning: "a" is the control and nobody is in it`,
	})
}

func TestLintChangeOfReadouts(t *testing.T) {
	const file = `experiments: [{name: e, model: m, metrics: [{name: buy}, {name: pay, kind: value}], guardrails: [{metric: buy, min: 1, variants: [b]}], variants: [{name: a, weight: 50}, {name: b, weight: 40}, {name: c, weight: 10, canary: true}]}]`
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{"model: m,", "model: m, control: b,", []string{`experiments[0].control: warning: the others were compared with "a" and are with "b" now`}},
		{"name: buy}", "name: buy, kind: value}", []string{`experiments[0].metrics[0]: warning: "buy" is of another kind or time`}},
		{"name: buy}", "name: buy, within: 1h}", []string{`experiments[0].metrics[0]: warning: "buy" is of another kind or time`}},
		{"name: buy}", "name: buy, goal: down}", nil},
		{"[{metric: buy, min: 1, variants: [b]}]", "[]", []string{`experiments[0].guardrails: warning: no guardrail watches "b" any more`}},
		{", canary: true", "", []string{`experiments[0].guardrails: warning: no guardrail watches "c" any more`}},
		{"min: 1", "min: 2", nil},
	} {
		text := strings.Replace(file, c.from, c.to, 1)
		if c.from == "model: m," {
			text = strings.Replace(text, "variants: [b]", "variants: [c]", 1)
		}
		compareFindings(t, LintChange(compileYAML(t, file), compileYAML(t, text), 0), c.want)
	}
}

func TestFindingsAsJSON(t *testing.T) {
	text, err := json.Marshal(Finding{"experiments[0]", Warning, "code", "text"})
	if want := `{"path":"experiments[0]","severity":"warning","code":"code","message":"text"}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if comparePaths("experiments[2].a", "experiments[10]") >= 0 || comparePaths("experiments[10]", "experiments[2]") <= 0 || comparePaths("a", "a.b") >= 0 || comparePaths("a", "a") != 0 {
		t.Error("paths are not in the order of the file")
	}
}
