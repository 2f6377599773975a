package experiments

import "testing"

// Who starts again has to know which trips somebody has answered by letting the
// variant serve again.
func TestResumedOutlastsRestarts(t *testing.T) {
	r := newRig(t, twoArms)
	resumed := func(want ...int) {
		t.Helper()
		r.open()
		got := r.Resumed()
		if len(got) != len(want) {
			t.Fatalf("%d are resumed, want %d", len(got), len(want))
		}
		for i, e := range got {
			if w := e.Variant("treatment").Weight() / 100; e.Name() != "gbm" || w != want[i] {
				t.Errorf("%s with weight %d, want %d", e.Name(), w, want[i])
			}
		}
	}
	hold := func(by Author) {
		t.Helper()
		if err := r.Hold(t.Context(), treatment, by); err != nil {
			t.Fatal(err)
		}
	}
	release := func() {
		t.Helper()
		if _, err := r.Release(t.Context(), "gbm", operator); err != nil {
			t.Fatal(err)
		}
	}
	hold(operator)
	release()
	resumed() // no guardrail
	hold(guardrail)
	resumed()
	release()
	resumed(10)
	r.saved(weighted(80, 20))
	resumed(10) // as it was then
	hold(guardrail)
	resumed()
	release()
	resumed(20)
}
