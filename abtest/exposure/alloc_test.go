package exposure_test

import (
	"testing"
	"time"

	"hotpath/abtest/exposure"
)

// TestNothingIsAllocated once the log is warm: neither by Record and Feedback nor by
// the goroutines behind them.
func TestNothingIsAllocated(t *testing.T) {
	if raceDetector {
		return
	}
	l, reg := open(t, exposure.Options{Queue: 64, Window: time.Hour, Followers: []exposure.Follower{ignore{}}, Sinks: []exposure.Sink{discard{}}})
	e, f := event("user-0123456789"), feedback("user-0123456789", "")
	e.Degraded = []string{"features"}
	f.RequestID = e.RequestID
	n := uint32(0)
	round := func() {
		for range 8 {
			n++
			for i := range 4 {
				e.Unit[i] = 'a' + byte(n>>(4*i)&15) // another unit, which is recorded
			}
			for !l.Record(e) || !l.Feedback(f) {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
	for range 100 {
		round()
	}
	if got := testing.AllocsPerRun(300, round); got != 0 {
		t.Errorf("%v allocations for 16 events", got)
	}
	if metric(t, reg, "hotpath_exposures_recorded_total") < 1000 || metric(t, reg, "hotpath_feedback_total") < 1000 {
		t.Error("little was recorded")
	}
	dst := make([]byte, 0, 4096)
	if got := testing.AllocsPerRun(100, func() { dst = exposure.AppendFeedback(exposure.AppendExposure(dst[:0], e), f) }); got != 0 {
		t.Errorf("%v allocations for two lines", got)
	}
}
