package readout

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ptr[T any](v T) *T { return &v }

// lab serves units of a plan and tells a readout of it, at a clock of its own.
type lab struct {
	testing.TB
	readout *Readout
	plan    *abtest.Plan
	at      int64
	serial  int
	random  *rand.Rand
	// lost says whether an event gets lost on its way.
	lost func(*exposure.Event) bool
}

// split is an experiment of two variants, control and treatment, of equal weight.
func split(edits ...func(*abtest.ExperimentConfig)) abtest.Config {
	e := abtest.ExperimentConfig{Name: "checkout", Model: "risk", Variants: []abtest.VariantConfig{
		{Name: "control", Weight: ptr(50.0)}, {Name: "treatment", Weight: ptr(50.0), Version: 2}}}
	for _, edit := range edits {
		edit(&e)
	}
	return abtest.Config{Experiments: []abtest.ExperimentConfig{e}}
}

// purchases adds a conversion and a value.
func purchases(e *abtest.ExperimentConfig) {
	e.Metrics = []abtest.MetricConfig{{Name: "purchase"}, {Name: "revenue", Kind: "value"}}
}

// guarded adds a guardrail.
func guarded(g abtest.GuardrailConfig) func(*abtest.ExperimentConfig) {
	return func(e *abtest.ExperimentConfig) { e.Guardrails = append(e.Guardrails, g) }
}

func compile(t testing.TB, cfg abtest.Config) *abtest.Plan {
	t.Helper()
	p, err := abtest.Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newReadout(t testing.TB, o Options) *Readout {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newLab(t testing.TB, o Options, cfg abtest.Config) *lab {
	l := &lab{TB: t, readout: newReadout(t, o), at: int64(1_700_000_000) * int64(time.Second), random: rand.New(rand.NewPCG(1, 2))}
	l.edit(cfg)
	return l
}

// edit puts a plan into service.
func (l *lab) edit(cfg abtest.Config) {
	l.Helper()
	l.plan = compile(l, cfg)
	l.readout.SetPlan(l.plan)
}

// event is the answer to a request of a user about model risk, a millisecond after
// the one before.
func (l *lab) event(user string) exposure.Event {
	l.at += int64(time.Millisecond)
	l.serial++
	a := l.plan.Assign("risk", &abtest.Request{User: []byte(user), Now: l.at / int64(time.Second)})
	e := exposure.Event{At: l.at, RequestID: []byte("r" + strconv.Itoa(l.serial)), Unit: []byte(user), UnitName: "user", Reason: a.Reason,
		Bucket: a.Bucket, Model: "risk", Plan: l.plan.Digest(), Code: "ok", LatencyNS: int64(2 * time.Millisecond)}
	if a.Variant != nil {
		e.Experiment, e.Assigned, e.Served, e.Version = a.Experiment.Name(), a.Variant.Name(), a.Variant.Name(), a.Variant.Version()
	}
	return e
}

// serve answers a request of a user and returns the event, as edited.
func (l *lab) serve(user string, edits ...func(*exposure.Event)) *exposure.Event {
	e := l.event(user)
	for _, edit := range edits {
		edit(&e)
	}
	if e.Assigned != "" && (l.lost == nil || !l.lost(&e)) {
		l.readout.Exposed(&e, true)
	}
	return &e
}

// failing is an edit by which the answer is an error.
func failing(e *exposure.Event) { e.Code, e.Served = "internal", "" }

// report reports an outcome of a unit.
func (l *lab) report(user, outcome string, value float64) {
	l.at += int64(time.Millisecond)
	l.readout.Reported(&exposure.Feedback{At: l.at, Unit: []byte(user), Outcome: []byte(outcome), Value: value})
}

// see is the experiment's report. It has to be JSON.
func (l *lab) see() *Report {
	l.Helper()
	p, ok := l.readout.Report("checkout")
	if !ok {
		l.Fatal("there is no report of checkout")
	}
	if _, err := json.Marshal(p); err != nil {
		l.Fatalf("%v\n%+v", err, p)
	}
	return p
}

func (p *Report) variant(name string) *VariantReport {
	for i := range p.Variants {
		if p.Variants[i].Name == name {
			return &p.Variants[i]
		}
	}
	return nil
}

func (p *Report) outcome(metric, variant string) *MetricVariantReport {
	for i := range p.Metrics {
		for j := range p.Metrics[i].Variants {
			if v := &p.Metrics[i].Variants[j]; p.Metrics[i].Name == metric && v.Name == variant {
				return v
			}
		}
	}
	return nil
}

func user(i int) string { return "user-" + strconv.Itoa(i) }
