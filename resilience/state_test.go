package resilience

import (
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestCollectorOutput(t *testing.T) {
	store := opened(t)
	wantRefusal(t, store)
	o := testOptions()
	o.MaxConcurrent = 1
	model, err := New("model:risk/2", o)
	if err != nil {
		t.Fatal(err)
	}
	model.Permits().TryAcquirePermit()
	model.Permits().TryAcquirePermit()
	held, err := New("shadow", o)
	if err != nil {
		t.Fatal(err)
	}
	held.Hold(true)

	c := Collector(func() []*Guard { return []*Guard{store, model, held} })
	want := `
# HELP hotpath_breaker_refused_total Calls refused by an open circuit breaker.
# TYPE hotpath_breaker_refused_total counter
hotpath_breaker_refused_total{downstream="model:risk/2"} 0
hotpath_breaker_refused_total{downstream="shadow"} 0
hotpath_breaker_refused_total{downstream="store"} 1
# HELP hotpath_breaker_state Circuit breaker per downstream: 0 closed, 1 half-open, 2 open.
# TYPE hotpath_breaker_state gauge
hotpath_breaker_state{downstream="model:risk/2"} 0
hotpath_breaker_state{downstream="shadow"} 2
hotpath_breaker_state{downstream="store"} 2
# HELP hotpath_breaker_trips_total Times the circuit breaker opened.
# TYPE hotpath_breaker_trips_total counter
hotpath_breaker_trips_total{downstream="model:risk/2"} 0
hotpath_breaker_trips_total{downstream="shadow"} 0
hotpath_breaker_trips_total{downstream="store"} 1
# HELP hotpath_bulkhead_full_total Calls refused by a full bulkhead.
# TYPE hotpath_bulkhead_full_total counter
hotpath_bulkhead_full_total{downstream="model:risk/2"} 1
hotpath_bulkhead_full_total{downstream="shadow"} 0
hotpath_bulkhead_full_total{downstream="store"} 0
# HELP hotpath_bulkhead_in_flight Calls that hold a permit of the bulkhead, waiting or running.
# TYPE hotpath_bulkhead_in_flight gauge
hotpath_bulkhead_in_flight{downstream="model:risk/2"} 1
hotpath_bulkhead_in_flight{downstream="shadow"} 0
hotpath_bulkhead_in_flight{downstream="store"} 0
# HELP hotpath_bulkhead_limit Permits of the bulkhead.
# TYPE hotpath_bulkhead_limit gauge
hotpath_bulkhead_limit{downstream="model:risk/2"} 1
hotpath_bulkhead_limit{downstream="shadow"} 1
hotpath_bulkhead_limit{downstream="store"} 3
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	problems, err := testutil.CollectAndLint(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 {
		t.Errorf("promlint: %v", []promlint.Problem(problems))
	}
	if err := prometheus.NewPedanticRegistry().Register(c); err != nil {
		t.Error(err)
	}
}

// Calls, scrapes and an operator's switch at once; at the end all is given back.
func TestAGuardIsSafeForConcurrentUse(t *testing.T) {
	o := testOptions()
	g := newGuard(t, o)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 2000 {
				switch {
				case i == 0 && n%100 == 0:
					g.Hold(n%200 == 0)
				case i == 1:
					if s := g.State(); s.InFlight < 0 || s.InFlight > int64(o.MaxConcurrent) {
						t.Errorf("%d in flight of %d", s.InFlight, o.MaxConcurrent)
					}
				default:
					visit(g, Outcome(n%3))
				}
			}
		})
	}
	wg.Wait()
	g.Hold(false)
	if s := g.State(); s.InFlight != 0 {
		t.Errorf("%d in flight at the end", s.InFlight)
	}
	if !g.Retries().TryAcquirePermit() || g.Retries().TryAcquirePermit() {
		t.Error("the retry budget does not know that nothing is in flight any more")
	}
}

// visit is one guarded call as the router and handoff make it.
func visit(g *Guard, o Outcome) {
	p, err := g.Enter()
	if err != nil {
		return
	}
	defer p.Leave(o)
	if g.Permits().TryAcquirePermit() {
		g.Permits().ReleasePermit()
	}
}
