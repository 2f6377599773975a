package resilience

import (
	"sync/atomic"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// State is a guard's condition, for the admin page and readiness.
type State struct {
	Name string `json:"name"`
	// Breaker is closed, half-open, open, or held (opened by an operator).
	Breaker string `json:"breaker"`
	// Successes and Failures in the breaker's window.
	Successes uint32 `json:"successes"`
	Failures  uint32 `json:"failures"`
	// InFlight calls hold permits of the bulkhead, MaxConcurrent is its size.
	InFlight      int64  `json:"in_flight"`
	MaxConcurrent uint   `json:"max_concurrent"`
	Trips         uint64 `json:"trips_total"`
	Refused       uint64 `json:"refused_total"`
	BulkheadFull  uint64 `json:"bulkhead_full_total"`
}

// State reads the guard. An open breaker shows half-open once its time is over,
// though nothing has called it since.
func (g *Guard) State() State {
	breaker := g.breaker.State() // first: it moves the window on, which Counts does not
	c := g.breaker.Counts()
	s := State{
		Name: g.name, Breaker: breaker.String(),
		Successes: c.TotalSuccesses, Failures: c.TotalFailures,
		InFlight: g.bulkhead.held.Load(), MaxConcurrent: g.limit,
		Trips: g.trips.Load(), Refused: g.refused.Load(), BulkheadFull: g.bulkhead.full.Load(),
	}
	if g.forced.Load() {
		s.Breaker = "held"
	}
	return s
}

// Open says whether every call is refused now: the breaker is open or held. A
// half-open one is not, though it refuses what comes beside its probes.
func (g *Guard) Open() bool {
	return g.forced.Load() || g.breaker.State() == gobreaker.StateOpen
}

// countedPermits adds to failsafe-go's bulkhead what it does not tell: how many
// permits are out.
type countedPermits struct {
	inner bulkhead.Bulkhead[struct{}]
	held  atomic.Int64
	full  atomic.Uint64
}

func (c *countedPermits) TryAcquirePermit() bool {
	if !c.inner.TryAcquirePermit() {
		c.full.Add(1)
		return false
	}
	c.held.Add(1)
	return true
}

func (c *countedPermits) ReleasePermit() {
	c.held.Add(-1)
	c.inner.ReleasePermit()
}

var (
	descState = prometheus.NewDesc("hotpath_breaker_state",
		"Circuit breaker per downstream: 0 closed, 1 half-open, 2 open.", []string{"downstream"}, nil)
	descTrips = prometheus.NewDesc("hotpath_breaker_trips_total",
		"Times the circuit breaker opened.", []string{"downstream"}, nil)
	descRefused = prometheus.NewDesc("hotpath_breaker_refused_total",
		"Calls refused by an open circuit breaker.", []string{"downstream"}, nil)
	descInFlight = prometheus.NewDesc("hotpath_bulkhead_in_flight",
		"Calls that hold a permit of the bulkhead, waiting or running.", []string{"downstream"}, nil)
	descLimit = prometheus.NewDesc("hotpath_bulkhead_limit",
		"Permits of the bulkhead.", []string{"downstream"}, nil)
	descFull = prometheus.NewDesc("hotpath_bulkhead_full_total",
		"Calls refused by a full bulkhead.", []string{"downstream"}, nil)
)

// Collector exports the state of the guards that list returns at each scrape.
// Their names must be bounded by configuration.
func Collector(list func() []*Guard) prometheus.Collector { return collector{list} }

type collector struct{ list func() []*Guard }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descState, descTrips, descRefused, descInFlight, descLimit, descFull} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, g := range c.list() {
		s := g.State()
		state := map[string]float64{"closed": 0, "half-open": 1, "open": 2, "held": 2}[s.Breaker]
		for _, m := range []struct {
			desc *prometheus.Desc
			kind prometheus.ValueType
			v    float64
		}{
			{descState, prometheus.GaugeValue, state},
			{descTrips, prometheus.CounterValue, float64(s.Trips)},
			{descRefused, prometheus.CounterValue, float64(s.Refused)},
			{descInFlight, prometheus.GaugeValue, float64(s.InFlight)},
			{descLimit, prometheus.GaugeValue, float64(s.MaxConcurrent)},
			{descFull, prometheus.CounterValue, float64(s.BulkheadFull)},
		} {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.v, s.Name)
		}
	}
}
