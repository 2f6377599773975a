package features

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/models"
)

// metrics are the store's; every child is resolved here, none per request.
type metrics struct {
	values   []prometheus.Counter // by models.Origin
	errors   [numErrKinds]prometheus.Counter
	pipeline prometheus.Histogram
	duration prometheus.Histogram
	dials    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	values := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_feature_values_total",
		Help: "Feature values used, by where they came from."}, []string{"origin"})
	errs := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_feature_errors_total",
		Help: "What went wrong while reading features, by kind."}, []string{"kind"})
	m := &metrics{
		pipeline: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotpath_feature_pipeline_commands",
			Help: "Reads sent in one pipeline.", Buckets: prometheus.ExponentialBuckets(1, 2, 9)}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotpath_feature_fetch_seconds",
			Help:    "Time from sending a pipeline to its last reply.",
			Buckets: []float64{.00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1}}),
		dials: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_feature_dials_total",
			Help: "Attempts to connect to the feature store."}),
	}
	for _, o := range models.Origins() {
		m.values = append(m.values, values.WithLabelValues(o.String()))
	}
	for k := range numErrKinds {
		m.errors[k] = errs.WithLabelValues(k.String())
	}
	var all []error
	for _, c := range []prometheus.Collector{values, errs, m.pipeline, m.duration, m.dials} {
		all = append(all, reg.Register(c))
	}
	return m, errors.Join(all...)
}
