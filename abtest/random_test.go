package abtest

import (
	"fmt"
	"math/rand/v2"
)

// generator makes plans and requests in which everything occurs that a decision
// can depend on, often enough to get in the way of something else.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

// pick takes one of some values.
func pick[T any](g generator, values ...T) T { return values[g.IntN(len(values))] }

var randomWeights = [][]float64{{50, 50}, {50, 50}, {90, 10}, {100}, {33.33, 33.33, 33.34}, {0.01, 99.99}, {60, 40, 0}}

func (g generator) plan() Config {
	cfg := Config{
		Layers: []LayerConfig{{Name: "l0"}, {Name: "l1", Unit: "org", Salt: "orgs"}, {Name: "l2", Holdout: &HoldoutConfig{Share: ptr(10.0)}}},
		Lists:  map[string][]string{"few": {"de", "user1", "org3"}, "many": {"a", "b", "c", "at", "de", "fr", "user2", "user3", "user4", "org5", "1.2.3"}},
	}
	if g.chance(50) {
		cfg.Holdout = &HoldoutConfig{Share: ptr(5.0), Unit: pick(g, "", "org"), Salt: pick(g, "", "h")}
	}
	free := map[string]int{}
	for i := range 1 + g.IntN(pick(g, 2, 10, 30)) {
		cfg.Experiments = append(cfg.Experiments, g.experiment(i, free))
	}
	return cfg
}

// experiment is one of a plan; free is where each layer's buckets are still free.
func (g generator) experiment(i int, free map[string]int) ExperimentConfig {
	e := split(fmt.Sprint("e", i), pick(g, randomWeights...)...)
	e.Model, e.Sticky, e.Unit, e.Salt = pick(g, "m", "m", "m", "n"), g.chance(30), pick(g, "", "", "", "org", "session"), pick(g, "", "", fmt.Sprint("salt", i%7))
	if g.chance(20) {
		e.State = stateNames[g.IntN(len(stateNames))]
	}
	if g.chance(20) {
		e.Fallback = "a"
	}
	if g.chance(30) {
		e.Variants = append(e.Variants, VariantConfig{Name: "s", Shadow: true, Sample: pick(g, nil, ptr(20.0))})
	}
	if layer := fmt.Sprint("l", g.IntN(5)); free[layer] < Buckets && layer < "l3" {
		low := min(free[layer]+g.IntN(300), Buckets-1)
		high := min(low+1+g.IntN(1500), Buckets)
		e.Layer, e.Range, free[layer] = layer, []int{low, high}, high
	}
	if g.chance(60) {
		c := g.condition(3)
		e.Targeting = &c
	}
	if g.chance(30) {
		e.Ramp = []RampStep{{At: pick(g, "", "1970-01-01T00:00:01Z"), Share: ptr(30.0)}, {At: "1970-01-01T01:00:02+01:00", Share: ptr(60.5)}}
	}
	if g.chance(20) {
		e.Start = "1970-01-01T00:00:01Z"
	}
	if g.chance(20) {
		e.End = "1970-01-01T00:00:03Z"
	}
	if g.chance(10) && i > 0 {
		e.Prerequisites = []PrerequisiteConfig{{Experiment: fmt.Sprint("e", g.IntN(i)), Variants: pick(g, nil, []string{"a"})}}
	}
	if g.chance(10) {
		e.Overrides = map[string][]string{"a": {"user1", "user2"}}
	}
	if g.chance(5) {
		e.OverrideLists = map[string][]string{"a": {"many"}}
		e.Overrides = nil
	}
	return e
}

// condition is a tree of at most so many levels.
func (g generator) condition(levels int) Condition {
	if levels > 1 && g.chance(40) {
		kids := []Condition{g.condition(levels - 1), g.condition(levels - 1)}
		return pick(g, Condition{All: kids}, Condition{Any: kids}, Condition{Any: kids}, Condition{Not: &kids[0]})
	}
	return pick(g,
		Condition{Attribute: "country", In: []any{"de", "at"}},
		Condition{Attribute: "country", NotIn: []any{"de", 7, true}},
		Condition{Attribute: "country", InList: pick(g, "few", "many")},
		Condition{Attribute: "country", NotInList: "few"},
		Condition{Attribute: "country", Prefix: ptr("d")},
		Condition{Attribute: "country", Suffix: ptr("t")},
		Condition{Attribute: "country", Contains: ptr("e")},
		Condition{Attribute: "age", Gte: ptr(18.0), Lt: ptr(65.0)},
		Condition{Attribute: "age", Gt: ptr(30.5)},
		Condition{Attribute: "age", Lte: ptr(40.0)},
		Condition{Attribute: "age", Eq: 40},
		Condition{Attribute: "beta", Eq: true},
		Condition{Attribute: "app", SemverGte: ptr("2.10.0")},
		Condition{Attribute: "app", SemverLt: ptr("2.10"), SemverGt: ptr("1.0.0-rc.1")},
		Condition{Attribute: "app", SemverEq: ptr("1.2.3"), SemverLte: ptr("v1.2.3")},
		Condition{Attribute: "age", Exists: ptr(g.chance(50))},
		Condition{Unit: "user", InList: "many"},
		Condition{Unit: "org", In: []any{"org1", "org2", "3"}},
		Condition{Percent: ptr(30.0), Salt: pick(g, "p", "q")},
		Condition{Percent: ptr(50.0), Salt: "p", Unit: "org"})
}

// request is one that may lack anything.
func (g generator) request() requestVector {
	r := requestVector{Model: pick(g, "m", "m", "m", "n", "none"), User: fmt.Sprint("user", g.IntN(1000)), Attributes: attributes{}, Units: map[string]string{}, Stored: map[string]string{}}
	r.Now = int64(g.IntN(5))
	if g.chance(5) {
		r.User = ""
	}
	if g.chance(50) {
		r.Units["org"] = fmt.Sprint("org", g.IntN(100))
	}
	if g.chance(70) {
		r.Attributes["country"] = pick[any](g, "de", "at", "fr", 7, true, "")
	}
	if g.chance(70) {
		r.Attributes["age"] = pick[any](g, 12, 18, 30.5, 40, 65, 99, "40")
	}
	if g.chance(50) {
		r.Attributes["app"] = pick[any](g, "1.0.0-rc.1", "1.0.0", "1.2.3", "2.9.11", "2.10.0-beta.2", "2.10", "v3", "3.x", 2.1)
	}
	if g.chance(30) {
		r.Attributes["beta"] = g.chance(50)
	}
	if g.chance(50) {
		r.Attributes["session"] = pick[any](g, "s1", "s2", 17, -4, 1.5, "", 1<<53)
	}
	if g.chance(25) {
		r.Stored[fmt.Sprint("e", g.IntN(30))] = pick(g, "a", "b", "c", "s")
	}
	if g.chance(5) {
		r.Forced = pick(g, "a", "b", "c", "s", "e1/a", "e2/b", "typo")
	}
	return r
}
