package routertest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/batcher"
	"hotpath/batcher/batchertest"
	"hotpath/models"
	"hotpath/resilience"
	"hotpath/router"
)

// Options suit most tests: everything on, bounds that a test does not reach.
func Options() router.Options {
	return router.Options{
		MaxInFlight: 1000, FeatureBudget: 20 * time.Millisecond, VariantFallback: true, StaticFallback: true,
		Shadow: router.ShadowOptions{Workers: 2, Queue: 64, Timeout: time.Second},
	}
}

// GuardOptions suit most tests: twenty results decide, and an open breaker stays so.
func GuardOptions() resilience.Options {
	return resilience.Options{FailureRatio: 0.5, MinResults: 20, Window: 10 * time.Second, OpenFor: time.Minute,
		Probes: 3, MaxConcurrent: 1000, RetryRatio: 0.1}
}

// Rig is a pipeline over fake models. Its end, with the test, closes everything
// and checks that every lane was closed exactly once.
type Rig struct {
	TB         testing.TB
	Registry   *prometheus.Registry
	Metrics    *router.Metrics
	Pipeline   *router.Pipeline
	FeatureGrd *resilience.Guard
	// ShadowGuard are the options of each shadow's guard.
	ShadowGuard resilience.Options

	generation uint64
	mu         sync.Mutex
	shadows    map[string]*resilience.Guard
	versions   []*Version
}

// NewRig makes a rig without models.
func NewRig(tb testing.TB, o router.Options) *Rig {
	tb.Helper()
	r := &Rig{TB: tb, Registry: prometheus.NewRegistry(), shadows: map[string]*resilience.Guard{}, ShadowGuard: GuardOptions()}
	var err error
	if r.Metrics, err = router.NewMetrics(r.Registry); err != nil {
		tb.Fatal(err)
	}
	if r.FeatureGrd, err = resilience.New("features", GuardOptions()); err != nil {
		tb.Fatal(err)
	}
	if r.Pipeline, err = router.New(o, r.Metrics); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.end)
	return r
}

func (r *Rig) end() {
	r.Pipeline.Close()
	for _, v := range r.versions {
		v.Lane.Release()
		select {
		case <-v.closed:
		case <-time.After(10 * time.Second):
			r.TB.Errorf("%s/%d: somebody still holds the lane", v.Lane.Model, v.Lane.Version)
		}
		if n := v.Closes.Load(); n != 1 {
			r.TB.Errorf("%s/%d: closed %d times", v.Lane.Model, v.Lane.Version, n)
		}
	}
}

// Version is one version of a fake model. Until the rig serves it, its parts may
// be changed.
type Version struct {
	Lane    *router.Lane
	View    *FakeView
	Runner  *batchertest.Fake
	Batcher *batcher.Batcher
	Guard   *resilience.Guard
	// Closes counts the calls of the lane's Close.
	Closes atomic.Int32
	closed chan struct{}
}

// Version makes a version; the rig holds its lane.
func (r *Rig) Version(model string, version int) *Version {
	r.TB.Helper()
	layout := Layout()
	v := &Version{View: &FakeView{Version: version, layout: layout, entities: []string{"user", "merchant"}}, Runner: batchertest.NewFake(layout, 8), closed: make(chan struct{})}
	var err error
	if v.Guard, err = resilience.New(fmt.Sprintf("model:%s/%d", model, version), GuardOptions()); err != nil {
		r.TB.Fatal(err)
	}
	v.Batcher, err = batcher.New(batcher.Options{QueueRows: 256, RunTimeout: 250 * time.Millisecond, Permits: v.Guard.Permits(), Retries: v.Guard.Retries()},
		layout, layout, []batcher.Runner{v.Runner})
	if err != nil {
		r.TB.Fatal(err)
	}
	v.Lane = &router.Lane{Model: model, Version: version, Signature: models.Signature{Batched: true, Inputs: layout.Ports, Outputs: layout.Ports},
		In: layout, Out: layout, View: v.View, SameInputs: model,
		Scorer: scorer{v.Batcher}, FeatureGuard: r.FeatureGrd, ScoreGuard: v.Guard,
		Prediction: router.Prediction{Port: 2, Element: 0}, Metrics: r.Metrics.Lane(model, version)}
	for f, name := range featureNames {
		port, element := 0, 0
		if f != featureID {
			port, element = 2, f-featureAge
		}
		v.Lane.Features = append(v.Lane.Features, router.Feature{Name: name, Port: port, Element: element, Width: 1})
	}
	v.Lane.Close = func() {
		if v.Closes.Add(1) == 1 {
			if err := v.Batcher.Close(context.Background()); err != nil {
				r.TB.Error(err)
			}
			close(v.closed)
		}
	}
	v.Lane.Hold()
	r.versions = append(r.versions, v)
	return v
}

// Static makes the version's answer of last resort: x[0] is value.
func (v *Version) Static(value float64) {
	row := v.Lane.Out.NewRow()
	row.PutFloat64(v.Lane.Out.Offset[2], value)
	v.Lane.Static = &row
}

// Snapshot resolves experiments against versions, of which the highest of each
// model is current.
func (r *Rig) Snapshot(defaultModel string, config abtest.Config, versions ...*Version) (*router.Snapshot, error) {
	plan, err := abtest.Compile(config)
	if err != nil {
		return nil, err
	}
	byName := map[string]*router.ModelLanes{}
	var names []string
	for _, v := range versions {
		m := byName[v.Lane.Model]
		if m == nil {
			m = &router.ModelLanes{Name: v.Lane.Model, Current: v.Lane}
			byName[m.Name], names = m, append(names, m.Name)
		}
		m.Versions = append(m.Versions, v.Lane)
		if v.Lane.Version > m.Current.Version {
			m.Current = v.Lane
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	o := router.SnapshotOptions{Generation: r.generation, Plan: plan, Default: defaultModel, Metrics: r.Metrics, ShadowGuard: r.shadowLocked}
	for _, n := range names {
		o.Models = append(o.Models, *byName[n])
	}
	return router.NewSnapshot(o)
}

// shadowLocked keeps one guard per shadow.
func (r *Rig) shadowLocked(experiment, variant string) (*resilience.Guard, error) {
	name := "shadow:" + experiment + "/" + variant
	if g := r.shadows[name]; g != nil {
		return g, nil
	}
	g, err := resilience.New(name, r.ShadowGuard)
	r.shadows[name] = g
	return g, err
}

// Shadow is the guard of a shadow that was served.
func (r *Rig) Shadow(experiment, variant string) *resilience.Guard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shadows["shadow:"+experiment+"/"+variant]
}

// Serve makes a snapshot and swaps it in.
func (r *Rig) Serve(config abtest.Config, versions ...*Version) *router.Snapshot {
	r.TB.Helper()
	s, err := r.Snapshot("", config, versions...)
	if err != nil {
		r.TB.Fatal(err)
	}
	r.Pipeline.Swap(s)
	return s
}

// Feature is a number feature of a request.
func Feature(name, number string) models.Value {
	return models.Value{Key: []byte(name), Kind: models.KindNumber, Raw: []byte(number)}
}
