package experiments

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

// thousand is a file of realistic experiments: layers, targeting, a ramp, variants.
func thousand() string {
	var b strings.Builder
	b.WriteString("layers:\n")
	for i := range 20 {
		fmt.Fprintf(&b, "  - {name: layer-%d, salt: layer-%d-2026}\n", i, i)
	}
	b.WriteString("experiments:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, `  - name: experiment-%d
    model: risk      # decides about risk
    salt: experiment-%d-2026
    layer: layer-%d
    range: [%d, %d]
    ramp:
      - {share: 5}
      - {at: 2026-11-01T08:00:00Z, share: 50}
    targeting:
      all:
        - {attribute: country, in: [de, at]}
        - {attribute: age, gte: 18}
    variants:
      - {name: control, weight: 90, version: 1}
      - {name: treatment, weight: 10, version: 2, canary: true}
    fallback: control
`, i, i, i%20, i/20*200, i/20*200+200)
	}
	return b.String()
}

func TestTimingOfAThousandExperiments(t *testing.T) {
	text := []byte(thousand())
	r := newRig(t, string(text))
	parse, decode, compile, swap, save, patch := time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour
	best := func(d *time.Duration, f func()) {
		start := time.Now()
		f()
		*d = min(*d, time.Since(start))
	}
	for i := range 5 {
		var doc *strictyaml.Document
		var c abtest.Config
		var plan *abtest.Plan
		best(&parse, func() { doc, _ = strictyaml.Parse("e.yaml", text) })
		best(&decode, func() {
			if err := doc.Decode(&c); err != nil {
				t.Fatal(err)
			}
		})
		best(&compile, func() { plan, _ = abtest.Compile(c) })
		best(&swap, func() { _ = r.world.SetPlan(plan) })
		best(&save, func() { r.saved(strings.Replace(string(text), "share: 5}", fmt.Sprintf("share: %d}", i+6), 1)) })
		best(&patch, func() {
			if _, err := r.Patch(t.Context(), fmt.Appendf(nil, `{"experiments":{"experiment-500":{"salt":"s-%d"}}}`, i), r.edit()); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Logf("%d bytes: parse %s, decode %s, compile %s, swap %s; a save %s, a patch %s", len(text), parse, decode, compile, swap, save, patch)
}
