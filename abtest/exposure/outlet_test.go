package exposure_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest/exposure"
)

// disk is a sink that a test breaks and mends.
type disk struct {
	broken atomic.Bool
	stall  chan struct{} // non-nil: writes wait until it is closed
	mu     sync.Mutex
	text   bytes.Buffer
	closed bool
}

func (*disk) Name() string { return "disk" }

func (d *disk) Write(batch []byte) error {
	if d.stall != nil {
		<-d.stall
	}
	if d.broken.Load() {
		return errors.New("no space left")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text.Write(batch)
	return nil
}

func (d *disk) Close() error {
	d.closed = true
	return nil
}

func (d *disk) lines() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Split(strings.TrimSuffix(d.text.String(), "\n"), "\n")
}

// TestASinkThatFailsForAWhile: what was recorded meanwhile is written once it works
// again, each line once and in order; the log says so twice, not for every try.
func TestASinkThatFailsForAWhile(t *testing.T) {
	d, f, said := &disk{}, &follower{}, &bytes.Buffer{}
	d.broken.Store(true)
	l, reg := open(t, exposure.Options{Followers: []exposure.Follower{f}, Sinks: []exposure.Sink{d}, Log: slog.New(slog.NewTextHandler(said, nil))})
	ids := units(3000)
	for i, id := range ids {
		l.Record(event(id))
		if i == 1500 {
			eventually(t, "the sink was tried twice", func() bool { return metric(t, reg, "hotpath_exposure_sink_errors_total", "sink", "disk") >= 2 })
			if metric(t, reg, "hotpath_exposure_sink_up") != 0 || metric(t, reg, "hotpath_exposure_sink_waiting_bytes") == 0 {
				t.Error("the sink counts as working")
			}
			d.broken.Store(false)
			eventually(t, "the sink works again", func() bool { return metric(t, reg, "hotpath_exposure_sink_up") == 1 })
		}
	}
	closeLog(t, l)
	lines := d.lines()
	if len(lines) != len(ids) {
		t.Fatalf("%d lines of %d", len(lines), len(ids))
	}
	for i, line := range lines {
		if !strings.Contains(line, `"id":"`+ids[i]+`"`) {
			t.Fatalf("line %d is %s", i, line)
		}
	}
	if n := strings.Count(said.String(), "\n"); n != 2 || !strings.Contains(said.String(), "no space left") || !strings.Contains(said.String(), "works again") {
		t.Errorf("the log says %s", said)
	}
	if !d.closed || metric(t, reg, "hotpath_exposure_sink_lost_total") != 0 || metric(t, reg, "hotpath_exposure_sink_records_total") != 3000 {
		t.Error("the sink was not closed, or the counters are wrong")
	}
}

// TestASinkThatHangs loses what does not fit, counts it, and holds up neither the
// producers, nor the followers, nor the other sink.
func TestASinkThatHangs(t *testing.T) {
	d, f, other := &disk{stall: make(chan struct{})}, &follower{}, &lineCounter{}
	l, reg := open(t, exposure.Options{SinkBytes: 100_000, Followers: []exposure.Follower{f}, Sinks: []exposure.Sink{d, other}})
	start := time.Now()
	const n = 5000
	for i, id := range units(n) {
		if !l.Record(event(id)) {
			t.Fatalf("%s was dropped", id)
		}
		if i%1000 == 999 {
			// So that the other sink has time for its share.
			eventually(t, "the log has caught up", func() bool { return metric(t, reg, "hotpath_exposures_total") == float64(i+1) })
			time.Sleep(300 * time.Millisecond)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	lost := metric(t, reg, "hotpath_exposure_sink_lost_total", "sink", "disk")
	if lost < n/2 || lost >= n {
		t.Errorf("%v records were lost", lost)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Close(ctx); err == nil || !strings.Contains(err.Error(), "sink disk") {
		t.Errorf("Close: %v", err)
	}
	close(d.stall)
	closeLog(t, l)
	if got := len(d.lines()); float64(got)+lost != n {
		t.Errorf("%d stored and %v lost of %d", got, lost, n)
	}
	if elsewhere := metric(t, reg, "hotpath_exposure_sink_lost_total", "sink", "counter"); other.n != n-int(elsewhere) || len(f.events) != n {
		t.Errorf("the other sink has %d and lost %v, the follower heard %d", other.n, elsewhere, len(f.events))
	}
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	d := &disk{}
	d.broken.Store(true)
	l, reg := open(t, exposure.Options{Sinks: []exposure.Sink{d}})
	for _, id := range units(42) {
		l.Record(event(id))
	}
	start := time.Now()
	err := l.Close(soon(t))
	if err == nil || !strings.Contains(err.Error(), "42 records were lost because sink disk failed") {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Close took %s", took)
	}
	if metric(t, reg, "hotpath_exposure_sink_lost_total") != 42 || !d.closed {
		t.Error("they are not counted, or the sink is open")
	}
}

// TestCloseDoesNotWaitForAPause between tries, which grows.
func TestCloseDoesNotWaitForAPause(t *testing.T) {
	d := &disk{}
	d.broken.Store(true)
	l, reg := open(t, exposure.Options{Sinks: []exposure.Sink{d}})
	l.Record(event("u"))
	eventually(t, "the pause is 800 ms long", func() bool { return metric(t, reg, "hotpath_exposure_sink_errors_total") >= 4 })
	d.broken.Store(false)
	start := time.Now()
	closeLog(t, l) // tries once more, now
	if took := time.Since(start); took > 500*time.Millisecond || len(d.lines()) != 1 {
		t.Errorf("Close took %s; there are %d lines", took, len(d.lines()))
	}
}

// TestRecordsDoNotWaitLong: a single one is written though nothing follows it.
func TestRecordsDoNotWaitLong(t *testing.T) {
	d := &disk{}
	l, _ := open(t, exposure.Options{Sinks: []exposure.Sink{d}})
	for _, id := range units(3) {
		start := time.Now()
		l.Record(event(id))
		eventually(t, id+" is written", func() bool { return strings.Contains(d.lines()[len(d.lines())-1], `"`+id+`"`) })
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %s", took)
		}
	}
	closeLog(t, l)
}

// TestFeedbackIsRecordedWithTheUnitOfItsRequest: also of requests that were not the
// first of their unit.
func TestFeedbackIsRecordedWithTheUnitOfItsRequest(t *testing.T) {
	d, f := &disk{}, &follower{}
	l, reg := open(t, exposure.Options{Window: time.Hour, Requests: 1000, Followers: []exposure.Follower{f}, Sinks: []exposure.Sink{d}})
	for _, request := range []string{"first", "second"} {
		e := event("u")
		e.UnitName, e.RequestID = "session", []byte(request)
		l.Record(e)
	}
	for _, id := range []string{"v", "w", "v"} {
		e := event(id)
		e.RequestID = []byte("batch")
		l.Record(e)
	}
	for _, request := range []string{"second", "unheard-of", "batch"} {
		l.Feedback(&exposure.Feedback{At: event("").At, RequestID: []byte(request), Outcome: []byte("click"), Value: 1})
	}
	for _, id := range units(5000) {
		l.Record(event(id))
	}
	l.Feedback(&exposure.Feedback{At: event("").At, RequestID: []byte("second"), Outcome: []byte("late"), Value: 1})
	l.Feedback(&exposure.Feedback{At: event("").At, RequestID: []byte("r-u4999"), Outcome: []byte("click"), Value: 1})
	closeLog(t, l)
	lines := d.lines()
	want := []string{
		`{"schema":1,"type":"feedback","at":"2026-11-26T02:30:00.000000005Z","outcome":"click","value":1,"unit":"session","id":"u","request_id":"second"}`,
		`{"schema":1,"type":"feedback","at":"2026-11-26T02:30:00.000000005Z","outcome":"click","value":1,"request_id":"unheard-of"}`,
		`{"schema":1,"type":"feedback","at":"2026-11-26T02:30:00.000000005Z","outcome":"click","value":1,"request_id":"batch"}`,
		`{"schema":1,"type":"feedback","at":"2026-11-26T02:30:00.000000005Z","outcome":"late","value":1,"request_id":"second"}`,
		`{"schema":1,"type":"feedback","at":"2026-11-26T02:30:00.000000005Z","outcome":"click","value":1,"unit":"user","id":"u4999","request_id":"r-u4999"}`,
	}
	got := append(lines[3:6:6], lines[len(lines)-2:]...)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line is %s\nnot %s", got[i], want[i])
		}
	}
	if n := metric(t, reg, "hotpath_feedback_unjoined_total"); n != 3 {
		t.Errorf("%v unjoined", n)
	}
	if heard := f.feedbacks[0]; len(heard.Unit) != 0 {
		t.Errorf("the follower heard of unit %q", heard.Unit)
	}
}

// TestARequestWhoseUnitIsOverwritten is forgotten, not taken for another one.
func TestARequestWhoseUnitIsOverwritten(t *testing.T) {
	d := &disk{}
	l, _ := open(t, exposure.Options{Window: time.Hour, Requests: 1000, Sinks: []exposure.Sink{d}})
	ids := units(400)
	for _, id := range ids { // of 256 bytes each: there is memory for less than 200
		e := event(id)
		e.Unit = append(e.Unit, strings.Repeat("x", 256-len(id))...)
		l.Record(e)
	}
	for _, id := range ids {
		l.Feedback(&exposure.Feedback{At: event("").At, RequestID: []byte("r-" + id), Outcome: []byte("click"), Value: 1})
	}
	closeLog(t, l)
	joined := 0
	for i, line := range d.lines()[400:] {
		if strings.Contains(line, `"id":"`) {
			joined++
			if !strings.Contains(line, `"id":"`+ids[i]+`xxx`) {
				t.Errorf("request %d: %s", i, line)
			}
		}
	}
	if joined < 150 || joined > 190 {
		t.Errorf("%d are joined", joined)
	}
}
