package promotion

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	ended   *prometheus.CounterVec
	running prometheus.Gauge
}

// newMetrics makes and registers the metrics; reg may be nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_deployments_total",
			Help: "Deployments of model versions that have ended, by state: done, failed, rolled_back, cancelled."}, []string{"state"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotpath_deployments_running",
			Help: "Deployments of model versions in progress."}),
	}
	for _, s := range []State{Done, Failed, RolledBack, Cancelled} {
		m.ended.WithLabelValues(string(s))
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.ended), reg.Register(m.running))
}
