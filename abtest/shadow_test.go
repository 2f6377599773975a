package abtest

import (
	"fmt"
	"math"
	"testing"
)

// withShadow is an even split with a shadow that samples so many percent.
func withShadow(sample float64) ExperimentConfig {
	e := split("e", 50, 50)
	e.Variants = append(e.Variants, VariantConfig{Name: "s", Shadow: true, Sample: &sample, Version: 9}, VariantConfig{Name: "all", Shadow: true})
	return e
}

func TestShadows(t *testing.T) {
	s := compile(t, nil, withShadow(10)).Experiments()[0].Shadows()
	if len(s) != 2 || s[0].Name() != "s" || s[0].Version() != 9 || s[0].Sample() != 1000 || s[1].Sample() != Buckets || s[0].Weight() != 0 {
		t.Fatalf("shadows %+v", s)
	}
	const n = 50000
	hits, joint := 0, 0
	small := compile(t, nil, withShadow(10)).ModelExperiments("m")
	large := compile(t, nil, withShadow(20)).ModelExperiments("m")
	for i := range n {
		r := of(fmt.Sprint("user-", i), nil)
		a, b := small.Assign(r), large.Assign(r)
		hit := a.ShadowHit(0)
		if hit && !b.ShadowHit(0) {
			t.Fatalf("a larger sample lost %s", r.User)
		}
		if !a.ShadowHit(1) {
			t.Fatalf("a sample of 100 misses %s", r.User)
		}
		if hit {
			hits++
			if a.Variant.Name() == "b" {
				joint++
			}
		}
	}
	if math.Abs(float64(hits)-n/10) > 4.5*math.Sqrt(n/10) || math.Abs(float64(joint)-float64(hits)/2) > 4.5*math.Sqrt(float64(hits)/4) {
		t.Errorf("%d of %d sampled, %d of them in b", hits, n, joint)
	}
}
