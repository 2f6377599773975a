package bench

import (
	"errors"
	"testing"
)

// capped is a server that holds rates up to limit.
func capped(limit float64) func(float64) (Step, error) {
	return func(rate float64) (Step, error) {
		return Step{Rate: rate, Planned: 100, Sent: 100, Throughput: min(rate, limit)}, nil
	}
}

func TestSaturationIsBracketed(t *testing.T) {
	got, steps, err := findSaturation(1000, capped(10_000))
	if err != nil {
		t.Fatal(err)
	}
	if got < 9000 || got > 10_000/minAchieved {
		t.Errorf("saturation %v of a server that holds 10,000/s", got)
	}
	// 1, 2, 4, 8 and twice 16 thousand; 12 twice, 10 held within 2 %, 11 twice.
	if len(steps) != 4+2+2+1+2 {
		t.Errorf("%d steps", len(steps))
	}
}

func TestSaturationOfServersAtTheEdges(t *testing.T) {
	if got, steps, _ := findSaturation(1000, capped(0)); got != 0 || len(steps) != 2*(1+maxBisections) {
		t.Errorf("a dead server: %v after %d steps", got, len(steps))
	}
	if got, steps, _ := findSaturation(1000, capped(1e12)); got != 32_000 || len(steps) != 6 {
		t.Errorf("a server without limit: %v after %d steps", got, len(steps))
	}
	fault := errors.New("gone")
	if _, _, err := findSaturation(1, func(float64) (Step, error) { return Step{}, fault }); !errors.Is(err, fault) {
		t.Errorf("error = %v", err)
	}
}

func TestARateThatFailedByChanceIsRunAgain(t *testing.T) {
	n := 0
	got, _, err := findSaturation(1000, func(rate float64) (Step, error) {
		s, err := capped(2000)(rate)
		if n++; n == 1 {
			s.Failed = 1
		}
		return s, err
	})
	if err != nil || got < 2000 {
		t.Errorf("saturation %v of a server that holds 2,000/s, %v", got, err)
	}
}

func TestAStepHolds(t *testing.T) {
	good := Step{Rate: 1000, Planned: 1000, Sent: 1000, Throughput: 999, Latency: Latency{P99: 1000}}
	f := func(name string, want bool, change func(*Step)) {
		s := good
		change(&s)
		if s.holds() != want {
			t.Errorf("%s: holds = %v", name, !want)
		}
	}
	f("all well", true, func(*Step) {})
	f("one error", false, func(s *Step) { s.Failed = 1 })
	f("slow", false, func(s *Step) { s.Throughput = 970 })
	f("late", false, func(s *Step) { s.Latency.P99 = 50_001 })
	f("not sent", false, func(s *Step) { s.Sent = 970 })
}

func TestAStepIsVoid(t *testing.T) {
	f := func(want string, s Step) {
		if got := s.void(); got != want {
			t.Errorf("void = %q, want %q", got, want)
		}
	}
	f("", Step{Loop: "open", Planned: 1000, Sent: 990, GeneratorShare: 0.7})
	f("sent 98.9% of the plan in time", Step{Loop: "open", Planned: 1000, Sent: 989})
	f("generator used 71% of a core", Step{Loop: "open", Planned: 1000, Sent: 1000, GeneratorShare: 0.71})
	f("", Step{Loop: "closed", GeneratorShare: 1})
}

func TestTheReadableStepIsTheBest(t *testing.T) {
	steps := []Step{
		{Generator: "vegeta", Void: "late", GeneratorCPU: 1},
		{Generator: "wire", GeneratorCPU: 20},
		{Generator: "vegeta", GeneratorCPU: 70},
	}
	if b := best(steps, func(*Step) bool { return true }); b != &steps[1] {
		t.Errorf("best = %+v", b)
	}
	if b := best(steps, func(*Step) bool { return false }); b != nil {
		t.Errorf("best of none = %+v", b)
	}
}
