package abtest

import "testing"

// FuzzAssign: any unit, context and forced name: no panic, the same answer twice, and one
// that is whole.
func FuzzAssign(f *testing.F) {
	f.Add([]byte("user-1"), "de", 40.0, true, []byte(""))
	f.Add([]byte("user-2"), "fr", -1.0, false, []byte("treatment"))
	f.Add([]byte("\xff\x00"), "", 0.0, false, []byte("risk-three/none"))
	p := compileYAML(f, vectorPlan)
	models := []string{"risk", "digits", "retired", "none"}
	f.Fuzz(func(t *testing.T, unit []byte, country string, age float64, beta bool, forced []byte) {
		attrs := attributes{"country": country, "age": age, "beta": beta, "tier": country}
		for _, model := range models {
			a := p.Assign(model, unit, &attrs, forced)
			if b := p.ModelExperiments(model).Assign(unit, &attrs, forced); a != b {
				t.Fatalf("%s: %+v, then %+v", model, a, b)
			}
			if (a.Experiment == nil) != (a.Reason < ReasonSplit) || (a.Experiment == nil) != (a.Variant == nil) || a.Bucket >= Buckets {
				t.Fatalf("%s: %+v", model, a)
			}
			if a.Reason == ReasonForced == a.ForcedUnknown && len(forced) > 0 {
				t.Fatalf("%s forced %q: %+v", model, forced, a)
			}
			if a.Variant != nil && (a.Variant.Shadow() || a.Experiment.Model() != model || a.Experiment.Variants()[a.Variant.Index()] != a.Variant) {
				t.Fatalf("%s: %+v", model, a)
			}
			if a.Reason == ReasonSplit && a.Experiment.VariantAt(a.Bucket) != a.Variant {
				t.Fatalf("%s: bucket %d is not of %s", model, a.Bucket, a.Variant.Name())
			}
		}
	})
}
