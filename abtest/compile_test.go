package abtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

const wrong = `
layers:
  - {name: l}
  - {name: l, salt: "a\tb"}
experiments:
  - name: -bad
    model: ""
    layer: nowhere
    range: [5, 5]
    targeting:
      all:
        - {attribute: a}
        - {in: [1]}
        - {attribute: a, eq: 1, not: {attribute: b, exists: true}}
        - {attribute: a, in: [[1], 9007199254740993], prefix: "", lt: .inf}
        - {attribute: a, not_in: []}
        - {}
    overrides: {x.y: [u1], a: [u2, u3, ""], b: [u3], s: [u4]}
    fallback: s
    variants:
      - {name: a, weight: 33.333}
      - {name: a, weight: -1, version: -2}
      - {name: b, sample: 5, model: a/b}
      - {name: s, shadow: true, weight: 5, sample: 0}
      - {name: s2, shadow: true, sample: 101}
  - name: two
    model: m
    range: [0, 100]
    fallback: nobody
    variants: [{name: a, weight: 33.33}, {name: b, weight: 66.66}]
  - name: two
    model: m
    layer: l
    range: [-1, 10001]
    variants: [{name: s, shadow: true}]
  - {name: r1, model: m, layer: l, range: [0, 6000], variants: [{name: a, weight: 100}]}
  - {name: r2, model: m, layer: l, range: [5999, 7000], variants: [{name: a, weight: 100}]}
  - {name: r3, model: m, layer: l, range: [100, 200], enabled: false, variants: [{name: a, weight: 100}]}
  - {name: r4, model: m, layer: l, range: [7000, 8000, 1], variants: [{name: a, weight: 100}]}
  - {name: r5, model: m, layer: l, range: [10, 20], variants: [{name: a, weight: 100}]}
`

func TestCompileReportsEveryProblem(t *testing.T) {
	_, err := Compile(decodeYAML(t, wrong))
	var got Problems
	if !errors.As(err, &got) {
		t.Fatalf("error is %T", err)
	}
	want := []string{
		`layers[1].name: "l" is the name of an earlier layer`,
		`layers[1].salt: "a\tb" holds a control character`,
		`experiments[0].name: "-bad": a name starts with`,
		`experiments[0].model: is missing`,
		`experiments[0].layer: "nowhere" is not declared under layers`,
		`experiments[0].range: [5, 5) holds no bucket`,
		`experiments[0].targeting.all[0]: attribute "a" has no operator`,
		`experiments[0].targeting.all[1].attribute: is missing`,
		`experiments[0].targeting.all[2]: a condition is exactly one of`,
		`experiments[0].targeting.all[3].in[0]: [1]: want a string, a number or a boolean`,
		`experiments[0].targeting.all[3].in[1]: 9007199254740993 is too large`,
		`experiments[0].targeting.all[3].prefix: is empty`,
		`experiments[0].targeting.all[3].lt: +Inf is not a finite number`,
		`experiments[0].targeting.all[4].not_in: lists 0 values`,
		`experiments[0].targeting.all[5]: a condition is exactly one of`,
		`experiments[0].variants[0].weight: 33.333 has more than two decimals`,
		`experiments[0].variants[1].name: "a" is the name of an earlier variant`,
		`experiments[0].variants[1].version: -2 is negative`,
		`experiments[0].variants[1].weight: -1 is not between 0 and 100`,
		`experiments[0].variants[2].model: "a/b": a name starts with`,
		`experiments[0].variants[2].sample: is for shadows only`,
		`experiments[0].variants[2].weight: is missing`,
		`experiments[0].variants[3].weight: a shadow answers nobody`,
		`experiments[0].variants[3].sample: is 0`,
		`experiments[0].variants[4].sample: 101 is not between`,
		`experiments[0].overrides.a[2]: is empty`,
		`experiments[0].overrides.b[0]: user "u3" is listed already at experiments[0].overrides.a[1]`,
		`experiments[0].overrides.s: "s" is a shadow`,
		`experiments[0].overrides.'x.y': "x.y" is not a variant`,
		`experiments[0].fallback: "s" is a shadow`,
		`experiments[1].range: [0, 100) is of no layer`,
		`experiments[1].variants: weights add up to 99.99, want exactly 100`,
		`experiments[1].fallback: "nobody" is not a variant`,
		`experiments[2].name: "two" is the name of an earlier experiment`,
		`experiments[2].range: [-1, 10001) reaches outside`,
		`experiments[2].variants: no variant answers`,
		`experiments[6].range: has 3 numbers`,
		`experiments[4].range: [5999, 7000) overlaps [0, 6000) of experiment "r1"`,
		`experiments[7].range: [10, 20) overlaps [0, 6000) of experiment "r1"`,
	}
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
	at := func(name string, off bool, low, high int) ExperimentConfig {
		e := split(name, 100)
		e.Layer, e.Range, e.Enabled = "l", []int{low, high}, ptr(!off)
		return e
	}
	cfg := Config{Layers: []LayerConfig{{Name: "l"}, {Name: "unused"}}, Experiments: []ExperimentConfig{
		at("wide", false, 0, 6000), at("inside", false, 10, 20), at("edge", false, 5999, 7000),
		at("next", false, 7000, 8000), at("retired", true, 0, 10000), at("second", false, 7500, 7600),
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

func many(n int) (es []ExperimentConfig) {
	for i := range n {
		es = append(es, split(fmt.Sprint("e", i), 100))
	}
	return es
}

func with(change func(e *ExperimentConfig)) Config {
	e := split("e", 100)
	change(&e)
	return Config{Experiments: []ExperimentConfig{e}}
}

func deep(levels int) *Condition {
	c := &Condition{Attribute: "a", Exists: ptr(true)}
	for range levels - 1 {
		c = &Condition{Not: c}
	}
	return c
}

func leaves(n int) *Condition {
	c := &Condition{}
	for range n {
		c.All = append(c.All, *deep(1))
	}
	return c
}

func withShadows(n int) func(e *ExperimentConfig) {
	return func(e *ExperimentConfig) {
		for i := range n {
			e.Variants = append(e.Variants, VariantConfig{Name: fmt.Sprint("s", i), Shadow: true})
		}
	}
}

func TestCompileLimits(t *testing.T) {
	users := make([]string, MaxOverrides+1)
	for i := range users {
		users[i] = fmt.Sprint(i)
	}
	wide := many(MaxAllVariants/MaxVariants + 1)
	for i := range wide {
		for v := range MaxVariants - 1 {
			wide[i].Variants = append(wide[i].Variants, VariantConfig{Name: fmt.Sprint("z", v), Weight: ptr(0.0)})
		}
	}
	long := strings.Repeat("x", MaxTextBytes+1)
	for _, c := range []struct {
		about string
		cfg   Config
		path  string // "" when it is fine
	}{
		{"experiments at the limit", Config{Experiments: many(MaxExperiments)}, ""},
		{"experiments", Config{Experiments: many(MaxExperiments + 1)}, "experiments"},
		{"layers", Config{Layers: make([]LayerConfig, MaxLayers+1)}, "layers"},
		{"variants at the limit", with(withShadows(MaxVariants - 1)), ""},
		{"variants", with(withShadows(MaxVariants)), "experiments[0].variants"},
		{"variants in all", Config{Experiments: wide}, "experiments"},
		{"overrides at the limit", with(func(e *ExperimentConfig) { e.Overrides = map[string][]string{"a": users[1:]} }), ""},
		{"overrides", with(func(e *ExperimentConfig) { e.Overrides = map[string][]string{"a": users} }), "experiments"},
		{"nesting at the limit", with(func(e *ExperimentConfig) { e.Targeting = deep(MaxNesting) }), ""},
		{"nesting", with(func(e *ExperimentConfig) { e.Targeting = deep(MaxNesting + 1) }), "experiments[0].targeting" + strings.Repeat(".not", MaxNesting)},
		{"conditions at the limit", with(func(e *ExperimentConfig) { e.Targeting = leaves(MaxConditions - 1) }), ""},
		{"conditions", with(func(e *ExperimentConfig) { e.Targeting = leaves(100 * MaxConditions) }), "experiments[0].targeting"},
		{"values", with(func(e *ExperimentConfig) { e.Targeting = &Condition{Attribute: "a", In: make([]any, MaxValues+1)} }), "experiments[0].targeting.in"},
		{"long value", with(func(e *ExperimentConfig) { e.Targeting = &Condition{Attribute: "a", Eq: long} }), "experiments[0].targeting.eq"},
		{"NaN", with(func(e *ExperimentConfig) { e.Targeting = &Condition{Attribute: "a", Eq: math.NaN()} }), "experiments[0].targeting.eq"},
		{"long user", with(func(e *ExperimentConfig) { e.Overrides = map[string][]string{"a": {long}} }), "experiments[0].overrides.a[0]"},
		{"longest user", with(func(e *ExperimentConfig) { e.Overrides = map[string][]string{"a": {long[1:]}} }), ""},
		{"long salt", with(func(e *ExperimentConfig) { e.Salt = long }), "experiments[0].salt"},
		{"long name", with(func(e *ExperimentConfig) { e.Name = long }), "experiments[0].name"},
		{"NaN weight", with(func(e *ExperimentConfig) { e.Variants[0].Weight = ptr(math.NaN()) }), "experiments[0].variants[0].weight"},
		{"full range without a layer", with(func(e *ExperimentConfig) { e.Range = []int{0, Buckets} }), ""},
		{"empty", Config{}, ""},
	} {
		_, err := Compile(c.cfg)
		var ps Problems
		errors.As(err, &ps)
		if c.path == "" && err != nil || c.path != "" && (len(ps) == 0 || ps[0].Path != c.path) {
			t.Errorf("%s: got %.300v, want a problem at %q", c.about, err, c.path)
		}
		if c.path != "" && c.about != "layers" && len(ps) != 1 {
			t.Errorf("%s: %d problems: %.300v", c.about, len(ps), err)
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
	if e.Salt() != "risk-v2" || e.Layer() != "" || low != 0 || high != Buckets || !e.Enabled() || e.Targeted() || e.Index() != 0 || e.Model() != "risk" {
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
		if a := p.Assign("risk", []byte(unit), nil, nil); a.Reason != ReasonOverride {
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

const digested = `
layers: [{name: l}, {name: k}]
experiments:
  - {name: e, model: m, layer: l, targeting: {attribute: a, in: [1, x, true]}, overrides: {a: [u1, u2]}, variants: [{name: a, weight: 60}, {name: b, weight: 40}, {name: s, shadow: true}]}
`

func TestDigest(t *testing.T) {
	base := compileYAML(t, digested).Digest()
	if text, err := json.Marshal(base); err != nil || string(text) != `"`+base.String()+`"` || len(base.String()) != 32 {
		t.Errorf("digest as text: %s, %v", text, err)
	}
	for _, same := range []string{
		strings.Replace(digested, "{name: l}, {name: k}", "{name: k}, {name: l, salt: l}", 1),
		strings.Replace(digested, "layer: l,", "layer: l, salt: e, range: [0, 10000], enabled: true,", 1),
		strings.Replace(digested, "[1, x, true]", "[true, x, 1.0, 1]", 1),
		strings.Replace(digested, "[u1, u2]", "[u2, u1]", 1),
		strings.Replace(digested, "shadow: true}", "shadow: true, sample: 100, model: m, version: 0}", 1),
	} {
		if compileYAML(t, same).Digest() != base {
			t.Errorf("another digest for the same plan:\n%s", same)
		}
	}
	seen := map[Digest]string{base: digested}
	for _, change := range [][2]string{
		{"name: e,", "name: f,"}, {"model: m,", "model: n,"}, {"layer: l,", "layer: k,"}, {"layer: l,", ""}, {"{name: l}", "{name: l, salt: z}"},
		{"layer: l,", "layer: l, salt: z,"}, {"layer: l,", "layer: l, range: [0, 1],"}, {"layer: l,", "layer: l, enabled: false,"},
		{"layer: l,", "layer: l, fallback: a,"}, {"layer: l,", "layer: l, fallback: b,"}, {"attribute: a,", "attribute: b,"},
		{"in: [1, x, true]", "in: [1, x, false]"}, {"in: [1, x, true]", "in: [1, xx, true]"}, {"in: [1, x, true]", "in: [2, x, true]"},
		{"in: [1, x, true]", "not_in: [1, x, true]"}, {"in: [1, x, true]", "gt: 1"}, {"in: [1, x, true]", "gte: 1"}, {"in: [1, x, true]", "prefix: x"},
		{"in: [1, x, true]", "exists: true"}, {"in: [1, x, true]", "exists: false"}, {"[u1, u2]", "[u1]"}, {"[u1, u2]", "[u1, u3]"}, {"{a: [u1", "{b: [u1"},
		{"60}, {name: b, weight: 40}", "60.01}, {name: b, weight: 39.99}"}, {"weight: 40", "weight: 40, version: 1"}, {"weight: 40", "weight: 40, model: n"},
		{"shadow: true", "shadow: true, sample: 1"}, {"{attribute: a, in: [1, x, true]}", "{not: {attribute: a, in: [1, x, true]}}"},
		{"{attribute: a, in: [1, x, true]}", "{all: [{attribute: a, in: [1, x, true]}]}"}, {"{attribute: a, in: [1, x, true]}", "{any: [{attribute: a, in: [1, x, true]}]}"},
	} {
		text := strings.Replace(digested, change[0], change[1], 1)
		d := compileYAML(t, text).Digest()
		if other, twice := seen[d]; twice {
			t.Errorf("one digest for\n%s and\n%s", text, other)
		}
		seen[d] = text
	}
}
