package resilience

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testOptions opens at half of 4 results in a second, for 100 ms, two probes.
func testOptions() Options {
	return Options{FailureRatio: 0.5, MinResults: 4, Window: time.Second, OpenFor: 100 * time.Millisecond,
		Probes: 2, MaxConcurrent: 3, RetryRatio: 0.25}
}

func newGuard(t testing.TB, o Options) *Guard {
	t.Helper()
	g, err := New("store", o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// enter makes a call that must be let through.
func enter(t testing.TB, g *Guard) Pass {
	t.Helper()
	p, err := g.Enter()
	if err != nil {
		t.Fatalf("Enter = %v", err)
	}
	return p
}

func call(t testing.TB, g *Guard, outcomes ...Outcome) {
	t.Helper()
	for _, o := range outcomes {
		enter(t, g).Leave(o)
	}
}

func wantBreaker(t testing.TB, g *Guard, state string) {
	t.Helper()
	if s := g.State().Breaker; s != state {
		t.Fatalf("the breaker is %s, want %s", s, state)
	}
}

func wantRefusal(t testing.TB, g *Guard) {
	t.Helper()
	if _, err := g.Enter(); err != ErrOpen {
		t.Fatalf("Enter = %v, want %v", err, ErrOpen)
	}
}

// opened is a guard that has just opened.
func opened(t testing.TB) *Guard {
	g := newGuard(t, testOptions())
	call(t, g, Failure, Failure, Failure, Failure)
	wantBreaker(t, g, "open")
	return g
}
