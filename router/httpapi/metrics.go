package httpapi

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/router"
)

type metrics struct {
	requests  [numRoutes][]prometheus.Counter // by router.Code
	durations [numRoutes]prometheus.Observer
	instances []prometheus.Counter // by router.Code
	panics    prometheus.Counter

	connections        prometheus.Gauge
	connectionsRefused prometheus.Counter
}

// durationBuckets reach from 50 µs to the longest deadline.
var durationBuckets = []float64{.00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2.5}

func newMetrics(reg prometheus.Registerer, bodies *bodyBudget) (*metrics, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_requests_total",
		Help: "Requests by route and result code."}, []string{"route", "code"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotpath_request_duration_seconds",
		Help: "Time from the request being read to its answer being encoded.", Buckets: durationBuckets}, []string{"route"})
	m := &metrics{panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_request_panics_total",
		Help: "Requests that failed by a panic in the gateway."}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotpath_connections",
			Help: "Open connections of the traffic port."}),
		connectionsRefused: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_connections_refused_total",
			Help: "Connections refused because server.max_connections were open."})}
	instances := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_batch_instances_total",
		Help: "Instances of POST /predict/batch by result code."}, []string{"code"})
	for _, c := range router.Codes() {
		m.instances = append(m.instances, instances.WithLabelValues(c.String()))
	}
	for r := range numRoutes {
		m.durations[r] = durations.WithLabelValues(routeNames[r])
		for _, c := range router.Codes() {
			m.requests[r] = append(m.requests[r], requests.WithLabelValues(routeNames[r], c.String()))
		}
	}
	memory := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotpath_body_memory_bytes",
		Help: "Memory of the large request bodies being read or scored."}, bodies.inUse)
	for _, c := range []prometheus.Collector{requests, durations, instances, m.panics, m.connections, m.connectionsRefused, memory} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(r route, c router.Code, d time.Duration) {
	m.requests[r][c].Inc()
	m.durations[r].Observe(d.Seconds())
}

func (m *metrics) instance(c router.Code) { m.instances[c].Inc() }
