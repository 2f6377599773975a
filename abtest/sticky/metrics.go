package sticky

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/resilience/redislink"
)

// recalled is how a look-up ended.
type recalled uint8

const (
	fromCache recalled = iota
	fromRedis
	recalledNone
	recallTimeout
	recallRefused
	recallError
	numRecalled
)

// written is how a write ended.
type written uint8

const (
	writtenStored written = iota
	writtenTaken
	writtenRenewed
	writtenGone
	// What follows was not stored.
	writtenDropped
	writtenRefused
	writtenError
	numWritten
)

// metrics are the store's; every child is resolved here, none per request.
type metrics struct {
	recalls [numRecalled]prometheus.Counter
	writes  [numWritten]prometheus.Counter
	errors  [redislink.NumKinds]prometheus.Counter
	panics  prometheus.Counter
	dials   prometheus.Counter
}

func newMetrics(s *Store, reg prometheus.Registerer) (*metrics, error) {
	recalls := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_sticky_recalls_total",
		Help: "Units of sticky experiments looked up, by what answered: cache (memory), stored or none (Redis); timeout, refused, error: the hash decided."}, []string{"result"})
	writes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_sticky_writes_total",
		Help: "Assignments to store: stored, taken (another gateway was first), renewed, gone (to be renewed, and no longer there); dropped (queue full), refused (breaker open), error."}, []string{"result"})
	errs := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_sticky_errors_total",
		Help: "What went wrong with pipelines to the store of sticky assignments, by kind."}, []string{"kind"})
	m := &metrics{
		panics: errs.WithLabelValues("panic"),
		dials: prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_sticky_dials_total",
			Help: "Attempts to connect to the store of sticky assignments."}),
	}
	for i, name := range [numRecalled]string{"cache", "stored", "none", "timeout", "refused", "error"} {
		m.recalls[i] = recalls.WithLabelValues(name)
	}
	for i, name := range [numWritten]string{"stored", "taken", "renewed", "gone", "dropped", "refused", "error"} {
		m.writes[i] = writes.WithLabelValues(name)
	}
	for k := range redislink.NumKinds {
		m.errors[k] = errs.WithLabelValues(k.String())
	}
	var all []error
	for _, c := range []prometheus.Collector{recalls, writes, errs, m.dials,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotpath_sticky_cache_entries",
			Help: "Units of sticky experiments in memory."}, func() float64 { return float64(s.cache.len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotpath_sticky_writes_queued",
			Help: "Assignments that wait to be stored."}, func() float64 { return float64(len(s.writes)) }),
	} {
		all = append(all, reg.Register(c))
	}
	return m, errors.Join(all...)
}
