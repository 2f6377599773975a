package abtest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
)

// under assigns by a file with holds on top.
func under(t *testing.T, cfg Config, holds ...Hold) *Plan {
	t.Helper()
	p, err := Compile(cfg.WithHolds(holds))
	if err != nil {
		text, _ := json.Marshal(cfg)
		t.Fatalf("%v with the holds %+v:\n%s", err, holds, text)
	}
	return p
}

const heldFile = `
experiments:
  - name: e
    model: m
    fallback: control
    overrides: {b: [listed]}
    variants: [{name: b, weight: 20, canary: true}, {name: c, weight: 33.33}, {name: control, weight: 46.67}, {name: s, shadow: true}]
  - {name: two, model: n, control: a, fallback: b, variants: [{name: a, weight: 0.01}, {name: b, weight: 99.99}]}
  - {name: old, model: m, state: stopped, variants: [{name: a, weight: 100}]}
  - {name: needs, model: o, prerequisites: [{experiment: e, variants: [b]}], variants: [{name: a, weight: 100}]}
`

func TestHoldOfAVariant(t *testing.T) {
	cfg := decodeYAML(t, heldFile)
	before, after := compileYAML(t, heldFile), under(t, cfg, Hold{"e", "b"}, Hold{"two", "b"}, Hold{"two", "b"})
	was, is := before.Experiment("e"), after.Experiment("e")
	for b := range uint16(Buckets) {
		want := was.VariantAt(b).Name()
		if want == "b" {
			want = "control"
		}
		if got := is.VariantAt(b).Name(); got != want {
			t.Fatalf("bucket %d went from %s to %s", b, was.VariantAt(b).Name(), got)
		}
	}
	b, control, two := is.Variant("b"), is.Variant("control"), after.Experiment("two")
	if b.Weight() != 0 || !b.Held() || b.Canary() || control.Weight() != 6667 || control.Held() || is.Variant("c").Weight() != 3333 || is.State() != Running {
		t.Errorf("held %+v, control %+v", b, control)
	}
	// The default guardrails of the canary stay.
	if g := is.Guardrails(); len(g) != 4 || len(g) != len(was.Guardrails()) || g[0].Variants[0] != b {
		t.Errorf("guardrails %+v", g)
	}
	if two.Fallback() != two.Variant("a") || two.Variant("a").Weight() != Buckets || is.Fallback() != control {
		t.Errorf("the fallback of two is %+v", two.Fallback())
	}
	expect(t, after, "listed", of("listed", nil), "e/b override")
	for i := range 1000 {
		r := of(fmt.Sprint(i), nil)
		if before.Assign("o", r).Variant != nil && after.Assign("o", r).Reason != ReasonPrerequisite {
			t.Fatalf("%d is in an experiment that requires the held variant", i)
		}
	}
	if before.Digest() == after.Digest() || after.Digest() != under(t, cfg, Hold{"two", "b"}, Hold{"e", "b"}).Digest() {
		t.Error("the digest does not tell the holds")
	}
	// The weights alone deal other slots among three variants, so that it is
	// another plan.
	if weights := under(t, Config{Experiments: jsonCopy(t, cfg.WithHolds([]Hold{{"e", "b"}})).Experiments}); weights.Digest() == under(t, cfg, Hold{"e", "b"}).Digest() {
		t.Error("two plans that decide differently have one digest")
	}
}

// jsonCopy is what is left of a configuration as text.
func jsonCopy(t *testing.T, c Config) (out Config) {
	t.Helper()
	text, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHoldOfAnExperiment(t *testing.T) {
	cfg := decodeYAML(t, heldFile)
	p := under(t, cfg, Hold{"e", "b"}, Hold{Experiment: "e"}, Hold{Experiment: "old"})
	if e := p.Experiment("e"); e.State() != Paused || e.Variant("b").Weight() != 0 || p.Experiment("old").State() != Stopped {
		t.Errorf("e is %s, old %s", e.State(), p.Experiment("old").State())
	}
	expect(t, p, "7", of("7", nil), "e/control paused")
}

// Holds of what is not there, of a shadow and of the control change nothing.
func TestHoldsWithoutEffect(t *testing.T) {
	cfg := decodeYAML(t, heldFile)
	if got := under(t, cfg, Hold{"e", "control"}, Hold{"e", "s"}, Hold{"e", "nobody"}, Hold{"nobody", "b"}, Hold{Experiment: "nobody"}, Hold{}); got.Digest() != compileYAML(t, heldFile).Digest() {
		t.Error("they change something")
	}
}

// A wrong file under holds has the problems that it has without them.
func TestHoldsHideNoProblem(t *testing.T) {
	for _, file := range []string{wrong, wrongReadout} {
		cfg := decodeYAML(t, file)
		var holds []Hold
		for _, e := range cfg.Experiments {
			for _, v := range e.Variants {
				holds = append(holds, Hold{e.Name, v.Name})
			}
		}
		if _, err := Compile(cfg.WithHolds(holds)); err == nil {
			t.Errorf("under holds this compiles:\n%s", file)
		}
	}
	third := with(func(e *ExperimentConfig) {
		e.Variants = []VariantConfig{{Name: "a", Weight: ptr(66.667)}, {Name: "b", Weight: ptr(33.333)}}
	})
	if _, err := Compile(third.WithHolds([]Hold{{"e", "b"}})); err == nil {
		t.Error("a hold rounds weights that are wrong")
	}
}

// Whoever changes weights under a hold gets those weights.
func TestWeightsChangedUnderAHold(t *testing.T) {
	cfg := Config{Experiments: []ExperimentConfig{split("e", 10, 45, 45)}}.WithHolds([]Hold{{"e", "b"}})
	cfg.Experiments[0].Variants[0].Weight, cfg.Experiments[0].Variants[2].Weight = ptr(5.0), ptr(95.0)
	e := under(t, cfg).Experiment("e")
	counts := map[string]int{}
	for b := range uint16(Buckets) {
		counts[e.VariantAt(b).Name()]++
	}
	if !reflect.DeepEqual(counts, map[string]int{"a": 500, "c": 9500}) {
		t.Errorf("slots %v", counts)
	}
}

// randomHolds are holds of what there is and of what there is not.
func (g generator) holds(cfg Config) (holds []Hold) {
	for range 1 + g.IntN(4) {
		e := cfg.Experiments[g.IntN(len(cfg.Experiments))]
		holds = append(holds, pick(g, Hold{e.Name, e.Variants[g.IntN(len(e.Variants))].Name}, Hold{Experiment: e.Name}, Hold{e.Name, "z"}))
	}
	return holds
}

// For any file and any holds: it compiles, the file stays as it is, and no bucket
// changes hands but those of held variants, which go to the control.
func TestHoldsMoveOnlyTheHeld(t *testing.T) {
	t.Parallel()
	g := newGenerator(11)
	for range scaled(120, 25) {
		cfg := g.plan()
		for i := range cfg.Experiments {
			cfg.Experiments[i].Control = pick(g, "", "", "a")
		}
		copied, holds := jsonCopy(t, cfg), g.holds(cfg)
		before, after := under(t, cfg), under(t, cfg, holds...)
		if !reflect.DeepEqual(jsonCopy(t, cfg), copied) {
			t.Fatalf("%+v changed the file", holds)
		}
		if under(t, cfg.WithHolds(holds), holds...).Digest() != after.Digest() {
			t.Fatalf("%+v twice is not %+v once", holds, holds)
		}
		for i, is := range after.Experiments() {
			checkHeld(t, before.Experiments()[i], is, holds)
		}
	}
}

// checkHeld compares an experiment under holds with the one without.
func checkHeld(t *testing.T, was, is *Experiment, holds []Hold) {
	t.Helper()
	held, state := map[string]bool{}, was.State()
	for _, h := range holds {
		switch {
		case h.Experiment != was.Name():
		case h.Variant != "":
			held[h.Variant] = h.Variant != was.Control().Name()
		case state == Running:
			state = Paused
		}
	}
	if is.State() != state || is.Control().Name() != was.Control().Name() {
		t.Fatalf("%s is %s with control %s, want %s and %s", is.Name(), is.State(), is.Control().Name(), state, was.Control().Name())
	}
	for b := range uint16(Buckets) {
		want := was.VariantAt(b).Name()
		if held[want] {
			want = was.Control().Name()
		}
		if got := is.VariantAt(b).Name(); got != want {
			t.Fatalf("%s, holds %v: bucket %d went from %s to %s", is.Name(), held, b, was.VariantAt(b).Name(), got)
		}
	}
	sum := 0
	for _, v := range is.Variants() {
		sum += v.Weight()
		if v.Held() != (held[v.Name()] && !v.Shadow()) || v.Held() && v.Weight() != 0 {
			t.Fatalf("%s: %+v", is.Name(), v)
		}
	}
	if sum != Buckets {
		t.Fatalf("%s: weights add up to %d", is.Name(), sum)
	}
}
