package exposure_test

import (
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

func TestOneRecordPerUnitAndVariantInAWindow(t *testing.T) {
	f, lines := &follower{}, &lineCounter{}
	l, reg := open(t, exposure.Options{Window: time.Hour, Followers: []exposure.Follower{f}, Sinks: []exposure.Sink{lines}})
	hour := event("").At / int64(time.Hour) * int64(time.Hour)
	at := func(offset time.Duration) func(*exposure.Event) {
		return func(e *exposure.Event) { e.At = hour + int64(offset) }
	}
	steps := []struct {
		name   string
		change func(*exposure.Event)
		first  bool
	}{
		{"the first", at(0), true},
		{"again", at(time.Minute), false},
		{"another request, bucket, model, latency and code", func(e *exposure.Event) {
			e.RequestID, e.Bucket, e.Model, e.LatencyNS, e.Code, e.At = []byte("other"), 1, "other", 9, "timeout", hour
		}, false},
		{"a sticky one", func(e *exposure.Event) { e.Reason, e.At = abtest.ReasonSticky, hour }, false},
		{"a forced one", func(e *exposure.Event) { e.Reason, e.At = abtest.ReasonForced, hour }, true},
		{"another unit", func(e *exposure.Event) { e.Unit, e.At = []byte("v"), hour }, true},
		{"a unit of another kind", func(e *exposure.Event) { e.UnitName, e.At = "session", hour }, true},
		{"another experiment", func(e *exposure.Event) { e.Experiment, e.At = "other", hour }, true},
		{"another variant", func(e *exposure.Event) { e.Assigned, e.At = "other", hour }, true},
		{"served by a fallback", func(e *exposure.Event) { e.Served, e.At = "control", hour }, true},
		{"served by nobody", func(e *exposure.Event) { e.Served, e.At = "", hour }, true},
		{"another plan", func(e *exposure.Event) { e.Plan[0], e.At = 9, hour }, true},
		{"texts that meet elsewhere", func(e *exposure.Event) { e.Experiment, e.Assigned, e.At = "ranker-testtreat", "ment", hour }, true},
		{"the window's end", at(time.Hour - 1), false},
		{"the next window", at(time.Hour), true},
		{"late, from the window before", at(time.Hour - 1), false},
		{"a clock put back two hours", at(-time.Hour), true},
		{"and again", at(-time.Hour), false},
		{"the clock as it was", at(time.Hour), true},
	}
	firsts := 0
	for _, s := range steps {
		e := event("u")
		s.change(e)
		l.Record(e)
		if s.first {
			firsts++
		}
	}
	closeLog(t, l)
	for i, s := range steps {
		if f.firsts[i] != s.first {
			t.Errorf("%s: first is %v", s.name, f.firsts[i])
		}
	}
	if lines.n != firsts || int(metric(t, reg, "hotpath_exposures_recorded_total")) != firsts {
		t.Errorf("%d records of %d", lines.n, firsts)
	}
}

func TestWithoutAWindowEverythingIsRecorded(t *testing.T) {
	lines := &lineCounter{}
	l, _ := open(t, exposure.Options{Sinks: []exposure.Sink{lines}})
	for range 100 {
		l.Record(event("u"))
	}
	closeLog(t, l)
	if lines.n != 100 {
		t.Errorf("%d records", lines.n)
	}
}

// TestMoreUnitsThanRoom: units beyond the memory are recorded each time, and
// counted; those that are remembered are still recorded once.
func TestMoreUnitsThanRoom(t *testing.T) {
	f := &follower{}
	l, reg := open(t, exposure.Options{Window: time.Hour, Units: 100, Followers: []exposure.Follower{f}})
	ids := units(150)
	for range 2 {
		for _, id := range ids {
			l.Record(event(id))
		}
	}
	closeLog(t, l)
	firsts := 0
	for i, first := range f.firsts[150:] {
		if first != (i >= 100) {
			t.Errorf("unit %d, again: first is %v", i, first)
		}
	}
	for _, first := range f.firsts {
		if first {
			firsts++
		}
	}
	if firsts != 200 || metric(t, reg, "hotpath_exposures_unremembered_total") != 100 {
		t.Errorf("%d firsts, %v unremembered", firsts, metric(t, reg, "hotpath_exposures_unremembered_total"))
	}
}

func TestRepeatedFeedbackCountsOnce(t *testing.T) {
	f, lines := &follower{}, &lineCounter{}
	l, reg := open(t, exposure.Options{Units: 4000, Followers: []exposure.Follower{f}, Sinks: []exposure.Sink{lines}})
	l.Feedback(feedback("u", "a"))
	l.Feedback(feedback("u", "a"))
	l.Feedback(feedback("v", "a")) // the id decides
	click := feedback("u", "a")
	click.Outcome = []byte("click")
	l.Feedback(click)
	l.Feedback(feedback("u", ""))
	l.Feedback(feedback("u", ""))
	// The last 500 are remembered whatever comes, the ones long before are not.
	ids := units(2000)
	for _, id := range ids {
		l.Feedback(feedback("u", id))
	}
	for _, id := range ids[1500:] {
		l.Feedback(feedback("u", id))
	}
	l.Feedback(feedback("u", "a"))
	closeLog(t, l)
	if want := 1 + 1 + 2 + 2000 + 1; len(f.feedbacks) != want || lines.n != want {
		t.Errorf("%d heard, %d recorded, not %d", len(f.feedbacks), lines.n, want)
	}
	if n := metric(t, reg, "hotpath_feedback_repeated_total"); n != 502 {
		t.Errorf("%v repeated", n)
	}
}
