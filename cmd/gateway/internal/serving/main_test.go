package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/features"
	"hotpath/inference"
	"hotpath/models"
	"hotpath/models/repository"
	"hotpath/resilience"
	"hotpath/router"
	"hotpath/router/routertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// eventually polls a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// stage is all that the gateway has below its listeners, on the real ONNX
// Runtime. The store knows nothing and is not connected, unless embedded.
type stage struct {
	t        testing.TB
	reg      *prometheus.Registry
	pipeline *router.Pipeline
	loader   *Loader
	world    *World
	log      *routertest.LogBuffer
	set      *repository.Set // what is loaded, where no repository keeps it
	loads    int             // by load
}

func guardOptions() resilience.Options {
	return resilience.Options{FailureRatio: 0.5, MinResults: 100, Window: 10 * time.Second, OpenFor: time.Second,
		Probes: 2, MaxConcurrent: 256, RetryRatio: 0.2}
}

// newStage builds a stage; its end checks that the memory of every version was freed.
func newStage(t testing.TB, schema features.SchemaConfig, addresses ...string) *stage {
	t.Helper()
	s := &stage{t: t, reg: prometheus.NewRegistry(), log: &routertest.LogBuffer{}, set: &repository.Set{Models: map[string]*repository.ModelSet{}}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	runtime, err := inference.Open(inference.Options{})
	ok(t, err)
	compiled, err := features.CompileSchema(schema)
	ok(t, err)
	o := features.DefaultOptions()
	o.Addresses = []string{"127.0.0.1:1"}
	if len(addresses) > 0 {
		o.Addresses = addresses
	}
	guard, err := resilience.New("features", guardOptions())
	ok(t, err)
	store, err := features.New(o, compiled, guard.Permits(), s.reg)
	ok(t, err)
	metrics, err := router.NewMetrics(s.reg)
	ok(t, err)
	s.pipeline, err = router.New(router.Options{MaxInFlight: 1000, FeatureBudget: time.Second, VariantFallback: true, StaticFallback: true,
		Shadow: router.ShadowOptions{Workers: 1, Queue: 16, Timeout: time.Second}}, metrics)
	ok(t, err)
	s.world, err = NewWorld(s.pipeline, metrics, WorldOptions{ShadowGuard: guardOptions(), Log: log})
	ok(t, err)
	own, err := NewMetrics(s.reg)
	ok(t, err)
	s.loader = &Loader{Runtime: runtime, Store: store, FeatureGuard: guard, ModelGuard: guardOptions(), Metrics: own, RouterMetrics: metrics, Log: log}
	ok(t, s.reg.Register(Collector(s.world)))
	t.Cleanup(func() {
		for _, m := range s.set.Models {
			for _, v := range m.Versions {
				v.Served.Close()
			}
		}
		s.pipeline.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		ok(t, s.loader.Wait(ctx))
		store.Close()
		ok(t, runtime.Close())
	})
	return s
}

// modelFile reads a file below models/.
func modelFile(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "..", "models"}, path...)...))
	ok(t, err)
	return data
}

// riskDir is where the demo has a version of the risk model, 1 to 3.
func riskDir(n int) []string {
	if n == 3 {
		return []string{"demo", "candidates", "risk", "3"}
	}
	return []string{"demo", "repository", "risk", string(rune('0' + n))}
}

// risk is a candidate with the file of risk version n, whose input is sent whole.
func risk(t testing.TB, model string, version, n int) repository.Candidate {
	t.Helper()
	c := repository.Candidate{Model: model, Version: version, Config: models.DefaultConfig()}
	c.Data = modelFile(t, append(riskDir(n), "model.onnx")...)
	c.Golden = riskGolden(t, n)
	c.Config.MaxBatchSize, c.Config.BatchSizes = 8, []int{1, 4, 8}
	one := 1
	c.Config.Prediction = models.Prediction{Output: "probabilities", Index: &one}
	return c
}

func riskGolden(t testing.TB, n int) *models.Golden {
	t.Helper()
	g, err := models.ReadGolden(bytes.NewReader(modelFile(t, append(riskDir(n), "golden.json")...)))
	ok(t, err)
	return g
}

// fixture is a candidate with one of the test fixtures.
func fixture(t testing.TB, name string) repository.Candidate {
	t.Helper()
	c := repository.Candidate{Model: name, Version: 1, Config: models.DefaultConfig(), Data: modelFile(t, "testdata", "fixtures", name, "1", "model.onnx")}
	c.Config.MaxBatchSize, c.Config.BatchSizes = 4, []int{1, 4}
	return c
}

// load loads a version without making it part of the world.
func (s *stage) load(c repository.Candidate) *repository.Loaded {
	s.t.Helper()
	served, err := s.loader.Load(context.Background(), c)
	ok(s.t, err)
	s.loads++
	return &repository.Loaded{Version: c.Version, Served: served, Config: c.Config}
}

// loadUnverified loads a version without the runs that prove it, for models that
// take seconds a run.
func (s *stage) loadUnverified(c repository.Candidate) *repository.Loaded {
	s.t.Helper()
	p := &preparation{Candidate: &c}
	ok(s.t, s.loader.load(context.Background(), p))
	in, _ := p.session.Layouts()
	var err error
	p.view, err = s.loader.view(&c, in)
	ok(s.t, err)
	r, err := p.newRunner()
	ok(s.t, err)
	p.runners = []runner{r}
	l, err := s.loader.lane(p)
	ok(s.t, err)
	s.loader.alive.Add(1)
	l.lane.Hold()
	return &repository.Loaded{Version: c.Version, Served: l, Config: c.Config}
}

// offer shows the world another set, as the repository does: what is not part of
// it any more is closed after the world has taken it, what is new after it has not.
func (s *stage) offer(change func(map[string]*repository.ModelSet)) error {
	next := &repository.Set{Generation: s.set.Generation + 1, Models: map[string]*repository.ModelSet{}}
	for name, m := range s.set.Models {
		next.Models[name] = &repository.ModelSet{Versions: slices.Clone(m.Versions), Current: m.Current, Policy: m.Policy}
	}
	change(next.Models)
	maps.DeleteFunc(next.Models, func(_ string, m *repository.ModelSet) bool { return len(m.Versions) == 0 })
	gone, kept := s.set, next
	err := s.world.ModelsChanged(next)
	if err != nil {
		gone, kept = next, s.set
	}
	s.set = kept
	for name, m := range gone.Models {
		for _, v := range m.Versions {
			if k := kept.Models[name]; k == nil || !slices.Contains(k.Versions, v) {
				v.Served.Close()
			}
		}
	}
	return err
}

// add puts loaded versions into a model; the last one becomes current. A version
// that is there is replaced.
func (s *stage) add(model string, loaded ...*repository.Loaded) error {
	return s.offer(func(all map[string]*repository.ModelSet) {
		m := all[model]
		if m == nil {
			m = &repository.ModelSet{}
			all[model] = m
		}
		for _, l := range loaded {
			m.Versions = slices.DeleteFunc(m.Versions, func(old *repository.Loaded) bool { return old.Version == l.Version })
			m.Versions = append(m.Versions, l)
			m.Current, m.Policy = l.Version, l.Config.VersionPolicy
		}
	})
}

func (s *stage) remove(model string, versions ...int) error {
	return s.offer(func(all map[string]*repository.ModelSet) {
		all[model].Versions = slices.DeleteFunc(all[model].Versions, func(l *repository.Loaded) bool { return slices.Contains(versions, l.Version) })
	})
}

// begin admits a request with the first golden row of the risk models.
func (s *stage) begin(model, user string) *router.Exchange {
	x, refusal := s.pipeline.Begin()
	if refusal != nil {
		s.t.Error(refusal)
		return nil
	}
	x.Until = time.Now().Add(10 * time.Second)
	x.Request.Model, x.Request.UserID = []byte(model), []byte(user)
	return x
}

// rawX is the vector of the first golden case as JSON.
func rawX(t testing.TB, g *models.Golden) []byte {
	t.Helper()
	raw, err := json.Marshal(g.Cases[0].Inputs["X"])
	ok(t, err)
	return raw
}

// served is the version that answers a request, and its prediction.
func (s *stage) predict(model, user string, x []byte) (version int, prediction float64) {
	s.t.Helper()
	e := s.begin(model, user)
	defer s.pipeline.Finish(e)
	e.Request.Features = append(e.Request.Features, models.Value{Key: []byte("X"), Kind: models.KindArray, Raw: x})
	if refusal := s.pipeline.Predict(e); refusal != nil {
		s.t.Fatal(refusal)
	}
	at := e.Lane.Out.Offset[e.Lane.Prediction.Port] + 4*e.Lane.Prediction.Element
	return e.Lane.Version, float64(e.Out().Float32(at))
}

// retired is how many versions were freed.
func (s *stage) retired() int { return int(s.metric("hotpath_model_versions_retired_total", nil)) }

// metric is the sum of a family's series that have these labels.
func (s *stage) metric(family string, labels map[string]string) (sum float64) {
	for _, m := range s.series(family, labels) {
		sum += m
	}
	return sum
}

// series are the values of a family's counters and gauges, and the counts of its
// histograms, as far as they have these labels.
func (s *stage) series(family string, labels map[string]string) (values []float64) {
	s.t.Helper()
	families, err := s.reg.Gather()
	ok(s.t, err)
	for _, f := range families {
		if f.GetName() != family {
			continue
		}
		for _, m := range f.GetMetric() {
			matching := 0
			for _, l := range m.GetLabel() {
				if want, there := labels[l.GetName()]; there && want == l.GetValue() {
					matching++
				}
			}
			if matching == len(labels) {
				values = append(values, m.GetCounter().GetValue()+m.GetGauge().GetValue()+float64(m.GetHistogram().GetSampleCount()))
			}
		}
	}
	return values
}

func plan(t testing.TB, experiments ...abtest.ExperimentConfig) *abtest.Plan {
	t.Helper()
	p, err := abtest.Compile(abtest.Config{Experiments: experiments})
	ok(t, err)
	return p
}

func percent(v float64) *float64 { return &v }

// everyone is an experiment that gives everyone a version of the risk model.
func everyone(name string, version int, shadows ...int) abtest.ExperimentConfig {
	e := abtest.ExperimentConfig{Name: name, Model: "risk", Variants: []abtest.VariantConfig{{Name: "all", Weight: percent(100), Version: version}}}
	for _, v := range shadows {
		e.Variants = append(e.Variants, abtest.VariantConfig{Name: "shadow-" + string(rune('0'+v)), Shadow: true, Version: v})
	}
	return e
}
