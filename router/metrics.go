package router

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
)

// Metrics are the pipeline's counters. Every child is resolved in advance, so
// that a request adds to atomics and looks nothing up; the label values are
// bounded by the configuration.
type Metrics struct {
	stages      [NumStages]prometheus.Observer
	predictions *prometheus.CounterVec
	degraded    *prometheus.CounterVec
	nonfinite   *prometheus.CounterVec
	assignments *prometheus.CounterVec
	shadowRuns  *prometheus.CounterVec
	shadowDiff  *prometheus.HistogramVec

	// arms keeps one ArmMetrics per experiment and variant, however many
	// snapshots name them.
	arms sync.Map
}

// stageBuckets start lower: a stage can take a microsecond.
var stageBuckets = []float64{.000001, .000005, .00001, .00002, .00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5}

// NewMetrics registers the pipeline's metrics.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	stages := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotpath_stage_duration_seconds",
		Help: "Time spent in each stage of a prediction.", Buckets: stageBuckets}, []string{"stage"})
	m := &Metrics{
		predictions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_predictions_total",
			Help: "Predictions by the model version asked to answer and how it went."}, []string{"model", "version", "code"}),
		degraded: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_degraded_total",
			Help: "Answers that needed a fallback, by fallback."}, []string{"model", "version", "fallback"}),
		nonfinite: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_nonfinite_outputs_total",
			Help: "Scores withheld because the model answered NaN or an infinity."}, []string{"model", "version"}),
		assignments: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_assignments_total",
			Help: "Assignments to variants, by the reason for them."}, []string{"experiment", "variant", "reason"}),
		shadowRuns: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_shadow_total",
			Help: "Requests offered to shadow variants, by what became of them."}, []string{"experiment", "variant", "result"}),
		shadowDiff: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotpath_shadow_prediction_difference",
			Help:    "Absolute difference between a shadow's prediction and the served one.",
			Buckets: []float64{0, .001, .005, .01, .05, .1, .25, .5, 1, 10}}, []string{"experiment", "variant"}),
	}
	for s := range NumStages {
		m.stages[s] = stages.WithLabelValues(s.String())
	}
	for _, c := range []prometheus.Collector{stages, m.predictions, m.degraded, m.nonfinite, m.assignments, m.shadowRuns, m.shadowDiff} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// LaneMetrics are the counters of one model version.
type LaneMetrics struct {
	stages    *[NumStages]prometheus.Observer
	byCode    [numCodes]prometheus.Counter
	degraded  [numDegraded]prometheus.Counter
	nonfinite prometheus.Counter
	requests  *requestCounters
}

// Lane makes the counters of a model version.
func (m *Metrics) Lane(model string, version int) *LaneMetrics {
	v := strconv.Itoa(version)
	l := &LaneMetrics{stages: &m.stages, nonfinite: m.nonfinite.WithLabelValues(model, v), requests: new(requestCounters)}
	for _, c := range Codes() {
		l.byCode[c] = m.predictions.WithLabelValues(model, v, c.String())
	}
	for i, name := range degradedNames {
		l.degraded[i] = m.degraded.WithLabelValues(model, v, name)
	}
	return l
}

// Forget drops the counters of a model version that is gone.
func (m *Metrics) Forget(model string, version int) {
	labels := prometheus.Labels{"model": model, "version": strconv.Itoa(version)}
	m.predictions.DeletePartialMatch(labels)
	m.degraded.DeletePartialMatch(labels)
	m.nonfinite.DeletePartialMatch(labels)
}

// observe counts a request that began at start.
func (l *LaneMetrics) observe(x *Exchange, err *Error, start time.Time) {
	l.stages[StageAssign].Observe(x.Stages[StageAssign].Seconds())
	if err != nil {
		l.byCode[err.Code].Inc()
		l.requests.fail(time.Since(start))
		return
	}
	l.byCode[OK].Inc()
	if x.Degraded&DegradedStatic == 0 {
		l.requests.answer(start, &x.Stages)
	} else {
		l.requests.fail(time.Since(start))
	}
	for s := StageFeatures; s <= StageRun; s++ {
		l.stages[s].Observe(x.Stages[s].Seconds())
	}
	if x.Degraded == 0 {
		return
	}
	for i := range l.degraded {
		if x.Degraded&(1<<i) != 0 {
			l.degraded[i].Inc()
		}
	}
}

// ObserveCodec records what the codec spent on decoding and encoding.
func (m *Metrics) ObserveCodec(x *Exchange) {
	m.stages[StageDecode].Observe(x.Stages[StageDecode].Seconds())
	m.stages[StageEncode].Observe(x.Stages[StageEncode].Seconds())
}

// ArmMetrics are the counters of one variant: assignments of one that answers,
// runs of a shadow. There can be thousands of variants, so that neither gets the
// other's series.
type ArmMetrics struct {
	byReason [abtest.ReasonForced + 1]prometheus.Counter // nil for reasons that assign no variant
	shadows  [numShadowResults]prometheus.Counter
	diff     prometheus.Observer
}

type shadowResult uint8

const (
	shadowScored shadowResult = iota
	shadowFailed
	shadowRefused // by the breaker
	shadowDropped // the queue was full
	shadowExpired
	shadowPanicked
	numShadowResults
)

var shadowResults = [numShadowResults]string{"scored", "failed", "breaker_open", "dropped", "expired", "panicked"}

// armKey names the counters of a variant.
type armKey struct {
	experiment, variant string
	shadow              bool
}

// arm finds or makes the counters of a variant.
func (m *Metrics) arm(key armKey) *ArmMetrics {
	if a, ok := m.arms.Load(key); ok {
		return a.(*ArmMetrics)
	}
	a := &ArmMetrics{}
	if key.shadow {
		a.diff = m.shadowDiff.WithLabelValues(key.experiment, key.variant)
		for i, result := range shadowResults {
			a.shadows[i] = m.shadowRuns.WithLabelValues(key.experiment, key.variant, result)
		}
	} else {
		for _, r := range abtest.Reasons() {
			if r.Assigns() {
				a.byReason[r] = m.assignments.WithLabelValues(key.experiment, key.variant, r.String())
			}
		}
	}
	got, _ := m.arms.LoadOrStore(key, a)
	return got.(*ArmMetrics)
}

// keepArms drops the series of the variants that a plan no longer has, so that
// their number follows the experiments file and not its history. Requests that
// are still on an older snapshot go on counting into nowhere.
func (m *Metrics) keepArms(plan *abtest.Plan) {
	m.arms.Range(func(k, _ any) bool {
		key := k.(armKey)
		if e := plan.Experiment(key.experiment); e != nil {
			if v := e.Variant(key.variant); v != nil && v.Shadow() == key.shadow {
				return true
			}
		}
		m.arms.Delete(key)
		m.dropArm(key)
		return true
	})
}

// dropArm deletes the series of a variant's role: a shadow that was promoted has
// others now. Each is named in full, since a partial match looks at all there are.
func (m *Metrics) dropArm(key armKey) {
	if key.shadow {
		m.shadowDiff.DeleteLabelValues(key.experiment, key.variant)
		for _, result := range shadowResults {
			m.shadowRuns.DeleteLabelValues(key.experiment, key.variant, result)
		}
		return
	}
	for _, r := range abtest.Reasons() {
		if r.Assigns() {
			m.assignments.DeleteLabelValues(key.experiment, key.variant, r.String())
		}
	}
}

func (a *ArmMetrics) assigned(r abtest.Reason)    { a.byReason[r].Inc() }
func (a *ArmMetrics) shadow(r shadowResult)       { a.shadows[r].Inc() }
func (a *ArmMetrics) difference(absolute float64) { a.diff.Observe(absolute) }
