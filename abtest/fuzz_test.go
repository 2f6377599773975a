package abtest

import (
	"encoding/json"
	"slices"
	"testing"
)

// whole says whether an assignment about a model is one that a caller can rely on.
func whole(a Assignment, model string) bool {
	switch {
	case a.Experiment == nil:
		return a.Variant == nil && (!a.Reason.Assigns() || a.Reason == ReasonPaused)
	case a.Variant == nil, a.Variant.Shadow(), !a.Reason.Assigns(), a.Bucket >= Buckets, a.Experiment.Model() != model:
		return false
	case a.Reason == ReasonSplit && a.Experiment.VariantAt(a.Bucket) != a.Variant:
		return false
	}
	return slices.Contains(a.Experiment.Variants(), a.Variant)
}

// FuzzAssign: any request: no panic, the same answer twice, and one that is whole.
func FuzzAssign(f *testing.F) {
	f.Add([]byte("user-1"), "de", 40.0, true, []byte(""), int64(0))
	f.Add([]byte("user-2"), "fr", -1.0, false, []byte("treatment"), int64(1799600000))
	f.Add([]byte("\xff\x00"), "2.10.1", 0.0, false, []byte("risk-three/none"), int64(1<<62))
	plans := map[*Plan][]string{
		compileYAML(f, vectorPlan):       {"risk", "digits", "retired", "none"},
		compileYAML(f, vectorEverything): {"shop", "search", "timed"},
	}
	f.Fuzz(func(t *testing.T, id []byte, text string, number float64, flag bool, forced []byte, now int64) {
		r := Request{User: id, Units: entities{"org": id}, Forced: forced, Stored: stored{"canary": forced}, Now: now,
			Attributes: &attributes{"country": text, "age": number, "beta": flag, "tier": text, "app": text, "mail": text, "session": number}}
		for p, models := range plans {
			for _, model := range models {
				a := p.Assign(model, &r)
				if b := p.ModelExperiments(model).Assign(&r); a != b {
					t.Fatalf("%s: %+v, then %+v", model, a, b)
				}
				if !whole(a, model) || a.Reason == ReasonForced == a.ForcedUnknown && len(forced) > 0 {
					t.Fatalf("%s, forced %q: %+v", model, forced, a)
				}
			}
		}
	})
}

// FuzzCompile: any file: no panic, and a plan that comes of it decides, also under
// any holds.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{everything, stickyPlan, ramped, digested, heldFile, guarded, `lists: {l: [a]}`} {
		seed, err := json.Marshal(decodeYAML(f, text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var cfg Config
		if json.Unmarshal(text, &cfg) != nil {
			return
		}
		p, err := Compile(cfg)
		if err != nil {
			return
		}
		p.Lint(0)
		var holds []Hold
		for _, e := range p.Experiments() {
			for _, v := range e.Variants() {
				holds = append(holds, Hold{e.Name(), v.Name()})
			}
			holds = append(holds, Hold{Experiment: e.Name()})
		}
		held, err := Compile(cfg.WithHolds(holds))
		if err != nil {
			t.Fatalf("it compiles, and under holds does not: %v", err)
		}
		LintChange(p, held, 0)
		for i, e := range p.Experiments() {
			checkHeld(t, e, held.Experiments()[i], holds)
			if a := p.Assign(e.Model(), of("u", nil)); !whole(a, e.Model()) {
				t.Fatalf("%+v", a)
			}
		}
	})
}
