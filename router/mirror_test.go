package router_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/resilience"
	"hotpath/router"
	"hotpath/router/routertest"
)

// mirrored is a rig where version 2 serves and version 1 gets copies.
func mirrored(t *testing.T, prepare func(v1, v2 *routertest.Version)) (*routertest.Rig, router.MirrorOptions) {
	t.Helper()
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	prepare(v1, v2)
	r.Serve(abtest.Config{}, v1, v2)
	guard, err := resilience.New("mirror:risk/1", routertest.GuardOptions())
	if err != nil {
		t.Fatal(err)
	}
	return r, router.MirrorOptions{Live: v2.Lane, Candidate: v1.Lane, Guard: guard, Tolerance: 0.5}
}

func begun(t *testing.T, r *routertest.Rig, o router.MirrorOptions) *router.Mirror {
	t.Helper()
	m, err := r.Pipeline.Mirror(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	return m
}

// answered sends requests that version 2 must answer.
func answered(t *testing.T, r *routertest.Rig, n int) {
	t.Helper()
	for i := range n {
		if got := predict(t, r.Pipeline, ask{user: fmt.Sprint("user-", i)}); got.err != nil || got.lane != 2 {
			t.Fatalf("%+v", got)
		}
	}
}

func TestMirrorCompares(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(v1, v2 *routertest.Version)
		agreed  int64
		most    [3]float64 // by output: id, version, x
	}{
		"the same row":   {func(_, _ *routertest.Version) {}, 20, [3]float64{}},
		"its own inputs": {func(v1, _ *routertest.Version) { v1.Lane.SameInputs = "other" }, 20, [3]float64{0, 1, 0}},
		"another prediction": {func(v1, _ *routertest.Version) {
			v1.Lane.SameInputs = "other"
			v1.View.OnFetch = func(time.Time, [][]byte) error { return errRefused } // x[0] is -1 then, and 6 or 7 else
			own, err := resilience.New("features of the candidate", routertest.GuardOptions())
			if err != nil {
				t.Fatal(err)
			}
			v1.Lane.FeatureGuard = own // or so many failures keep the live version from the store
		}, 0, [3]float64{0, 1, 8}},
		"no prediction": {func(v1, v2 *routertest.Version) {
			v1.Lane.SameInputs, v1.Lane.Prediction.Port = "other", -1
		}, 0, [3]float64{0, 1, 0}},
	} {
		r, o := mirrored(t, c.prepare)
		m := begun(t, r, o)
		answered(t, r, 20)
		eventually(t, name+": 20 compared", func() bool { return m.Report().Compared == 20 })
		got := m.Report()
		if got.Agreed != c.agreed || got.Offered != 20 || got.Failed+got.Dropped+got.NonFinite != 0 || len(got.Outputs) != 3 || got.CandidateRun <= 0 || got.LiveRun <= 0 {
			t.Errorf("%s: %+v", name, got)
		}
		for i, o := range got.Outputs {
			if o.Most != c.most[i] || o.Unlike != 0 {
				t.Errorf("%s: %+v", name, o)
			}
		}
	}
}

func TestMirrorSeesNaN(t *testing.T) {
	r, o := mirrored(t, func(v1, _ *routertest.Version) {
		v1.Runner.OnRun = func(int) error {
			in, _ := v1.Runner.Frames()
			row := models.Row{Data: in.Data[2]}
			row.PutFloat64(0, math.NaN())
			return nil
		}
	})
	m := begun(t, r, o)
	answered(t, r, 1)
	eventually(t, "compared", func() bool { return m.Report().Compared == 1 })
	if got := m.Report(); got.NonFinite != 1 || got.Agreed != 0 || got.Outputs[2].Unlike != 1 {
		t.Errorf("%+v", got)
	}
}

// TestMirrorFails: a candidate that fails is nobody's failure but its own.
func TestMirrorFails(t *testing.T) {
	r, o := mirrored(t, func(v1, _ *routertest.Version) {
		v1.Runner.OnRun = func(int) error { return errors.New("broken") }
	})
	m := begun(t, r, o)
	answered(t, r, 50)
	eventually(t, "failures", func() bool { g := m.Report(); return g.Failed+g.Dropped == 50 })
	if got := m.Report(); got.Compared != 0 || !o.Guard.Open() || o.Live.ScoreGuard.Open() || o.Candidate.ScoreGuard.Open() {
		t.Errorf("%+v", got)
	}
}

// TestMirrorNeverWaits: with the candidate blocked, requests go on and copies are dropped.
func TestMirrorNeverWaits(t *testing.T) {
	release := make(chan struct{})
	r, o := mirrored(t, func(v1, _ *routertest.Version) {
		v1.Runner.OnRun = func(int) error { <-release; return nil }
	})
	m := begun(t, r, o)
	start := time.Now()
	answered(t, r, 300)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("300 requests took %s beside a blocked candidate", took)
	}
	close(release)
	m.Stop()
	if got := m.Report(); got.Offered != 300 || got.Dropped == 0 {
		t.Errorf("%+v", got)
	}
	answered(t, r, 5)
	m.Stop() // again
	if got := m.Report(); got.Offered != 300 {
		t.Errorf("copied after its stop: %+v", got)
	}
}

func TestMirrorEnds(t *testing.T) {
	r, o := mirrored(t, func(_, _ *routertest.Version) {})
	o.Limit = 10
	m := begun(t, r, o)
	if _, err := r.Pipeline.Mirror(o); !errors.Is(err, router.ErrMirrored) {
		t.Error(err)
	}
	eventually(t, "the limit", func() bool { answered(t, r, 5); return m.Report().Compared >= 10 })
	offered := m.Report().Offered
	answered(t, r, 20)
	if got := m.Report().Offered; got != offered {
		t.Errorf("%d more were copied", got-offered)
	}
	// A version that an experiment chose is not the one that is compared.
	m.Stop()
	m = begun(t, r, o)
	snapshot, err := r.Snapshot("risk", config(abtest.ExperimentConfig{Name: "e", Model: "risk", Variants: []abtest.VariantConfig{{Name: "old", Weight: weight(100), Version: 1}}}), versionsOf(o)...)
	if err != nil {
		t.Fatal(err)
	}
	r.Pipeline.Swap(snapshot)
	if got := predict(t, r.Pipeline, ask{user: "u"}); got.lane != 1 || m.Report().Offered != 0 {
		t.Errorf("%+v, %+v", got, m.Report())
	}
}

// versionsOf are the rig's versions around the lanes of a mirror.
func versionsOf(o router.MirrorOptions) []*routertest.Version {
	return []*routertest.Version{{Lane: o.Candidate}, {Lane: o.Live}}
}

func TestMirrorOfTensors(t *testing.T) {
	r, o := mirrored(t, func(v1, _ *routertest.Version) {
		v1.Runner.OnRun = func(rows int) error { // its answer is another in the column x
			in, _ := v1.Runner.Frames()
			row := models.Row{Data: in.Data[2]}
			for i := range rows {
				row.PutFloat64(16*i, row.Float64(16*i)+2)
			}
			return nil
		}
	})
	m := begun(t, r, o)
	for _, rows := range []int{1, 5} {
		if _, lane, err := infer(t, r.Pipeline, func(x *router.Exchange) { x.Tensors.Inputs = tensors(40, rows) }); err != nil || lane != 2 {
			t.Fatalf("%d %v", lane, err)
		}
	}
	eventually(t, "compared", func() bool { return m.Report().Compared == 2 })
	if got := m.Report(); got.Agreed != 0 || got.Outputs[0].Most != 0 || got.Outputs[2].Most != 2 {
		t.Errorf("%+v", got)
	}
}

// TestMirrorsComeAndGo while requests are on their way: lanes are held as long as
// they are used, and no longer.
func TestMirrorsComeAndGo(t *testing.T) {
	r, o := mirrored(t, func(_, _ *routertest.Version) {})
	var stop atomic.Bool
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for i := 0; !stop.Load(); i++ {
				if got := predict(t, r.Pipeline, ask{user: fmt.Sprint("u", i)}); got.err != nil {
					t.Errorf("%+v", got)
					return
				}
			}
		})
	}
	compared := int64(0)
	for range 200 {
		m, err := r.Pipeline.Mirror(o)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Microsecond)
		m.Stop()
		compared += m.Report().Compared
	}
	stop.Store(true)
	users.Wait()
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

func TestOutcomes(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	fails := atomic.Bool{}
	v.Runner.OnRun = func(int) error {
		if fails.Load() {
			return errors.New("broken")
		}
		return nil
	}
	r.Serve(abtest.Config{}, v)
	for range 5 {
		predict(t, r.Pipeline, ask{user: "u"})
	}
	predict(t, r.Pipeline, ask{user: "u", features: []models.Value{routertest.Feature("nonsense", "1")}}) // the client's fault
	fails.Store(true)
	predict(t, r.Pipeline, ask{user: "u"})
	if got := v.Lane.Metrics.Outcomes(); got != (router.Outcomes{Requests: 6, Failed: 1}) {
		t.Errorf("%+v", got)
	}
}
