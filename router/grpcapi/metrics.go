package grpcapi

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/router"
)

type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	streamed  methodMetrics
	inFlight  prometheus.Gauge
	panics    prometheus.Counter

	connections        prometheus.Gauge
	connectionsRefused prometheus.Counter
	connectionsStalled prometheus.Counter
}

// durationBuckets reach from 50 µs to the longest deadline.
var durationBuckets = []float64{.00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2.5}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_grpc_requests_total",
			Help: "gRPC requests by method and result code; stream_request are the requests of ModelStreamInfer."}, []string{"method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotpath_grpc_request_duration_seconds",
			Help: "Time from a gRPC request's headers being read to its answer being encoded.", Buckets: durationBuckets}, []string{"method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotpath_grpc_in_flight",
			Help: "gRPC requests and streams in progress."}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_grpc_request_panics_total",
			Help: "gRPC requests that failed by a panic in the gateway."}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotpath_grpc_connections",
			Help: "Open connections of the gRPC port."}),
		connectionsRefused: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_grpc_connections_refused_total",
			Help: "gRPC connections refused because server.grpc_max_connections were open."}),
		connectionsStalled: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_grpc_connections_stalled_total",
			Help: "gRPC connections closed because the client did not take an answer in time (server.write_timeout)."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.durations, m.inFlight, m.panics, m.connections, m.connectionsRefused, m.connectionsStalled} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	m.streamed = m.method("stream_request")
	return m, nil
}

// methodMetrics are the counters of one method, resolved in advance.
type methodMetrics struct {
	byCode   []prometheus.Counter // by router.Code
	duration prometheus.Observer
}

func (m *metrics) method(name string) methodMetrics {
	o := methodMetrics{duration: m.durations.WithLabelValues(name)}
	for _, c := range router.Codes() {
		o.byCode = append(o.byCode, m.requests.WithLabelValues(name, c.String()))
	}
	return o
}

func (m methodMetrics) observe(c router.Code, took time.Duration) {
	m.byCode[c].Inc()
	m.duration.Observe(took.Seconds())
}
