package exposure_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event is a usual one of a test.
func event(unit string) *exposure.Event {
	return &exposure.Event{At: time.Date(2026, 11, 26, 2, 30, 0, 5, time.UTC).UnixNano(), RequestID: []byte("r-" + unit), Unit: []byte(unit), UnitName: "user",
		Experiment: "ranker-test", Assigned: "treatment", Served: "treatment", Reason: abtest.ReasonSplit, Bucket: 4711,
		Model: "ranker", Version: 3, Plan: abtest.Digest{1, 2, 3}, Generation: 7, Via: exposure.Predict, Code: "ok",
		LatencyNS: 412345, Score: 0.8125, HasScore: true}
}

// feedback is a usual one of a test.
func feedback(unit, id string) *exposure.Feedback {
	return &exposure.Feedback{At: event("").At, ID: []byte(id), UnitName: []byte("user"), Unit: []byte(unit), Outcome: []byte("purchase"), Value: 12.5}
}

// follower keeps what it hears.
type follower struct {
	mu        sync.Mutex
	units     []string
	firsts    []bool
	events    []exposure.Event
	feedbacks []exposure.Feedback
	stall     chan struct{} // non-nil: each call waits until it is closed
}

func (f *follower) Exposed(e *exposure.Event, first bool) {
	if f.stall != nil {
		<-f.stall
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.units, f.firsts = append(f.units, string(e.Unit)), append(f.firsts, first)
	kept := *e
	kept.Unit, kept.RequestID, kept.Degraded = slices.Clone(e.Unit), slices.Clone(e.RequestID), slices.Clone(e.Degraded)
	f.events = append(f.events, kept)
}

func (f *follower) Reported(r *exposure.Feedback) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := *r
	for _, t := range []*[]byte{&kept.ID, &kept.RequestID, &kept.UnitName, &kept.Unit, &kept.Experiment, &kept.Outcome} {
		*t = slices.Clone(*t)
	}
	f.feedbacks = append(f.feedbacks, kept)
}

// open starts a log that the test closes, if it has not done so itself.
func open(t testing.TB, o exposure.Options) (*exposure.Log, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	l, err := exposure.Open(o, reg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(soon(t)) })
	return l, reg
}

// soon is a context that no test exceeds.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func closeLog(t testing.TB, l *exposure.Log) {
	t.Helper()
	if err := l.Close(soon(t)); err != nil {
		t.Fatal(err)
	}
}

// metric is the sum of a metric's series that have the label values, given in
// pairs.
func metric(t testing.TB, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		for _, m := range f.GetMetric() {
			fits := f.GetName() == name
			for i := 0; i < len(labels); i += 2 {
				has := false
				for _, l := range m.GetLabel() {
					has = has || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				}
				fits = fits && has
			}
			if fits {
				sum, found = sum+m.GetCounter().GetValue()+m.GetGauge().GetValue(), true
			}
		}
	}
	if !found {
		t.Fatalf("there is no metric %s %v", name, labels)
	}
	return sum
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// units are ids of a test.
func units(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = "u" + strconv.Itoa(i)
	}
	return ids
}
