package abtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

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

func units(n int) Config {
	es := many(n)
	for i := range es {
		es[i].Unit = fmt.Sprint("unit", i)
	}
	return Config{Experiments: es}
}

func lists(n, values int) Config {
	cfg := Config{Lists: map[string][]string{}}
	for i := range n {
		list := make([]string, values)
		for v := range list {
			list[v] = fmt.Sprint(v)
		}
		cfg.Lists[fmt.Sprint("list", i)] = list
	}
	return cfg
}

// listsAndFile has a list that stands in a file of its own, as if it were of so many
// values, and another one.
func listsAndFile(inFile, inline int) Config {
	cfg := Config{Lists: map[string][]string{"y": slices.Repeat([]string{"a"}, inline)}, ListFiles: map[string]string{"x": "x.txt"}}
	return cfg.WithListFiles(map[string]*List{"x": {end: make([]uint32, inFile)}})
}

func overrideList(name string) ExperimentConfig {
	e := split(name, 100)
	e.OverrideLists = map[string][]string{"a": {"x"}}
	return e
}

func steps(n int) (ramp []RampStep) {
	for i := range n {
		ramp = append(ramp, RampStep{At: fmt.Sprintf("2027-01-01T00:00:%02dZ", i), Share: ptr(float64(i))})
	}
	return ramp
}

func requiringAll(n int) ExperimentConfig {
	e := split("last", 100)
	for i := range n {
		e.Prerequisites = append(e.Prerequisites, PrerequisiteConfig{Experiment: fmt.Sprint("e", i)})
	}
	return e
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
		checkLimit(t, c.about, c.cfg, c.path)
	}
}

func TestCompileLimitsOfLists(t *testing.T) {
	users := make([]string, MaxOverrides+1)
	for i := range users {
		users[i] = fmt.Sprint(i)
	}
	long := strings.Repeat("x", MaxTextBytes+1)
	for _, c := range []struct {
		about string
		cfg   Config
		path  string // "" when it is fine
	}{
		{"units at the limit", units(MaxUnits - 1), ""},
		{"units", units(MaxUnits), fmt.Sprintf("experiments[%d].unit", MaxUnits-1)},
		{"lists", lists(MaxLists+1, 1), "lists"},
		{"list values at the limit", listsAndFile(MaxListValues-10, 10), ""},
		{"list values of the file", listsAndFile(0, MaxListValues+1), "lists"},
		{"list values", listsAndFile(MaxListValues-9, 10), "list_files"},
		{"long list value", Config{Lists: map[string][]string{"x": {long}}}, "lists.x[0]"},
		{"overrides by lists", Config{Lists: map[string][]string{"x": users[1:]}, Experiments: []ExperimentConfig{overrideList("e"), overrideList("f")}}, "experiments"},
		{"ramp at the limit", with(func(e *ExperimentConfig) { e.Ramp = steps(MaxRampSteps) }), ""},
		{"ramp", with(func(e *ExperimentConfig) { e.Ramp = steps(MaxRampSteps + 1) }), "experiments[0].ramp"},
		{"prerequisites", Config{Experiments: append(many(MaxRequires+1), requiringAll(MaxRequires+1))}, fmt.Sprintf("experiments[%d].prerequisites", MaxRequires+1)},
		{"payload at the limit", with(func(e *ExperimentConfig) { e.Variants[0].Payload = strings.Repeat("x", MaxPayloadBytes-2) }), ""},
		{"payload", with(func(e *ExperimentConfig) { e.Variants[0].Payload = strings.Repeat("x", MaxPayloadBytes-1) }), "experiments[0].variants[0].payload"},
		{"payload that is not JSON", with(func(e *ExperimentConfig) { e.Variants[0].Payload = []any{math.NaN()} }), "experiments[0].variants[0].payload"},
		{"long version", with(func(e *ExperimentConfig) { e.Targeting = &Condition{Attribute: "a", SemverEq: ptr("1.0.0-" + long)} }), "experiments[0].targeting.semver_eq"},
		{"long label", with(func(e *ExperimentConfig) { e.Variants[0].Version, e.Variants[0].Label = 0, long }), "experiments[0].variants[0].label"},
	} {
		checkLimit(t, c.about, c.cfg, c.path)
	}
}

// checkLimit wants one problem at a path, or none.
func checkLimit(t *testing.T, about string, cfg Config, path string) {
	t.Helper()
	_, err := Compile(cfg)
	var ps Problems
	errors.As(err, &ps)
	if path == "" && err != nil || path != "" && (len(ps) == 0 || ps[0].Path != path) {
		t.Errorf("%s: got %.300v, want a problem at %q", about, err, path)
	}
	if path != "" && about != "layers" && len(ps) != 1 {
		t.Errorf("%s: %d problems: %.300v", about, len(ps), err)
	}
}
