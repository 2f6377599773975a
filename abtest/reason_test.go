package abtest

import "testing"

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
