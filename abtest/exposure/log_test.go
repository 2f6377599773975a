package exposure_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest/exposure"
)

func TestFollowersHearCopiesInOrder(t *testing.T) {
	f := &follower{}
	l, _ := open(t, exposure.Options{Followers: []exposure.Follower{f}})
	e := event("")
	degraded := []string{"features", "static_answer"}
	ids := units(1000)
	for _, id := range ids {
		e.Unit, e.RequestID, e.Degraded = append(e.Unit[:0], id...), append(e.RequestID[:0], "r-"+id...), degraded
		degraded[0] = "features"
		if !l.Record(e) {
			t.Fatalf("%s was dropped", id)
		}
		for _, b := range [][]byte{e.Unit, e.RequestID} {
			clear(b)
		}
		degraded[0] = "overwritten"
	}
	r := feedback("u1", "f1")
	r.Experiment, r.RequestID = []byte("ranker-test"), []byte("r-u1")
	if !l.Feedback(r) {
		t.Fatal("the feedback was dropped")
	}
	clear(r.Unit)
	closeLog(t, l)

	for i, id := range ids {
		got := f.events[i]
		if string(got.Unit) != id || string(got.RequestID) != "r-"+id || got.Degraded[0] != "features" || got.Degraded[1] != "static_answer" {
			t.Fatalf("event %d is of unit %q, request %q, degraded %q", i, got.Unit, got.RequestID, got.Degraded)
		}
		if got.Experiment != e.Experiment || got.Bucket != e.Bucket || got.Plan != e.Plan || got.LatencyNS != e.LatencyNS || got.Score != e.Score {
			t.Fatalf("event %d is %+v", i, got)
		}
	}
	if len(f.feedbacks) != 1 {
		t.Fatalf("%d feedbacks", len(f.feedbacks))
	}
	g := f.feedbacks[0]
	for i, c := range []struct{ got, want string }{{string(g.ID), "f1"}, {string(g.RequestID), "r-u1"}, {string(g.UnitName), "user"}, {string(g.Unit), "u1"},
		{string(g.Experiment), "ranker-test"}, {string(g.Outcome), "purchase"}} {
		if c.got != c.want {
			t.Errorf("text %d is %q, not %q", i, c.got, c.want)
		}
	}
	if g.Value != 12.5 || g.At != r.At {
		t.Errorf("value %v at %d", g.Value, g.At)
	}
}

// tally checks events whose unit is their producer and number.
type tally struct {
	t     *testing.T
	next  []uint64
	heard int
}

func (c *tally) Exposed(e *exposure.Event, first bool) {
	producer, n := e.Unit[0], binary.BigEndian.Uint64(e.Unit[1:])
	if n < c.next[producer] {
		c.t.Errorf("event %d of producer %d came after %d", n, producer, c.next[producer]-1)
	}
	if !first {
		c.t.Errorf("event %d of producer %d is not first", n, producer)
	}
	c.next[producer] = n + 1
	c.heard++
}

func (c *tally) Reported(*exposure.Feedback) {}

// TestAMillionEvents offers more than the log can take, from four producers: each
// event is either dropped and counted, or heard and recorded.
func TestAMillionEvents(t *testing.T) {
	const producers = 4
	each := 250_000
	if raceDetector {
		each = 10_000
	}
	c, lines := &tally{t: t, next: make([]uint64, producers)}, &lineCounter{}
	l, reg := open(t, exposure.Options{Window: time.Hour, Units: 1 << 21, SinkBytes: 1 << 29, Followers: []exposure.Follower{c}, Sinks: []exposure.Sink{lines}})
	var taken atomic.Int64
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			e := event("")
			for n := range uint64(each) {
				e.Unit = binary.BigEndian.AppendUint64(append(e.Unit[:0], byte(p)), n)
				if l.Record(e) {
					taken.Add(1)
				} else if n%16 == 0 {
					time.Sleep(time.Millisecond) // or nearly everything would be dropped
				}
			}
		})
	}
	all.Wait()
	closeLog(t, l)
	accepted := int(taken.Load())
	dropped := int(metric(t, reg, "hotpath_exposures_dropped_total"))
	if accepted+dropped != producers*each || c.heard != accepted || lines.n != accepted {
		t.Errorf("%d accepted, %d dropped of %d; %d heard, %d recorded", accepted, dropped, producers*each, c.heard, lines.n)
	}
	if n := metric(t, reg, "hotpath_exposures_total"); int(n) != accepted {
		t.Errorf("%v are counted as taken", n)
	}
	if accepted < producers*each/20 {
		t.Errorf("only %d were accepted", accepted)
	}
	t.Logf("%d accepted, %d dropped", accepted, dropped)
}

// lineCounter is a sink that counts.
type lineCounter struct{ n int }

func (*lineCounter) Name() string { return "counter" }
func (c *lineCounter) Write(batch []byte) error {
	c.n += strings.Count(string(batch), "\n")
	return nil
}
func (*lineCounter) Close() error { return nil }

func TestAFullQueueDropsTheNewest(t *testing.T) {
	f := &follower{stall: make(chan struct{})}
	l, reg := open(t, exposure.Options{Queue: 8, Followers: []exposure.Follower{f}})
	ids := units(20)
	for i, id := range ids {
		if got := l.Record(event(id)); got != (i < 8) {
			t.Errorf("event %d: taken is %v", i, got)
		}
	}
	if l.Feedback(feedback("u", "f")) {
		t.Error("a feedback found room")
	}
	close(f.stall)
	eventually(t, "there is room again", func() bool { return l.Record(event("late")) })
	closeLog(t, l)
	if got, want := strings.Join(f.units, " "), strings.Join(ids[:8], " ")+" late"; got != want {
		t.Errorf("heard %s, not %s", got, want)
	}
	if n := metric(t, reg, "hotpath_exposures_dropped_total", "reason", "queue_full"); n < 12 {
		t.Errorf("%v drops of exposures", n)
	}
	if n := metric(t, reg, "hotpath_feedback_dropped_total", "reason", "queue_full"); n != 1 {
		t.Errorf("%v drops of feedback", n)
	}
}

func TestRefusals(t *testing.T) {
	f := &follower{}
	l, reg := open(t, exposure.Options{Followers: []exposure.Follower{f}})
	long := strings.Repeat("x", 257)
	if !l.Record(event(long[:254])) { // whose request id is 2 bytes longer
		t.Error("256 bytes are too long")
	}
	if l.Record(event(long)) {
		t.Error("a long unit was taken")
	}
	e := event("u")
	e.RequestID = []byte(long)
	if l.Record(e) {
		t.Error("a long request id was taken")
	}
	for name, change := range map[string]func(*exposure.Feedback){
		"id":         func(r *exposure.Feedback) { r.ID = []byte(long) },
		"unit":       func(r *exposure.Feedback) { r.Unit = []byte(long) },
		"request":    func(r *exposure.Feedback) { r.RequestID = []byte(long) },
		"unit name":  func(r *exposure.Feedback) { r.UnitName = []byte(long[:129]) },
		"experiment": func(r *exposure.Feedback) { r.Experiment = []byte(long[:129]) },
		"outcome":    func(r *exposure.Feedback) { r.Outcome = []byte(long[:129]) },
		"NaN":        func(r *exposure.Feedback) { r.Value = math.NaN() },
		"infinity":   func(r *exposure.Feedback) { r.Value = math.Inf(-1) },
	} {
		r := feedback("u", "f")
		change(r)
		if l.Feedback(r) {
			t.Errorf("feedback with a wrong %s was taken", name)
		}
	}
	closeLog(t, l)
	if l.Record(event("u")) || l.Feedback(feedback("u", "f")) {
		t.Error("a closed log takes events")
	}
	for _, c := range []struct {
		metric, reason string
		want           float64
	}{
		{"hotpath_exposures_dropped_total", "too_long", 2}, {"hotpath_exposures_dropped_total", "closed", 1},
		{"hotpath_feedback_dropped_total", "too_long", 6}, {"hotpath_feedback_dropped_total", "not_finite", 2}, {"hotpath_feedback_dropped_total", "closed", 1},
	} {
		if got := metric(t, reg, c.metric, "reason", c.reason); got != c.want {
			t.Errorf("%s for %s is %v, not %v", c.metric, c.reason, got, c.want)
		}
	}
	if len(f.events) != 1 || len(f.feedbacks) != 0 {
		t.Errorf("%d events, %d feedbacks were heard", len(f.events), len(f.feedbacks))
	}
}

// TestCloseWhileProducersRecord: what Record said it took is heard, however late.
func TestCloseWhileProducersRecord(t *testing.T) {
	for range 20 {
		f := &follower{}
		l, _ := open(t, exposure.Options{Queue: 1024, Followers: []exposure.Follower{f}})
		var taken atomic.Int64
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				e := event("u")
				for range 500 {
					if l.Record(e) {
						taken.Add(1)
					}
				}
			})
		}
		closeLog(t, l)
		all.Wait()
		closeLog(t, l) // does nothing more
		if got := int64(len(f.events)); got != taken.Load() {
			t.Fatalf("%d heard of %d taken", got, taken.Load())
		}
	}
}

func TestCloseGivesUpInTime(t *testing.T) {
	f := &follower{stall: make(chan struct{})}
	l, _ := open(t, exposure.Options{Followers: []exposure.Follower{f}})
	for _, id := range units(3) {
		l.Record(event(id))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 events") {
		t.Errorf("Close: %v", err)
	}
	close(f.stall)
	closeLog(t, l)
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	_, err := exposure.Open(exposure.Options{Queue: -1, Units: 1 << 30, Requests: -2, SinkBytes: -3, Window: time.Millisecond,
		Sinks: []exposure.Sink{discard{}, discard{}}}, prometheus.NewRegistry())
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"Queue is -1", "Units is 1073741824", "Requests is -2", "SinkBytes is -3", "Window is 1ms", `two sinks are named "discard"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	reg := prometheus.NewRegistry()
	open1, err := exposure.Open(exposure.Options{}, reg)
	if err != nil {
		t.Fatal(err)
	}
	defer open1.Close(soon(t))
	if _, err := exposure.Open(exposure.Options{}, reg); err == nil {
		t.Error("two logs share their metrics")
	}
}
