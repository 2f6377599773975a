package resilience

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestBreakerOpensAtTheRatioOnceThereAreEnoughResults(t *testing.T) {
	for _, c := range []struct {
		name     string
		outcomes []Outcome
		want     string
	}{
		{"too few results", []Outcome{Failure, Failure, Failure}, "closed"},
		{"all fail", []Outcome{Failure, Failure, Failure, Failure}, "open"},
		{"exactly the ratio", []Outcome{Success, Success, Failure, Failure}, "open"},
		{"below the ratio", []Outcome{Success, Success, Success, Failure, Failure}, "closed"},
		{"ignored are no results", []Outcome{Failure, Failure, Failure, Ignored, Ignored, Ignored}, "closed"},
		{"ignored do not dilute", []Outcome{Ignored, Ignored, Ignored, Ignored, Success, Success, Failure, Failure}, "open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuard(t, testOptions())
			call(t, g, c.outcomes...)
			wantBreaker(t, g, c.want)
			if open := c.want == "open"; g.Open() != open {
				t.Errorf("Open = %v", !open)
			} else if open {
				wantRefusal(t, g)
			}
		})
	}
}

// Calls in flight are no results: they must not keep the ratio down.
func TestCallsInFlightDoNotDiluteTheRatio(t *testing.T) {
	g := newGuard(t, testOptions())
	var hung []Pass
	for range 20 {
		hung = append(hung, enter(t, g))
	}
	call(t, g, Failure, Failure, Failure, Failure)
	wantBreaker(t, g, "open")
	for _, p := range hung {
		p.Leave(Ignored)
	}
}

func TestBreakerOpensAtConsecutiveFailuresWhateverTheRatio(t *testing.T) {
	o := testOptions()
	o.MinResults, o.ConsecutiveFailures = 100, 3
	g := newGuard(t, o)
	call(t, g, Success, Success, Success, Success, Failure, Failure, Success, Failure, Failure)
	wantBreaker(t, g, "closed")
	call(t, g, Ignored, Failure)
	wantBreaker(t, g, "open")
}

func TestConsecutiveFailuresAreOffAtZero(t *testing.T) {
	o := testOptions()
	o.MinResults = 100
	g := newGuard(t, o)
	call(t, g, slices.Repeat([]Outcome{Failure}, 50)...)
	wantBreaker(t, g, "closed")
}

func TestResultsLeaveTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, testOptions())
		call(t, g, Failure, Failure, Failure)
		time.Sleep(1100 * time.Millisecond)
		if s := g.State(); s.Failures != 0 {
			t.Errorf("State shows %d failures of the last window", s.Failures)
		}
		call(t, g, Success, Failure)
		wantBreaker(t, g, "closed")
	})
}

func TestHalfOpenLetsProbesThroughAndClosesWhenAllSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := opened(t)
		time.Sleep(99 * time.Millisecond)
		wantRefusal(t, g)
		time.Sleep(2 * time.Millisecond)
		wantBreaker(t, g, "half-open")
		first, second := enter(t, g), enter(t, g)
		wantRefusal(t, g)
		first.Leave(Success)
		wantBreaker(t, g, "half-open")
		second.Leave(Success)
		wantBreaker(t, g, "closed")
		call(t, g, Success, Failure, Failure) // a fresh count: 3 results are too few
		wantBreaker(t, g, "closed")
		if s := g.State(); s.Trips != 1 || s.Refused != 2 {
			t.Errorf("%d trips and %d refusals, want 1 and 2", s.Trips, s.Refused)
		}
	})
}

func TestAFailedProbeOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := opened(t)
		time.Sleep(101 * time.Millisecond)
		call(t, g, Success, Failure)
		wantBreaker(t, g, "open")
		wantRefusal(t, g)
		if s := g.State(); s.Trips != 2 {
			t.Errorf("%d trips, want 2", s.Trips)
		}
	})
}

func TestAnIgnoredProbeGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := opened(t)
		time.Sleep(101 * time.Millisecond)
		for range 10 {
			call(t, g, Ignored, Ignored)
		}
		wantBreaker(t, g, "half-open")
		call(t, g, Success, Success)
		wantBreaker(t, g, "closed")
	})
}

// A probe that hangs cannot keep the breaker half-open for ever: its caller
// leaves at the deadline, and that is its outcome.
func TestAHungCallCountsWhenItsCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, testOptions())
		for range 4 {
			p := enter(t, g) // the downstream never answers
			time.Sleep(20 * time.Millisecond)
			p.Leave(Failure)
		}
		wantBreaker(t, g, "open")
		time.Sleep(101 * time.Millisecond)
		probe, other := enter(t, g), enter(t, g)
		wantRefusal(t, g)
		time.Sleep(20 * time.Millisecond)
		probe.Leave(Failure)
		wantBreaker(t, g, "open")
		other.Leave(Failure)
		time.Sleep(101 * time.Millisecond)
		call(t, g, Success, Success)
		wantBreaker(t, g, "closed")
	})
}

func TestLateOutcomesOfAnEarlierStateAreDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, testOptions())
		var old []Pass
		for range 10 {
			old = append(old, enter(t, g))
		}
		call(t, g, Failure, Failure, Failure, Failure)
		time.Sleep(101 * time.Millisecond)
		wantBreaker(t, g, "half-open")
		old[0].Leave(Failure)
		wantBreaker(t, g, "half-open")
		old[1].Leave(Success)
		old[2].Leave(Success)
		wantBreaker(t, g, "half-open")
		call(t, g, Success, Success)
		for _, p := range old[3:] {
			p.Leave(Failure)
		}
		wantBreaker(t, g, "closed")
		if s := g.State(); s.Failures != 0 {
			t.Errorf("%d failures of an earlier state are counted", s.Failures)
		}
	})
}

func TestHoldRefusesUntilItIsLifted(t *testing.T) {
	g := newGuard(t, testOptions())
	before := enter(t, g)
	g.Hold(true)
	wantRefusal(t, g)
	wantBreaker(t, g, "held")
	if !g.Open() {
		t.Error("a held guard is not open")
	}
	before.Leave(Success)
	g.Hold(false)
	wantBreaker(t, g, "closed")
	call(t, g, Success)
	if s := g.State(); s.Refused != 1 || s.Trips != 0 || s.Successes != 2 {
		t.Errorf("state %+v, want 1 refusal, 0 trips, 2 successes", s)
	}
}

func TestBulkheadLimitsAndTellsWhatItHolds(t *testing.T) {
	g := newGuard(t, testOptions())
	p := g.Permits()
	for i := range 3 {
		if !p.TryAcquirePermit() {
			t.Fatalf("permit %d refused", i+1)
		}
	}
	for range 2 {
		if p.TryAcquirePermit() {
			t.Fatal("a fourth permit of three")
		}
	}
	if s := g.State(); s.InFlight != 3 || s.MaxConcurrent != 3 || s.BulkheadFull != 2 {
		t.Errorf("state %+v, want 3 of 3 in flight, 2 refused", s)
	}
	p.ReleasePermit()
	if !p.TryAcquirePermit() {
		t.Error("a permit that was given back is not there")
	}
	for range 3 {
		p.ReleasePermit()
	}
	if s := g.State(); s.InFlight != 0 {
		t.Errorf("%d in flight at the end", s.InFlight)
	}
}

func TestRetriesAreAShareOfTheCallsInFlight(t *testing.T) {
	g := newGuard(t, testOptions()) // a quarter
	var passes []Pass
	for range 12 {
		passes = append(passes, enter(t, g))
	}
	granted := 0
	for g.Retries().TryAcquirePermit() {
		if granted++; granted > 12 {
			t.Fatal("retries are not limited")
		}
	}
	// 4 of 16 are a quarter and the next one still passes; with 5 of 17 it is over.
	if granted != 5 {
		t.Errorf("%d retries beside 12 calls, want 5", granted)
	}
	for _, p := range passes {
		p.Leave(Success)
	}
	if g.Retries().TryAcquirePermit() {
		t.Error("a retry was granted beside 5 others and no call")
	}
	for range granted {
		g.Retries().ReleasePermit()
	}
	if !g.Retries().TryAcquirePermit() {
		t.Error("the budget was not given back")
	}
	if g.Retries().TryAcquirePermit() {
		t.Error("a second retry was granted without any call")
	}
}

func TestOneRetryIsAlwaysAllowedUnlessTheRatioIsZero(t *testing.T) {
	o := testOptions()
	o.RetryRatio = 0.01
	if g := newGuard(t, o); !g.Retries().TryAcquirePermit() || g.Retries().TryAcquirePermit() {
		t.Error("a small budget is not exactly one retry")
	}
	o.RetryRatio = 0
	g := newGuard(t, o)
	call(t, g, Success)
	if g.Retries().TryAcquirePermit() {
		t.Error("a retry was granted at ratio 0")
	}
}

func TestValidateNamesEveryOptionThatIsOutOfRange(t *testing.T) {
	for _, c := range []struct {
		field  string
		mutate func(*Options)
	}{
		{"failure_ratio", func(o *Options) { o.FailureRatio = 0 }},
		{"failure_ratio", func(o *Options) { o.FailureRatio = 1.01 }},
		{"min_results", func(o *Options) { o.MinResults = 0 }},
		{"window", func(o *Options) { o.Window = 99 * time.Millisecond }},
		{"open_for", func(o *Options) { o.OpenFor = 0 }},
		{"probes", func(o *Options) { o.Probes = 0 }},
		{"max_concurrent", func(o *Options) { o.MaxConcurrent = 0 }},
		{"retry_ratio", func(o *Options) { o.RetryRatio = -0.1 }},
		{"retry_ratio", func(o *Options) { o.RetryRatio = 1.1 }},
	} {
		o := testOptions()
		c.mutate(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("Validate = %v, want an error about %s", err, c.field)
		}
		if _, err := New("risk/2", o); err == nil || !strings.Contains(err.Error(), "risk/2") {
			t.Errorf("New = %v, want an error that names the guard", err)
		}
	}
	err := Options{RetryRatio: 2}.Validate()
	for _, field := range []string{"failure_ratio", "min_results", "window", "open_for", "probes", "max_concurrent", "retry_ratio"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the joined error %q does not name %s", err, field)
		}
	}
	if err := testOptions().Validate(); err != nil {
		t.Errorf("good options: %v", err)
	}
}

func TestFailuresOpenTheBreakerAndStopThere(t *testing.T) {
	o := testOptions()
	o.ConsecutiveFailures, o.MinResults = 3, 100
	g := newGuard(t, o)
	g.Failures(2)
	if g.Open() {
		t.Fatal("open after 2 failures, want 3")
	}
	g.Failures(10)
	if s := g.State(); !g.Open() || s.Trips != 1 {
		t.Errorf("%+v, want open after one trip", s)
	}
}
