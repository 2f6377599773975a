package abtest

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
)

const precedence = `
layers: [{name: shared}]
experiments:
  - {name: "off", model: m, enabled: false, overrides: {on: [vip]}, variants: [{name: "on", weight: 100}]}
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
  - {name: paused, model: p, enabled: false, variants: [{name: a, weight: 100}]}
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
		experiment         string // "experiment/variant"; a variant of * is any
		reason             Reason
		unknown            bool
	}{
		{"no experiment", "other", in, de, "", "", ReasonDefault, false},
		{"no experiment, forced", "other", in, de, "a", "", ReasonDefault, true},
		{"all disabled", "p", in, de, "", "", ReasonDisabled, false},
		{"all disabled, forced", "p", in, de, "a", "", ReasonDisabled, true},
		{"first experiment that enrols", "m", in, de, "", "germans/a", ReasonSplit, false},
		{"targeting fails", "m", in, fr, "", "everyone/*", ReasonSplit, false},
		{"range fails", "m", out, de, "", "everyone/*", ReasonSplit, false},
		{"nothing enrols: targeting", "n", out, fr, "", "", ReasonNotTargeted, false},
		{"nothing enrols: range", "n", in, de, "", "", ReasonOutOfRange, false},
		{"layer's other half", "n", out, de, "", "narrow/a", ReasonSplit, false},
		{"override beats targeting and range", "m", "gerd", fr, "", "germans/b", ReasonOverride, false},
		{"override further down beats split, disabled ones do not count", "m", "vip", de, "", "everyone/c", ReasonOverride, false},
		{"forced beats override", "m", "vip", fr, "d", "everyone/d", ReasonForced, false},
		{"forced beats targeting; first experiment with the name", "m", out, fr, "a", "germans/a", ReasonForced, false},
		{"forced by full name", "m", in, de, "everyone/a", "everyone/a", ReasonForced, false},
		{"forced typo", "m", in, de, "aa", "germans/a", ReasonSplit, true},
		{"forced typo of an overridden unit", "m", "vip", de, "aa", "everyone/c", ReasonOverride, true},
		{"forced shadow", "m", in, de, "s", "germans/a", ReasonSplit, true},
		{"forced variant of a disabled experiment", "m", in, de, "off/on", "germans/a", ReasonSplit, true},
		{"forced variant of another model", "n", out, de, "germans/a", "narrow/a", ReasonSplit, true},
	} {
		a := p.Assign(c.model, []byte(c.unit), &c.attrs, []byte(c.forced))
		got := ""
		if a.Experiment != nil {
			got = a.Experiment.Name() + "/" + a.Variant.Name()
			if c.experiment == a.Experiment.Name()+"/*" {
				got = c.experiment
			}
			if a.Variant.Shadow() || a.Bucket != bucketOf(a.Experiment.key, hashUnit([]byte(c.unit))) {
				t.Errorf("%s: shadow %v, bucket %d", c.about, a.Variant.Shadow(), a.Bucket)
			}
		}
		if got != c.experiment || a.Reason != c.reason || a.ForcedUnknown != c.unknown || (a.Experiment == nil) != (a.Variant == nil) {
			t.Errorf("%s: got %q %s unknown=%v, want %q %s unknown=%v", c.about, got, a.Reason, a.ForcedUnknown, c.experiment, c.reason, c.unknown)
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
		{in, attributes{"country": "de"}, []Reason{ReasonDisabled, ReasonSplit, ReasonSplit}},
		{in, nil, []Reason{ReasonDisabled, ReasonNotTargeted, ReasonSplit}},
		{out, attributes{"country": "de"}, []Reason{ReasonDisabled, ReasonOutOfRange, ReasonSplit}},
		{"gerd", nil, []Reason{ReasonDisabled, ReasonOverride, ReasonSplit}},
	} {
		var got []Reason
		for _, a := range m.Explain(nil, []byte(c.unit), &c.attrs) {
			got = append(got, a.Reason)
			if (a.Variant != nil) != (a.Reason >= ReasonSplit) {
				t.Errorf("%s: variant %v for %s", c.unit, a.Variant, a.Reason)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with %v: %v, want %v", c.unit, c.attrs, got, c.want)
		}
	}
	if got := p.ModelExperiments("other").Explain(nil, []byte("u"), nil); got != nil {
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
			counts[p.Assign("m", []byte(unit(i)), nil, nil).Variant]++
		}
		for v, got := range counts {
			want := float64(v.Weight()) / Buckets * n
			if math.Abs(float64(got)-want) > 4.5*math.Sqrt(want) {
				t.Errorf("%s ids: %s has %d of %d, want about %.0f", name, v.Name(), got, n, want)
			}
		}
	}
}

// Over a ramp no user ever leaves the growing variant, and a pause changes nothing.
func TestRampIsMonotone(t *testing.T) {
	had := map[int]bool{}
	for _, w := range []float64{0, 0.01, 1, 5, 20, 20, 50, 99.99, 100} {
		p := compile(t, nil, split("ramp", math.Round(1e4-100*w)/100, w))
		for i := range 5000 {
			b := p.Assign("m", []byte(fmt.Sprint("user", i)), nil, nil).Variant.Name() == "b"
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
			if a := p.Assign(e.Model, []byte(fmt.Sprint(i)), nil, nil); a.Reason == ReasonSplit {
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

func TestShadows(t *testing.T) {
	config := func(sample *float64) *Experiment {
		e := split("e", 50, 50)
		e.Variants = append(e.Variants, VariantConfig{Name: "s", Shadow: true, Sample: sample, Version: 9}, VariantConfig{Name: "all", Shadow: true})
		return compile(t, nil, e).Experiments()[0]
	}
	ten, twenty := config(ptr(10.0)), config(ptr(20.0))
	if s := ten.Shadows(); len(s) != 2 || s[0].Name() != "s" || s[0].Version() != 9 || s[0].Sample() != 1000 || s[1].Sample() != Buckets || s[0].Weight() != 0 {
		t.Fatalf("shadows %+v", s)
	}
	const n = 50000
	hits, joint := 0, 0
	for i := range n {
		u := []byte(fmt.Sprint("user-", i))
		hit := ten.ShadowHit(0, u)
		if hit && !twenty.ShadowHit(0, u) {
			t.Fatalf("a larger sample lost %s", u)
		}
		if !ten.ShadowHit(1, u) {
			t.Fatalf("a sample of 100 misses %s", u)
		}
		if hit {
			hits++
			if ten.VariantAt(bucketOf(ten.key, hashUnit(u))).Name() == "b" {
				joint++
			}
		}
	}
	if math.Abs(float64(hits)-n/10) > 4.5*math.Sqrt(n/10) || math.Abs(float64(joint)-float64(hits)/2) > 4.5*math.Sqrt(float64(hits)/4) {
		t.Errorf("%d of %d sampled, %d of them in b", hits, n, joint)
	}
}

func TestReasonNames(t *testing.T) {
	for _, r := range Reasons() {
		if b, err := r.MarshalText(); err != nil || string(b) != reasonNames[r] {
			t.Errorf("reason %d is %q, %v", r, b, err)
		}
	}
	if got := Reason(99).String(); got != "reason(99)" {
		t.Errorf("unknown reason is %q", got)
	}
}

func TestAssignDoesNotAllocate(t *testing.T) {
	p := compileYAML(t, precedence)
	unit, vip, forced, typo := []byte("unit-1"), []byte("vip"), []byte("everyone/d"), []byte("x")
	de := &fixed{"country", Value{Kind: String, Str: []byte("de")}}
	m, e := p.ModelExperiments("m"), p.Experiment("germans")
	var sink Assignment
	n := testing.AllocsPerRun(100, func() {
		sink = p.Assign("m", unit, de, nil)
		sink = m.Assign(unit, de, forced)
		sink = m.Assign(vip, nil, typo)
		sink = m.Assign(unit, nil, nil)
		e.ShadowHit(0, unit)
	})
	if n != 0 || sink.Experiment == nil {
		t.Errorf("%v allocations", n)
	}
}

// A plan is read by all requests at once; under the race detector this shows
// that reading is all they do.
func TestAssignFromManyGoroutines(t *testing.T) {
	p := compileYAML(t, precedence)
	const units, readers = 500, 4
	decide := func(i int) Assignment {
		return p.Assign("m", []byte(fmt.Sprint("unit", i)), &fixed{"country", Value{Kind: String, Str: []byte("de")}}, nil)
	}
	var want, got [units]Assignment
	for i := range want {
		want[i] = decide(i)
	}
	var all sync.WaitGroup
	for r := range readers {
		all.Go(func() {
			for i := r; i < units; i += readers {
				got[i] = decide(i)
				p.Experiment("germans").ShadowHit(0, []byte("u"))
				decide((i + 1) % units) // a unit that another reader has too
			}
		})
	}
	all.Wait()
	if got != want {
		t.Error("concurrent answers differ from sequential ones")
	}
}
