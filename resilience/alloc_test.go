//go:build !race

package resilience

import "testing"

// gobreaker's two-step Allow makes one closure; nothing else may be added.
func TestAGuardedCallAllocatesOnceAtMost(t *testing.T) {
	g := newGuard(t, testOptions())
	if n := testing.AllocsPerRun(1000, func() {
		p, err := g.Enter()
		if err != nil || !g.Permits().TryAcquirePermit() {
			t.Fatal("refused")
		}
		g.Permits().ReleasePermit()
		p.Leave(Success)
	}); n > 1 {
		t.Errorf("%v allocations per guarded call, want 1 at most", n)
	}
	g.Hold(true)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := g.Enter(); err != ErrOpen {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per refusal, want 0", n)
	}
}
