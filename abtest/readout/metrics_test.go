package readout

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
	"hotpath/router"
)

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	cfg := split(purchases, watched("error_rate", func(g *abtest.GuardrailConfig) { g.Max, g.MinRequests = ptr(5.0), 1 }))
	l := newLab(t, Options{Reg: reg}, cfg)
	for i := range 200 {
		l.serve(user(i), func(e *exposure.Event) {
			if e.Assigned == "treatment" {
				failing(e)
			}
		})
	}
	l.report("nobody", "purchase", 1)
	if n := len(l.readout.Guardrails(time.Unix(0, l.at))); n != 1 {
		t.Fatalf("%d trips", n)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	want := `
# HELP hotpath_experiment_guardrail_tripped_total Guardrails that tripped.
# TYPE hotpath_experiment_guardrail_tripped_total counter
hotpath_experiment_guardrail_tripped_total{experiment="checkout",metric="error_rate",variant="treatment"} 1
# HELP hotpath_experiment_feedback_unmatched_total Outcomes that led to no unit.
# TYPE hotpath_experiment_feedback_unmatched_total counter
hotpath_experiment_feedback_unmatched_total{cause="ambiguous_request"} 0
hotpath_experiment_feedback_unmatched_total{cause="bad_value"} 0
hotpath_experiment_feedback_unmatched_total{cause="unknown_experiment"} 0
hotpath_experiment_feedback_unmatched_total{cause="unknown_request"} 0
hotpath_experiment_feedback_unmatched_total{cause="unknown_unit"} 1
# HELP hotpath_experiment_sample_ratio Share of the units that the readout keeps.
# TYPE hotpath_experiment_sample_ratio gauge
hotpath_experiment_sample_ratio{experiment="checkout"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "hotpath_experiment_guardrail_tripped_total",
		"hotpath_experiment_feedback_unmatched_total", "hotpath_experiment_sample_ratio"); err != nil {
		t.Error(err)
	}
	for name, series := range map[string]int{"hotpath_experiment_units": 2, "hotpath_experiment_requests_total": 2, "hotpath_experiment_errors_total": 2,
		"hotpath_experiment_latency_seconds": 2, "hotpath_experiment_srm_p_value": 1} {
		if n, err := testutil.GatherAndCount(reg, name); n != series || err != nil {
			t.Errorf("%s has %d series, want %d: %v", name, n, series, err)
		}
	}
	l.edit(abtest.Config{})
	if n, err := testutil.GatherAndCount(reg); n != 5 || err != nil {
		t.Errorf("%d series are left of an experiment that is gone: %v", n, err)
	}
	if _, err := New(Options{Reg: reg}); err == nil {
		t.Error("two readouts share a registry")
	}
}

func TestErrorsOfTheClient(t *testing.T) {
	for _, c := range router.Codes() {
		if got, want := clientsFault(c.String()), c.Status()/100 == 4; got != want {
			t.Errorf("%s is the client's fault: %v, want %v", c, got, want)
		}
	}
}

// Everything at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	reg := prometheus.NewRegistry()
	cfgs := []abtest.Config{split(purchases, watched("p99_ms", func(g *abtest.GuardrailConfig) { g.MaxRatio = ptr(2.0) })),
		split(func(e *abtest.ExperimentConfig) { e.Salt = "other" }), {}}
	l := newLab(t, Options{Units: 1000, Requests: 100, Reg: reg}, cfgs[0])
	var plans []*abtest.Plan
	for _, cfg := range cfgs {
		plans = append(plans, compile(t, cfg))
	}
	done := make(chan struct{})
	var others sync.WaitGroup
	for _, f := range []func(int){
		func(i int) { l.readout.SetPlan(plans[i%len(plans)]) },
		func(int) { l.readout.Reports() },
		func(i int) { l.readout.Guardrails(time.Unix(0, int64(i))) },
		func(int) {
			if _, err := reg.Gather(); err != nil {
				t.Error(err)
			}
		},
	} {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					f(i)
				}
			}
		})
	}
	for i := range 20_000 {
		l.serve(user(i % 5000))
		l.report(user(i%5000), "revenue", 1)
	}
	close(done)
	others.Wait()
	consistent(t, l.readout)
}

func TestNoAllocations(t *testing.T) {
	cfg := split(purchases, watched("p99_ms", func(g *abtest.GuardrailConfig) { g.MaxRatio = ptr(2.0) }))
	l := newLab(t, Options{}, cfg)
	e := *l.serve("anna", func(e *exposure.Event) { e.Score, e.HasScore = 0.5, true })
	byUnit := exposure.Feedback{At: l.at, Unit: e.Unit, Outcome: []byte("revenue"), Value: 1}
	byRequest := exposure.Feedback{At: l.at, RequestID: e.RequestID, Outcome: []byte("purchase")}
	for what, f := range map[string]func(){
		"an event":            func() { l.readout.Exposed(&e, false) },
		"feedback by unit":    func() { l.readout.Reported(&byUnit) },
		"feedback by request": func() { l.readout.Reported(&byRequest) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

// Scores at the end of what a float64 holds must not keep the report from being JSON,
// which see checks.
func TestScoresThatAreHuge(t *testing.T) {
	l := newLab(t, Options{}, split())
	for i, score := range []float64{math.MaxFloat64, -math.MaxFloat64, 0, 1} {
		l.serve(user(i), func(e *exposure.Event) { e.Score, e.HasScore = score, true })
	}
	var n int64
	for _, v := range l.see().Variants {
		if len(v.Score.Histogram.Counts) != len(v.Score.Histogram.Bounds)+1 {
			t.Errorf("%+v", v.Score.Histogram)
		}
		for _, c := range v.Score.Histogram.Counts {
			n += c
		}
	}
	if n != 4 {
		t.Errorf("%d of 4 scores are in the histograms", n)
	}
}
