package exposure

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what becomes of events. The worker alone writes the numbers.
type metrics struct {
	exposures, recorded, unremembered atomic.Int64
	feedback, repeated, unjoined      atomic.Int64
	dropped                           [numKinds][numRefusals]prometheus.Counter
}

func newMetrics(l *Log, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{}
	dropped := [numKinds]*prometheus.CounterVec{
		kindExposure: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_exposures_dropped_total",
			Help: "Events that neither the readout nor a sink heard of, by reason."}, []string{"reason"}),
		kindFeedback: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_feedback_dropped_total",
			Help: "Outcomes that neither the readout nor a sink heard of, by reason."}, []string{"reason"}),
	}
	for k, vec := range dropped {
		for why := queueFull; why < numRefusals; why++ {
			if kind(k) == kindFeedback || why != notFinite {
				m.dropped[k][why] = vec.WithLabelValues(refusalNames[why])
			}
		}
	}
	all := []prometheus.Collector{dropped[kindExposure], dropped[kindFeedback],
		counter("hotpath_exposures_total", "Answers of requests that an experiment gave a variant.", nil, &m.exposures),
		counter("hotpath_exposures_recorded_total", "Events that were the first of their unit and variant in the window, and went to the sinks.", nil, &m.recorded),
		counter("hotpath_exposures_unremembered_total", "Events recorded, perhaps again, because the window's memory of units was full.", nil, &m.unremembered),
		counter("hotpath_feedback_total", "Outcomes that were reported.", nil, &m.feedback),
		counter("hotpath_feedback_repeated_total", "Outcomes ignored because their id was reported before.", nil, &m.repeated),
		counter("hotpath_feedback_unjoined_total", "Outcomes recorded without a unit, because the request that they name is forgotten, had no experiment, or was about several units.", nil, &m.unjoined),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotpath_exposure_queue_events", Help: "Events that wait for the log of exposures."},
			func() float64 { return float64(l.queue.waiting()) }),
	}
	for _, out := range l.outlets {
		all = append(all, out.collectors()...)
	}
	for i, c := range all {
		if err := reg.Register(c); err != nil {
			for _, done := range all[:i] {
				reg.Unregister(done)
			}
			return nil, err
		}
	}
	return m, nil
}

func counter(name, help string, labels prometheus.Labels, n *atomic.Int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 { return float64(n.Load()) })
}
