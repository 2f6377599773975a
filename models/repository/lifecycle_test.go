package repository

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestChangeInPlace(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.openRepo()
	first := b.set.Load().Models["m"].Version(1).Served.(*fakeServed)
	// Touched, but the same: nothing is loaded.
	later := time.Now().Add(time.Second)
	ok(t, os.Chtimes(b.path("m/1/model.onnx"), later, later))
	b.eventually("looked at", func() bool { return !b.version("m", 1).Loading })
	b.scanned()
	b.scanned()
	if n := b.loader.count("m/1"); n != 1 {
		t.Fatalf("loaded %d times", n)
	}
	// Overwritten by garbage and truncated: what serves is not touched.
	b.write("m/1/model.onnx", []byte("garbage, not a model"))
	b.eventually("refused", func() bool { return b.version("m", 1).Code == CodeBadModel })
	if v := b.version("m", 1); v.State != StateReady || first.closed.Load() != 0 || string(first.c.Data) != string(onnxFile("m/1", 0)) {
		t.Fatalf("%+v, closed %d", v, first.closed.Load())
	}
	ok(t, os.Truncate(b.path("m/1/model.onnx"), 0))
	b.eventually("refused again", func() bool { return strings.Contains(b.version("m", 1).Reason, "empty") })
	// Replaced by another model: loaded beside, swapped, the first closed.
	b.write("m/1/model.onnx", onnxFile("better", 0))
	b.eventually("reloaded", func() bool { return b.version("m", 1).SHA256 == hexSum(onnxFile("better", 0)) })
	if v := b.version("m", 1); v.Code != "" || first.closed.Load() != 1 {
		t.Errorf("%+v, closed %d", v, first.closed.Load())
	}
}

func TestRefusedIsNotTriedAgain(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.loader.setFail("m/2", errors.New("scores NaN"))
	b.openRepo()
	for range 3 {
		b.scanned()
	}
	later := time.Now().Add(time.Second)
	ok(t, os.Chtimes(b.path("m/2/model.onnx"), later, later))
	for range 3 {
		b.scanned()
	}
	if n := b.loader.count("m/2"); n != 1 {
		t.Errorf("loaded %d times", n)
	}
	b.wantCode(b.r.Load(within(t), "m", 2), CodeBadModel, "scores NaN")
	if n := b.loader.count("m/2"); n != 2 || b.current("m") != 1 {
		t.Errorf("loaded %d times, current %d", n, b.current("m"))
	}
	b.loader.setFail("m/2", nil)
	ok(t, b.r.Load(within(t), "m", 2))
	if b.current("m") != 2 {
		t.Error("a higher version is promoted after an explicit load too")
	}
}

func TestDelete(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 3; v++ {
		b.put("m", v)
	}
	b.openRepo()
	ok(t, os.RemoveAll(b.path("m/2")))
	b.eventually("1 in the place of 2", func() bool {
		m, _ := b.r.List().Model("m")
		return m.Current == 3 && m.Previous == 1
	})
	ok(t, os.RemoveAll(b.path("m/3")))
	b.eventually("1 serves", func() bool { return b.current("m") == 1 })
	b.eventually("3 closed", func() bool { return b.loader.open.Load() == 1 })
	ok(t, os.RemoveAll(b.path("m")))
	b.eventually("missing", func() bool { return b.version("m", 1).MissingOnDisk })
	for range 20 { // longer than settle
		b.scanned()
	}
	if v := b.version("m", 1); v.State != StateReady || b.current("m") != 1 || b.loader.open.Load() != 1 {
		t.Fatalf("the last version must serve on: %+v", v)
	}
	b.put("m", 4)
	b.eventually("4 serves, 1 gone", func() bool {
		m, _ := b.r.List().Model("m")
		return m.Current == 4 && len(m.Versions) == 1
	})
	ok(t, os.RemoveAll(b.path("m")))
	b.eventually("missing", func() bool { return b.version("m", 4).MissingOnDisk })
	ok(t, b.r.Unload(within(t), "m", 0))
	b.eventually("forgotten", func() bool { return len(b.r.List().Models) == 0 })
}

func TestRemovalRefused(t *testing.T) {
	b := newBench(t)
	b.o.OnChange = func(s *Set) error {
		if m := s.Models["m"]; m == nil || m.Version(1) == nil {
			return errors.New("experiment needs version 1")
		}
		return b.onChange(s)
	}
	b.put("m", 1)
	b.openRepo()
	for v := 2; v <= 4; v++ {
		b.put("m", v)
		b.eventually("promoted", func() bool { return b.current("m") == v })
	}
	for range 3 {
		b.scanned()
	}
	var have []int
	for _, l := range b.set.Load().Models["m"].Versions {
		have = append(have, l.Version)
	}
	if fmt.Sprint(have) != "[1 3 4]" {
		t.Errorf("loaded %v", have)
	}
}

func TestPinnedByExperiments(t *testing.T) {
	b := newBench(t)
	b.o.Pinned = func(string) []int { return []int{1, int(b.pin.Load())} }
	for v := 1; v <= 5; v++ {
		b.put("m", v)
	}
	b.openRepo()
	if v := b.version("m", 1); v.State != StateReady || b.loader.open.Load() != 3 {
		t.Errorf("%+v, %d open", v, b.loader.open.Load())
	}
	b.wantCode(b.r.Unload(within(t), "m", 1), CodeConflict, "experiment")
	// An experiment starts that needs an old version.
	b.pin.Store(2)
	b.r.Rescan()
	b.eventually("pinned one loaded", func() bool { return b.version("m", 2).State == StateReady })
	ok(t, os.RemoveAll(b.path("m/1")))
	b.eventually("missing", func() bool { return b.version("m", 1).MissingOnDisk })
	for range 20 {
		b.scanned()
	}
	if v := b.version("m", 1); v.State != StateReady {
		t.Errorf("%+v", v)
	}
}

// Promotions, rollbacks and readers at once; the bench checks every set.
func TestSlowLoadDoesNotHoldOthersUp(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	hold := make(chan struct{})
	b.loader.hold = map[string]chan struct{}{"m/3": hold, "n/1": hold}
	b.put("m", 3)
	b.put("n", 1)
	b.eventually("loading", func() bool { return b.loader.count("m/3") == 1 && b.loader.count("n/1") == 1 })
	if v := b.version("m", 3); v.State != StateLoading {
		t.Errorf("%+v", v)
	}
	ok(t, b.r.Rollback(within(t), "m"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	b.wantCode(b.r.Load(ctx, "m", 3), CodeDeadline, "not over in time")
	close(hold)
	b.eventually("loaded", func() bool { return b.version("m", 3).State == StateReady && b.current("n") == 1 })
	if b.current("m") != 1 {
		t.Error("3 was known when the model was rolled back")
	}
}

func TestLoadTimeoutAndPanic(t *testing.T) {
	b := newBench(t)
	b.o.LoadTimeout = 30 * time.Millisecond
	b.o.Trial = func(_ context.Context, data []byte) error {
		if strings.Contains(string(data), "panic") {
			panic("boom")
		}
		if strings.Contains(string(data), "trial") {
			return errors.New("child died of signal 11")
		}
		return nil
	}
	b.put("slow", 1)
	b.write("p/1/model.onnx", onnxFile("panic", 0))
	b.write("t/1/model.onnx", onnxFile("trial", 0))
	b.loader.hold = map[string]chan struct{}{"slow/1": make(chan struct{})}
	b.openRepo()
	for model, want := range map[string]string{"slow": "deadline", "p": "panic while loading: boom", "t": "signal 11"} {
		if v := b.version(model, 1); v.State != StateRefused || !strings.Contains(v.Reason, want) {
			t.Errorf("%s: %+v", model, v)
		}
	}
}

// stuckLoader heeds no context.
type stuckLoader struct {
	fakeLoader
	release chan struct{}
}

func (l *stuckLoader) Load(ctx context.Context, c Candidate) (Served, error) {
	if c.Model == "stuck" {
		<-l.release
	}
	return l.fakeLoader.Load(context.WithoutCancel(ctx), c)
}

func TestStuckLoader(t *testing.T) {
	b := newBench(t)
	b.o.LoadTimeout = 20 * time.Millisecond
	b.put("stuck", 1)
	b.put("m", 1)
	stuck := &stuckLoader{release: make(chan struct{})}
	r, err := Open(b.o, stuck)
	ok(t, err)
	b.r = r
	b.eventually("given up, others serve", func() bool { return b.version("stuck", 1).State == StateRefused && b.current("m") == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close with a stuck load: %v", err)
	}
	close(stuck.release)
	b.close()
	if n := stuck.open.Load(); n != 0 {
		t.Errorf("%d versions left open", n)
	}
}

func TestDirectoryGone(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	ok(t, os.Rename(b.dir, b.dir+".away"))
	b.eventually("noticed", func() bool { return b.r.List().ScanError != "" })
	if b.current("m") != 2 || b.loader.open.Load() != 2 {
		t.Error("what was loaded must serve on")
	}
	ok(t, os.Rename(b.dir+".away", b.dir))
	b.eventually("back", func() bool { return b.r.List().ScanError == "" })
	b.put("m", 3)
	b.eventually("promoted", func() bool { return b.current("m") == 3 })
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(Options{}, nil); err == nil || !strings.Contains(err.Error(), "Dir is empty") {
		t.Errorf("got %v", err)
	}
	bad := DefaultOptions(t.TempDir())
	bad.Defaults.Instances = 0
	if _, err := Open(bad, nil); err == nil || !strings.Contains(err.Error(), "Defaults: instances") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(DefaultOptions(t.TempDir()+"/none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestMetrics(t *testing.T) {
	b := newBench(t)
	reg := prometheus.NewPedanticRegistry()
	b.o.Registerer = reg
	b.put("m", 1)
	b.put("m", 2)
	b.write("bad/1/model.onnx", []byte("PK\x03\x04"))
	b.openRepo()
	const want = `
# HELP hotpath_model_current_version Version that answers requests which name none.
# TYPE hotpath_model_current_version gauge
hotpath_model_current_version{model="m"} 2
# HELP hotpath_model_loads_total Attempts to load a model version, by result: ok, refused, timeout.
# TYPE hotpath_model_loads_total counter
hotpath_model_loads_total{model="bad",result="refused"} 1
hotpath_model_loads_total{model="m",result="ok"} 2
# HELP hotpath_model_versions_loaded Versions of a model that are loaded.
# TYPE hotpath_model_versions_loaded gauge
hotpath_model_versions_loaded{model="m"} 2
`
	names := []string{"hotpath_model_current_version", "hotpath_model_loads_total", "hotpath_model_versions_loaded"}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	ok(t, os.RemoveAll(b.path("bad")))
	b.eventually("series gone", func() bool {
		n, err := testutil.GatherAndCount(reg, "hotpath_model_loads_total")
		return err == nil && n == 1
	})
}
