//go:build !race

package experiments

import (
	"fmt"
	"strings"
	"testing"
	"time"
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

// reloadFigure is how long a reload of a thousand experiments may take.
const reloadFigure = 50 * time.Millisecond

func TestAThousandExperimentsAreReloadedInTime(t *testing.T) {
	r := newRig(t, thousand())
	r.data = "" // without the disk, whose time is not ours
	r.open()
	r.read.pausing(nil) // the pauses, too
	edited := func(i int) string { return strings.Replace(thousand(), "share: 5}", fmt.Sprintf("share: %d}", i+6), 1) }
	reload, save, patch := time.Hour, time.Hour, time.Hour
	best := func(d *time.Duration, f func()) {
		start := time.Now()
		f()
		*d = min(*d, time.Since(start))
	}
	for i := range 8 {
		r.write(edited(i))
		best(&reload, func() {
			if err := r.Reload(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		})
	}
	best(&save, func() { r.saved(edited(9)) })
	best(&patch, func() {
		if _, err := r.Patch(t.Context(), []byte(`{"experiments":{"experiment-500":{"salt":"s"}}}`), r.edit()); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("a reload %s, a save with findings and preview %s, a patch %s", reload, save, patch)
	if reload > reloadFigure {
		t.Errorf("a reload takes %s, more than %s", reload, reloadFigure)
	}
}

// BenchmarkRead is what a reload does before the world takes the plan.
func BenchmarkRead(b *testing.B) {
	text := []byte(thousand())
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, err := new(reading).read("e.yaml", ".", text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("after an edit", func(b *testing.B) {
		var r reading
		for b.Loop() {
			if _, err := r.read("e.yaml", ".", text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
