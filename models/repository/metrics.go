package repository

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics has one series per model, of which there are at most Options.MaxModels.
type metrics struct {
	loads    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	versions *prometheus.GaugeVec
	current  *prometheus.GaugeVec
}

// The results of a load, as the metrics name them.
const (
	resultOK      = "ok"
	resultRefused = "refused"
	resultTimeout = "timeout"
)

// newMetrics makes and registers the metrics; reg may be nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_model_loads_total",
			Help: "Attempts to load a model version, by result: ok, refused, timeout."}, []string{"model", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotpath_model_load_duration_seconds",
			Help:    "Time the loader took for a model version: session, checks and warm-up.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 100}}, []string{"model"}),
		versions: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotpath_model_versions_loaded",
			Help: "Versions of a model that are loaded."}, []string{"model"}),
		current: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotpath_model_current_version",
			Help: "Version that answers requests which name none."}, []string{"model"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.loads), reg.Register(m.seconds), reg.Register(m.versions), reg.Register(m.current))
}

func (m *metrics) load(model, result string, took time.Duration) {
	m.loads.WithLabelValues(model, result).Inc()
	if result == resultOK {
		m.seconds.WithLabelValues(model).Observe(took.Seconds())
	}
}

func (m *metrics) serving(model string, set *ModelSet) {
	if set == nil {
		m.versions.DeleteLabelValues(model)
		m.current.DeleteLabelValues(model)
		return
	}
	m.versions.WithLabelValues(model).Set(float64(len(set.Versions)))
	m.current.WithLabelValues(model).Set(float64(set.Current))
}

// forget drops the series of a model that is not there any more.
func (m *metrics) forget(model string) {
	labels := prometheus.Labels{"model": model}
	m.loads.DeletePartialMatch(labels)
	m.seconds.DeletePartialMatch(labels)
	m.serving(model, nil)
}
