package abtest

import (
	"fmt"
	"slices"
	"testing"
)

// ramps are random steps from moment 1 on, up to a share below or at all.
func (g generator) ramps() (ramp []RampStep) {
	shares := make([]int, 2+g.IntN(6))
	for i := range shares {
		shares[i] = g.IntN(Buckets + 1)
	}
	slices.Sort(shares)
	for i, share := range shares {
		ramp = append(ramp, RampStep{At: fmt.Sprintf("1970-01-01T00:00:%02dZ", 1+5*i+g.IntN(5)), Share: ptr(float64(share) / 100)})
	}
	if g.chance(50) {
		ramp[0].At = ""
	}
	return ramp
}

// ramping is a random plan in which ramps are all that time changes. Experiments
// that are about one model leave units to each other, so each has its own.
func (g generator) ramping() Config {
	cfg := g.plan()
	for i := range cfg.Experiments {
		e := &cfg.Experiments[i]
		e.Start, e.End, e.Model, e.State, e.Ramp = "", "", fmt.Sprint("m", i), "", nil
		if g.chance(80) {
			e.Ramp = g.ramps()
		}
	}
	return cfg
}

// raised has every share of the ramps raised or kept, as an edit may do.
func (g generator) raised(cfg Config) Config {
	cfg.Experiments = slices.Clone(cfg.Experiments)
	for i := range cfg.Experiments {
		e := &cfg.Experiments[i]
		e.Ramp = slices.Clone(e.Ramp)
		least := 0
		for j := range e.Ramp {
			least = max(least, int(*e.Ramp[j].Share*100+0.5))
			least += g.IntN(Buckets + 1 - least)
			e.Ramp[j].Share = ptr(float64(least) / 100)
		}
	}
	return cfg
}

// Whatever the file and the steps: who is in an experiment stays in as time goes
// on, and when its shares are raised, with the same variant.
func TestRampsAreMonotone(t *testing.T) {
	t.Parallel()
	g, entered := newGenerator(5), 0
	for range scaled(80, 15) {
		cfg := g.ramping()
		before, after := under(t, cfg), under(t, g.raised(cfg))
		for range 100 {
			v := g.request()
			v.Forced = ""
			r := v.request()
			for i, e := range before.Experiments() {
				had, late := "", after.Experiments()[i]
				for r.Now = 0; r.Now < 45; r.Now++ {
					a := before.Assign(e.Model(), r)
					if own := e.Explain(r); own.Variant != a.Variant {
						t.Fatalf("%s alone in its model gives %+v, by itself %+v", e.Name(), a, own)
					}
					got := armOf(a)
					if had != "" && got != had {
						t.Fatalf("%+v went from %s to %q at %d", v, had, got, r.Now)
					}
					if had == "" && got != "" && r.Now > 0 {
						entered++
					}
					had = got
					if raised := armOf(late.Explain(r)); got != "" && raised != got {
						t.Fatalf("%+v went from %s to %q as shares were raised", v, got, raised)
					}
				}
			}
		}
	}
	if entered < 1000 {
		t.Errorf("only %d units came in by a step", entered)
	}
}
