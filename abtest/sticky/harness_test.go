package sticky

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/resilience"
	"hotpath/resilience/redislink/redistest"
	"hotpath/router"
)

var _ router.Sticky = (*Store)(nil)

// TestMain checks for leaks. A closed cluster client leaves one goroutine that
// sleeps for at most a second and then finds that it may not dial any more.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// rig is a store with what is around it.
type rig struct {
	*Store
	t     testing.TB
	guard *resilience.Guard
	reg   *prometheus.Registry
}

// options have limits that a busy machine keeps.
func options(addr string) Options {
	o := DefaultOptions()
	o.Redis.Addresses = []string{addr}
	o.Budget = time.Second
	o.Redis.DialTimeout = 10 * time.Second
	return o
}

func open(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{t: t, reg: prometheus.NewRegistry()}
	var err error
	if r.guard, err = resilience.New("sticky", GuardOptions()); err != nil {
		t.Fatal(err)
	}
	if r.Store, err = New(o, r.guard, r.reg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.Close(ctx)
	})
	return r
}

// connected opens a store and waits for its connection.
func connected(t testing.TB, o Options) *rig {
	t.Helper()
	r := open(t, o)
	redistest.Eventually(t, time.Minute, "connected", func() bool { return r.State().Connected })
	return r
}

// experiments compiles n sticky experiments with the variants a, b and, of weight 0, c.
func experiments(t testing.TB, n int, salt string) []*abtest.Experiment {
	t.Helper()
	half, none := 50.0, 0.0
	var c abtest.Config
	for i := range n {
		c.Experiments = append(c.Experiments, abtest.ExperimentConfig{Name: fmt.Sprintf("e%d", i), Model: "m", Salt: salt + fmt.Sprint(i), Sticky: true,
			Variants: []abtest.VariantConfig{{Name: "a", Weight: &half}, {Name: "b", Weight: &half}, {Name: "c", Weight: &none}}})
	}
	p, err := abtest.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return p.Experiments()
}

// key is where the unit's variant is stored.
func key(e *abtest.Experiment, unit string) string {
	return "hotpath:sticky:" + e.StickyKey() + ":" + unit
}

// recall asks about one unit.
func (r *rig) recall(e *abtest.Experiment, unit string) string {
	variants := [][]byte{[]byte("left over")}
	r.Recall(time.Now().Add(10*time.Second), []*abtest.Experiment{e}, [][]byte{[]byte(unit)}, variants)
	return string(variants[0])
}

// flushed waits until nothing is queued and a variant is stored.
func (r *rig) flushed(result string, n float64) {
	r.t.Helper()
	redistest.Eventually(r.t, 30*time.Second, fmt.Sprintf("%v writes %s", n, result), func() bool { return r.writes(result) >= n })
}

func (r *rig) writes(result string) float64  { return r.sample("hotpath_sticky_writes_total", result) }
func (r *rig) recalls(result string) float64 { return r.sample("hotpath_sticky_recalls_total", result) }

// sample reads a counter or a gauge.
func (r *rig) sample(name, label string) float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	r.t.Fatalf("no metric %s{%s}", name, label)
	return 0
}
