package readout

import (
	"math"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

const second = int64(time.Second)

func feedback(at int64, edit func(*exposure.Feedback)) *exposure.Feedback {
	f := &exposure.Feedback{At: at, Outcome: []byte("purchase"), Value: 1}
	edit(f)
	return f
}

func TestConversionsCountOncePerUnit(t *testing.T) {
	l := newLab(t, Options{}, split(purchases))
	u := userIn(l, "treatment")
	l.serve(u)
	l.report(u, "purchase", 1)
	l.report(u, "purchase", 1)
	l.report("nobody", "purchase", 1)
	p := l.see()
	v := p.outcome("purchase", "treatment")
	if v.Units != 1 || v.Converted != 1 || *v.Mean != 1 || v.Verdict != TooFew {
		t.Errorf("%+v", v)
	}
	if f := p.Feedback; f.Counted != 1 || f.Repeated != 1 || f.Unmatched.UnknownUnit != 1 {
		t.Errorf("%+v", f)
	}
}

func TestValuesAddUpPerUnit(t *testing.T) {
	l := newLab(t, Options{}, split(purchases))
	var sums [4]float64
	users := make([]string, 0, len(sums))
	for i := 0; len(users) < len(sums); i++ {
		if e := l.serve(user(i)); e.Assigned == "treatment" {
			users = append(users, user(i))
		}
	}
	for i, value := range []float64{10, 5, -2, 7.5, 0, 20} {
		l.report(users[i%3], "revenue", value)
		sums[i%3] += value
	}
	mean := (sums[0] + sums[1] + sums[2]) / 4
	v := l.see().outcome("revenue", "treatment")
	if v.Units != 4 || v.Converted != 3 || math.Abs(*v.Mean-mean) > 1e-12 {
		t.Errorf("%d units, %d converted, mean %v, want 4, 3, %v", v.Units, v.Converted, *v.Mean, mean)
	}
	squares := 0.0
	for _, s := range sums {
		squares += (s - mean) * (s - mean)
	}
	x := l.readout.experiments["checkout"]
	if got := x.arms[x.arm("treatment")].sums(x.metric([]byte("revenue")).slot); math.Abs(got.M2-squares) > 1e-9 {
		t.Errorf("sum of squares %v, want %v", got.M2, squares)
	}
	l.report(users[0], "revenue", math.Inf(1))
	l.report(users[0], "revenue", 1e200)
	if p := l.see(); p.Feedback.Unmatched.BadValue != 2 {
		t.Errorf("%+v", p.Feedback)
	}
}

func TestTimeOfOutcomes(t *testing.T) {
	l := newLab(t, Options{}, split(func(e *abtest.ExperimentConfig) {
		e.Metrics = []abtest.MetricConfig{{Name: "purchase", Within: "1h"}}
	}))
	exposed := map[string]int64{}
	at := func(u string, after int64) *exposure.Feedback {
		if exposed[u] == 0 {
			l.serve(u)
			exposed[u] = l.at
		}
		return feedback(exposed[u]+after, func(f *exposure.Feedback) { f.Unit = []byte(u) })
	}
	l.at = l.at/second*second + 300_000_000 // mid-second
	l.readout.Reported(at("early", -1))
	whole := at("whole", 0)
	whole.At = whole.At / second * second
	l.readout.Reported(whole)
	before := at("before", 0)
	before.At = before.At/second*second - second
	l.readout.Reported(before)
	l.readout.Reported(at("in time", 3600*second))
	l.readout.Reported(at("late", 3600*second+1))
	f := l.see().Feedback
	if f.Counted != 2 || f.BeforeExposure != 2 || f.OutsideWindow != 1 {
		t.Errorf("%+v", f)
	}
	// What names the request came after it, whatever the clocks say.
	e := l.serve("other")
	l.readout.Reported(feedback(e.At-second, func(f *exposure.Feedback) { f.RequestID = e.RequestID }))
	if f := l.see().Feedback; f.Counted != 3 {
		t.Errorf("%+v", f)
	}
}

func TestFeedbackByRequest(t *testing.T) {
	l := newLab(t, Options{Requests: 64}, split(purchases))
	e := l.serve("anna")
	counted := func() int64 { return l.see().Feedback.Counted }
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.RequestID = e.RequestID }))
	if counted() != 1 {
		t.Fatal("an outcome that names the request is not joined")
	}
	for i := range 2000 {
		l.serve(user(i))
	}
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.RequestID, f.Outcome = e.RequestID, []byte("revenue") }))
	if p := l.see(); p.Feedback.Counted != 1 || p.Feedback.Unmatched.UnknownRequest != 1 {
		t.Errorf("a request that left: %+v", p.Feedback)
	}
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) {
		f.RequestID, f.Unit, f.Outcome = e.RequestID, []byte("anna"), []byte("revenue")
	}))
	if counted() != 2 {
		t.Error("the unit does not help where the request has left")
	}
}

// A batch has one request id for several units.
func TestFeedbackOnABatch(t *testing.T) {
	l := newLab(t, Options{}, split(purchases))
	for i := range 3 {
		l.serve(user(i), func(e *exposure.Event) { e.RequestID = []byte("batch") })
	}
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.RequestID = []byte("batch") }))
	if p := l.see(); p.Feedback.Counted != 0 || p.Feedback.Unmatched.AmbiguousRequest != 1 {
		t.Errorf("%+v", p.Feedback)
	}
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.RequestID, f.Unit = []byte("batch"), []byte(user(1)) }))
	if p := l.see(); p.Feedback.Counted != 1 || p.Feedback.Unmatched.AmbiguousRequest != 1 {
		t.Errorf("%+v", p.Feedback)
	}
	// The same unit twice is no reason to doubt.
	for range 2 {
		l.serve("anna", func(e *exposure.Event) { e.RequestID = []byte("twice") })
	}
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.RequestID = []byte("twice") }))
	if p := l.see(); p.Feedback.Counted != 2 {
		t.Errorf("%+v", p.Feedback)
	}
}

// two experiments about two models, one of which asks for no outcome.
func TestFeedbackOnSeveralExperiments(t *testing.T) {
	cfg := split(purchases)
	other := split(func(e *abtest.ExperimentConfig) { e.Name, e.Model = "search", "rank" }).Experiments[0]
	cfg.Experiments = append(cfg.Experiments, other)
	l := newLab(t, Options{}, cfg)
	e := *l.serve("anna")
	e.Experiment, e.Assigned, e.Served = "search", "control", "control"
	l.readout.Exposed(&e, true)
	unknown := func(name string) int64 {
		p, _ := l.readout.Report(name)
		return p.Feedback.NoMetric
	}
	l.report("anna", "purchase", 1)
	if l.see().Feedback.Counted != 1 || unknown("search") != 0 {
		t.Error("an outcome that another experiment asks for is held against this one")
	}
	l.report("anna", "click", 1)
	if unknown("checkout") != 1 || unknown("search") != 1 {
		t.Error("an outcome that nobody asks for is not noted")
	}
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.Unit, f.Experiment = []byte("anna"), []byte("search") }))
	if p, _ := l.readout.Report("search"); p.Feedback.NoMetric != 2 || !strings.Contains(strings.Join(p.Notes, "\n"), `"click"`) {
		t.Errorf("%+v %q", p.Feedback, p.Notes)
	}
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.Unit, f.Experiment = []byte("anna"), []byte("none") }))
	l.readout.Reported(feedback(l.at, func(f *exposure.Feedback) { f.UnitName, f.Unit = []byte("session"), []byte("anna") }))
	if u := l.see().Feedback.Unmatched; u.UnknownExperiment != 1 || u.UnknownUnit != 1 {
		t.Errorf("%+v", u)
	}
	for i := range 20 {
		l.report("anna", user(i), 1)
	}
	if n := len(l.readout.experiments["checkout"].unknownOutcomes); n != maxOutcomeNames {
		t.Errorf("%d names of outcomes are kept", n)
	}
}

func TestMetricsChangeUnderway(t *testing.T) {
	metrics := func(m ...abtest.MetricConfig) abtest.Config {
		return split(func(e *abtest.ExperimentConfig) { e.Metrics = m })
	}
	value := abtest.MetricConfig{Name: "revenue", Kind: "value"}
	l := newLab(t, Options{}, metrics(value, abtest.MetricConfig{Name: "purchase"}))
	u := userIn(l, "control")
	l.serve(u)
	l.report(u, "revenue", 5)
	l.report(u, "purchase", 1)
	// One goes, one stays, one comes and takes the free place.
	l.edit(metrics(abtest.MetricConfig{Name: "purchase"}, abtest.MetricConfig{Name: "click", Kind: "value"}))
	l.serve(u)
	p := l.see()
	if got := p.outcome("click", "control"); got.Converted != 0 || got.Units != 1 || p.outcome("purchase", "control").Converted != 1 {
		t.Errorf("%+v", p.Metrics)
	}
	if p.Metrics[1].Since.IsZero() || !p.Metrics[0].Since.IsZero() {
		t.Errorf("since %v and %v", p.Metrics[0].Since, p.Metrics[1].Since)
	}
	l.report(u, "click", 2)
	l.edit(metrics(abtest.MetricConfig{Name: "click", Kind: "value"}, abtest.MetricConfig{Name: "purchase", Within: "1h"}, value))
	p = l.see()
	if *p.outcome("click", "control").Mean != 2 || p.outcome("purchase", "control").Converted != 0 || p.outcome("revenue", "control").Converted != 0 {
		t.Errorf("%+v", p.Metrics)
	}
	x := l.readout.experiments["checkout"]
	if x.entries != 2 || l.readout.units.freed != l.readout.units.sums.n-1 {
		t.Errorf("%d entries, %d sums of which %d are free", x.entries, l.readout.units.sums.n, l.readout.units.freed)
	}
}
