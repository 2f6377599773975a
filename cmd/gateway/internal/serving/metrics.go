package serving

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/router"
)

// Metrics are those of the model versions: what their runs cost.
type Metrics struct {
	batchSize   *prometheus.HistogramVec
	runDuration *prometheus.HistogramVec
	runErrors   *prometheus.CounterVec
	retired     prometheus.Counter

	// lanes counts the lanes that report under one model and version, which are
	// two while a version is reloaded; the last one to go takes the series along,
	// so that their number follows what is loaded.
	mu    sync.Mutex
	lanes map[versionKey]int
}

type versionKey struct {
	model   string
	version int
}

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	labels := []string{"model", "version"}
	m := &Metrics{lanes: map[versionKey]int{},
		batchSize: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotpath_batch_size",
			Help: "Rows in each run of a model.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}}, labels),
		runDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotpath_run_duration_seconds",
			Help: "Time of each run of a model.", Buckets: []float64{.000005, .00001, .00002, .00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .25, 1}}, labels),
		runErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_run_errors_total",
			Help: "Runs of a model that failed or were stopped at their time limit."}, labels),
		retired: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_model_versions_retired_total",
			Help: "Model versions whose memory was freed after their last request."}),
	}
	for _, c := range []prometheus.Collector{m.batchSize, m.runDuration, m.runErrors, m.retired} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// versionMetrics are one version's, resolved once.
type versionMetrics struct {
	batchSize, runDuration prometheus.Observer
	runErrors              prometheus.Counter
	runs                   *runCounters
}

// version makes the series of a lane, the router's too, and counts the lane. All
// under the lock: a version that is loaded again while its last lane is
// forgotten must not lose what it has just resolved.
func (m *Metrics) version(model string, version int, r *router.Metrics) (*versionMetrics, *router.LaneMetrics) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lanes[versionKey{model, version}]++
	v := strconv.Itoa(version)
	return &versionMetrics{m.batchSize.WithLabelValues(model, v), m.runDuration.WithLabelValues(model, v), m.runErrors.WithLabelValues(model, v), new(runCounters)},
		r.Lane(model, version)
}

// observe is the batcher's hook, called by its workers after every run.
func (v *versionMetrics) observe(rows int, run time.Duration, err error) {
	v.batchSize.Observe(float64(rows))
	v.runDuration.Observe(run.Seconds())
	if err != nil {
		v.runErrors.Inc()
		return
	}
	v.runs.add(rows, run)
}

// forget drops a lane's hold on its series; those of the last one go.
func (m *Metrics) forget(model string, version int, r *router.Metrics) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := versionKey{model, version}
	if m.lanes[key]--; m.lanes[key] > 0 {
		return
	}
	delete(m.lanes, key)
	labels := prometheus.Labels{"model": model, "version": strconv.Itoa(version)}
	for _, c := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.batchSize, m.runDuration, m.runErrors} {
		c.DeletePartialMatch(labels)
	}
	r.Forget(model, version)
}
