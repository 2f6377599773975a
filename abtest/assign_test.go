package abtest

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

const precedence = `
layers: [{name: shared}]
experiments:
  - {name: "off", model: m, state: stopped, overrides: {on: [vip]}, variants: [{name: "on", weight: 100}]}
  - name: germans
    model: m
    layer: shared
    range: [0, 5000]
    targeting: {attribute: country, eq: de}
    overrides: {b: [gerd]}
    variants: [{name: a, weight: 100}, {name: b, weight: 0}, {name: s, shadow: true}]
  - name: everyone
    model: m
    overrides: {c: [gerd, vip]}
    variants: [{name: a, weight: 0}, {name: c, weight: 50}, {name: d, weight: 50}]
  - {name: over, model: p, state: archived, variants: [{name: a, weight: 100}]}
  - {name: narrow, model: n, layer: shared, range: [5000, 10000], targeting: {attribute: country, eq: de}, variants: [{name: a, weight: 100}]}
`

// in and out are units whose bucket of layer "shared" is below 5000, or not.
func layerUnits() (in, out string) {
	key := hashKey(domainLayer, "shared")
	for i := 0; in == "" || out == ""; i++ {
		u := fmt.Sprint("unit", i)
		if bucketOf(key, hashUnit([]byte(u))) < 5000 {
			in = u
		} else {
			out = u
		}
	}
	return in, out
}

func TestPrecedence(t *testing.T) {
	p := compileYAML(t, precedence)
	in, out := layerUnits()
	de, fr := attributes{"country": "de"}, attributes{"country": "fr"}
	for _, c := range []struct {
		about, model, unit string
		attrs              attributes
		forced             string
		want               string // "experiment/variant"; a variant of * is any
		reason             Reason
		unknown            bool
	}{
		{"no experiment", "other", in, de, "", "", ReasonDefault, false},
		{"no experiment, forced", "other", in, de, "a", "", ReasonDefault, true},
		{"none runs", "p", in, de, "", "", ReasonNotRunning, false},
		{"none runs, forced", "p", in, de, "a", "", ReasonNotRunning, true},
		{"first experiment that enrols", "m", in, de, "", "germans/a", ReasonSplit, false},
		{"targeting fails", "m", in, fr, "", "everyone/*", ReasonSplit, false},
		{"range fails", "m", out, de, "", "everyone/*", ReasonSplit, false},
		{"nothing enrols: targeting", "n", out, fr, "", "", ReasonNotTargeted, false},
		{"nothing enrols: range", "n", in, de, "", "", ReasonOutOfRange, false},
		{"layer's other half", "n", out, de, "", "narrow/a", ReasonSplit, false},
		{"override beats targeting and range", "m", "gerd", fr, "", "germans/b", ReasonOverride, false},
		{"override further down beats split, stopped ones do not count", "m", "vip", de, "", "everyone/c", ReasonOverride, false},
		{"forced beats override", "m", "vip", fr, "d", "everyone/d", ReasonForced, false},
		{"forced beats targeting; first experiment with the name", "m", out, fr, "a", "germans/a", ReasonForced, false},
		{"forced by full name", "m", in, de, "everyone/a", "everyone/a", ReasonForced, false},
		{"forced typo", "m", in, de, "aa", "germans/a", ReasonSplit, true},
		{"forced typo of an overridden unit", "m", "vip", de, "aa", "everyone/c", ReasonOverride, true},
		{"forced shadow", "m", in, de, "s", "germans/a", ReasonSplit, true},
		{"forced variant of a stopped experiment", "m", in, de, "off/on", "germans/a", ReasonSplit, true},
		{"forced variant of another model", "n", out, de, "germans/a", "narrow/a", ReasonSplit, true},
	} {
		a := p.Assign(c.model, &Request{User: []byte(c.unit), Attributes: &c.attrs, Forced: []byte(c.forced)})
		got := armOf(a)
		if a.Experiment != nil {
			if c.want == a.Experiment.Name()+"/*" {
				got = c.want
			}
			if a.Variant.Shadow() || a.Bucket != bucketOf(a.Experiment.key, hashUnit([]byte(c.unit))) {
				t.Errorf("%s: shadow %v, bucket %d", c.about, a.Variant.Shadow(), a.Bucket)
			}
		}
		if got != c.want || a.Reason != c.reason || a.ForcedUnknown != c.unknown || (a.Experiment == nil) != (a.Variant == nil) {
			t.Errorf("%s: got %q %s unknown=%v, want %q %s unknown=%v", c.about, got, a.Reason, a.ForcedUnknown, c.want, c.reason, c.unknown)
		}
	}
}

func TestExplain(t *testing.T) {
	p := compileYAML(t, precedence)
	in, out := layerUnits()
	m := p.ModelExperiments("m")
	for _, c := range []struct {
		unit  string
		attrs attributes
		want  []Reason
	}{
		{in, attributes{"country": "de"}, []Reason{ReasonNotRunning, ReasonSplit, ReasonSplit}},
		{in, nil, []Reason{ReasonNotRunning, ReasonNotTargeted, ReasonSplit}},
		{out, attributes{"country": "de"}, []Reason{ReasonNotRunning, ReasonOutOfRange, ReasonSplit}},
		{"gerd", nil, []Reason{ReasonNotRunning, ReasonOverride, ReasonOverride}},
	} {
		var got []Reason
		for _, a := range m.Explain(nil, of(c.unit, &c.attrs)) {
			got = append(got, a.Reason)
			if (a.Variant != nil) != (a.Reason >= ReasonSplit) {
				t.Errorf("%s: variant %v for %s", c.unit, a.Variant, a.Reason)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with %v: %v, want %v", c.unit, c.attrs, got, c.want)
		}
	}
	if got := p.ModelExperiments("other").Explain(nil, of("u", nil)); got != nil {
		t.Errorf("a model without experiments explains %v", got)
	}
}

// Real ids meet the weights to within what chance allows.
func TestSplitMeetsWeights(t *testing.T) {
	p := compile(t, nil, split("e", 12.34, 50, 37.66))
	for name, unit := range shapes {
		const n = 30000
		counts := map[*Variant]int{}
		for i := range n {
			counts[p.Assign("m", of(unit(i), nil)).Variant]++
		}
		for v, got := range counts {
			want := float64(v.Weight()) / Buckets * n
			if math.Abs(float64(got)-want) > 4.5*math.Sqrt(want) {
				t.Errorf("%s ids: %s has %d of %d, want about %.0f", name, v.Name(), got, n, want)
			}
		}
	}
}

// While a weight grows no user ever leaves the growing variant.
func TestGrowingWeightIsMonotone(t *testing.T) {
	had := map[int]bool{}
	for _, w := range []float64{0, 0.01, 1, 5, 20, 20, 50, 99.99, 100} {
		p := compile(t, nil, split("growing", math.Round(1e4-100*w)/100, w))
		for i := range 5000 {
			b := p.Assign("m", of(fmt.Sprint("user", i), nil)).Variant.Name() == "b"
			if had[i] && !b {
				t.Fatalf("user%d left the variant at %g %%", i, w)
			}
			had[i] = b
		}
	}
}

func TestLayersAreExclusive(t *testing.T) {
	var es []ExperimentConfig
	for i, r := range [][]int{{0, 3000}, {3000, 3001}, {5000, 10000}} {
		e := split(fmt.Sprint("e", i), 50, 50)
		e.Model, e.Layer, e.Range = fmt.Sprint("m", i), "l", r
		es = append(es, e)
	}
	p := compile(t, []LayerConfig{{Name: "l"}}, es...)
	const n = 40000
	counts, seconds := make([]int, len(es)), make([]int, len(es))
	for i := range n {
		enrolled := 0
		for k, e := range es {
			if a := p.Assign(e.Model, of(fmt.Sprint(i), nil)); a.Reason == ReasonSplit {
				enrolled++
				counts[k]++
				if a.Variant.Name() == "b" {
					seconds[k]++
				}
			}
		}
		if enrolled > 1 {
			t.Fatalf("unit %d is in %d experiments of one layer", i, enrolled)
		}
	}
	for k, e := range es {
		want := float64(e.Range[1]-e.Range[0]) / Buckets * n
		if math.Abs(float64(counts[k])-want) > 4.5*math.Sqrt(want) {
			t.Errorf("%s enrols %d, want about %.0f", e.Name, counts[k], want)
		}
		// The layer's choice does not skew the split.
		if half := float64(counts[k]) / 2; math.Abs(float64(seconds[k])-half) > 4.5*math.Sqrt(half/2)+1 {
			t.Errorf("%s gives b to %d of %d", e.Name, seconds[k], counts[k])
		}
	}
}

func TestJSONValue(t *testing.T) {
	for text, want := range map[string]Value{
		`"de"`: {Kind: String, Str: []byte("de")}, `18`: {Kind: Number, Num: 18}, ` -1e3 `: {Kind: Number, Num: -1000}, `true`: {Kind: Bool, Bool: true},
		`null`: {}, `[1]`: {}, `{}`: {}, ``: {}, `de`: {},
	} {
		if got, ok := JSONValue([]byte(text)); ok != (want.Kind != 0) || got.Kind != want.Kind || string(got.Str) != string(want.Str) || got.Num != want.Num || got.Bool != want.Bool {
			t.Errorf("%s: %+v, %t", text, got, ok)
		}
	}
}
