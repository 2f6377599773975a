package repository

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestSetLabel(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.openRepo()
	ctx := within(t)
	// An old version is loaded first, and stays for as long as it is named.
	ok(t, b.r.SetLabel(ctx, "m", "stable", 1))
	b.wantLabels("m", map[string]int{"stable": 1})
	b.wantLoaded("m", 1, 3, 4)
	if b.current("m") != 4 {
		t.Error("a label promotes nothing")
	}
	m, _ := b.r.List().Model("m")
	if !slices.Equal(m.Labels, []Label{{Label: "stable", Version: 1, Wanted: 1, Set: true}}) {
		t.Errorf("%+v", m.Labels)
	}
	b.wantCode(b.r.Unload(ctx, "m", 1), CodeConflict, "label stable names it")
	ok(t, b.r.SetLabel(ctx, "m", "stable", 2))
	ok(t, b.r.SetLabel(ctx, "m", "canary", 4))
	b.wantLabels("m", map[string]int{"stable": 2, "canary": 4})
	b.wantLoaded("m", 2, 3, 4)
	ok(t, b.r.SetLabel(ctx, "m", "stable", 0))
	b.wantLoaded("m", 3, 4)
	ok(t, b.r.Unload(ctx, "m", 0))
	b.scanned()
	if m, _ := b.r.List().Model("m"); len(m.Labels) > 0 {
		t.Errorf("an unloaded model has labels: %+v", m.Labels)
	}
	// A label brings a model back, as Promote does.
	ok(t, b.r.SetLabel(ctx, "m", "stable", 3))
	b.wantLabels("m", map[string]int{"stable": 3})
}

func TestLabelErrors(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.write("m/3/model.onnx", []byte("PK\x03\x04"))
	b.write("m/config.yaml", []byte("labels: {fixed: 1}\n"))
	b.openRepo()
	ctx := within(t)
	for _, label := range []string{"", "7", "007", ".x", "-x", "a b", "ü", "a/b", strings.Repeat("x", 65)} {
		b.wantCode(b.r.SetLabel(ctx, "m", label, 1), CodeBadRequest, "is no label")
	}
	ok(t, b.r.SetLabel(ctx, "m", strings.Repeat("x", 64), 1))
	b.wantCode(b.r.SetLabel(ctx, "../m", "a", 1), CodeBadRequest, "no model name")
	b.wantCode(b.r.SetLabel(ctx, "nope", "a", 1), CodeUnknownModel, "")
	b.wantCode(b.r.SetLabel(ctx, "nope", "a", 0), CodeUnknownModel, "")
	b.wantCode(b.r.SetLabel(ctx, "m", "a", 9), CodeUnknownVersion, "")
	b.wantCode(b.r.SetLabel(ctx, "m", "a", -1), CodeBadRequest, "")
	b.wantCode(b.r.SetLabel(ctx, "m", "a", 3), CodeBadModel, "zip")
	b.wantCode(b.r.SetLabel(ctx, "m", "a", 0), CodeUnknownLabel, "no label a")
	b.wantCode(b.r.SetLabel(ctx, "m", "fixed", 0), CodeConflict, "config.yaml")
	b.refuseChanges(errors.New("experiment e needs it"))
	b.wantCode(b.r.SetLabel(ctx, "m", "fixed", 2), CodeConflict, "experiment e")
	b.refuseChanges(nil)
	if got := b.labels("m"); got["fixed"] != 1 || len(got) != 2 {
		t.Errorf("%v", got)
	}
	for i := range maxSetLabels - 1 {
		ok(t, b.r.SetLabel(ctx, "m", fmt.Sprint("l", i), 1))
	}
	b.wantCode(b.r.SetLabel(ctx, "m", "more", 1), CodeConflict, "remove one first")
	b.close()
	b.wantCode(closed(b).SetLabel(ctx, "m", "a", 1), CodeClosed, "")
}

// closed is a repository of the same directory that has been closed.
func closed(b *bench) *Repository {
	b.openRepo()
	r := b.r
	b.close()
	return r
}

func TestLabelOfTheFile(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.write("m/config.yaml", []byte("labels: {stable: 1, next: 7}\n"))
	b.openRepo()
	b.wantLabels("m", map[string]int{"stable": 1})
	b.wantLoaded("m", 1, 3, 4)
	// One that is set comes before the file's; without it that holds again.
	ok(t, b.r.SetLabel(within(t), "m", "stable", 3))
	b.wantLabels("m", map[string]int{"stable": 3})
	b.replace("m/config.yaml", "labels: {stable: 2, next: 7}\n")
	b.wantLoaded("m", 3, 4)
	ok(t, b.r.SetLabel(within(t), "m", "stable", 0))
	b.wantLabels("m", map[string]int{"stable": 2})
	b.wantLoaded("m", 2, 3, 4)
	m, _ := b.r.List().Model("m")
	if !slices.Equal(m.Labels, []Label{{Label: "next", Wanted: 7}, {Label: "stable", Version: 2, Wanted: 2}}) {
		t.Errorf("%+v", m.Labels)
	}
	b.put("m", 7)
	b.wantLabels("m", map[string]int{"stable": 2, "next": 7})
}

// While the version that a label shall name is loading, or if it is refused, the
// label stays with the one that it named: there is no moment without.
func TestLabelWaitsForItsVersion(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.put("m", 3)
	b.write("m/config.yaml", []byte("version_policy: {latest: 1}\nlabels: {stable: 1}\n"))
	b.openRepo()
	b.wantLoaded("m", 1, 3)
	hold := make(chan struct{})
	b.loader.hold = map[string]chan struct{}{"m/2": hold}
	b.replace("m/config.yaml", "version_policy: {latest: 1}\nlabels: {stable: 2}\n")
	b.eventually("loading", func() bool { return b.loader.count("m/2") == 1 })
	b.wantLabels("m", map[string]int{"stable": 1})
	if m, _ := b.r.List().Model("m"); m.Labels[0] != (Label{Label: "stable", Version: 1, Wanted: 2}) {
		t.Errorf("%+v", m.Labels)
	}
	close(hold)
	b.wantLabels("m", map[string]int{"stable": 2})
	b.wantLoaded("m", 2, 3)
	b.write("m/5/model.onnx", []byte("PK\x03\x04"))
	b.replace("m/config.yaml", "version_policy: {latest: 1}\nlabels: {stable: 5}\n")
	b.eventually("refused", func() bool { return b.version("m", 5).State == StateRefused })
	for range 3 {
		b.scanned()
	}
	b.wantLabels("m", map[string]int{"stable": 2})
	b.wantLoaded("m", 2, 3)
	// A labelled version whose folder is gone serves on.
	ok(t, os.RemoveAll(b.path("m/2")))
	b.eventually("missing", func() bool { return b.version("m", 2).MissingOnDisk })
	for range 20 {
		b.scanned()
	}
	b.wantLabels("m", map[string]int{"stable": 2})
}

func TestLabelsSurvive(t *testing.T) {
	b := newBench(t)
	state := t.TempDir()
	b.o.StateFile = filepath.Join(state, "state.json")
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.openRepo()
	ok(t, b.r.SetLabel(within(t), "m", "stable", 1))
	ok(t, b.r.SetLabel(within(t), "m", "canary", 2))
	ok(t, b.r.SetLabel(within(t), "m", "canary", 0))
	b.close()
	b.openRepo()
	b.wantLabels("m", map[string]int{"stable": 1})
	b.close()
	// A crash leaves a half-written file of another name, or the old one.
	ok(t, os.WriteFile(filepath.Join(state, ".state-123.tmp"), []byte(`{"format":1,"models":{"m":{"lab`), 0o644))
	b.openRepo()
	b.wantLabels("m", map[string]int{"stable": 1})
	b.close()
	// A label whose version is gone names nothing, and keeps nothing from starting.
	ok(t, os.RemoveAll(b.path("m/1")))
	b.openRepo()
	b.wantLabels("m", nil)
	if m, _ := b.r.List().Model("m"); m.Current != 4 || m.Labels[0] != (Label{Label: "stable", Wanted: 1, Set: true}) {
		t.Errorf("%+v", m)
	}
	b.put("m", 1)
	b.wantLabels("m", map[string]int{"stable": 1})
	b.close()
	// Labels that no operator could have set are not believed.
	ok(t, os.WriteFile(b.o.StateFile, []byte(`{"format":1,"models":{"m":{"pin":3,"up_to":4,"labels":{"stable":1,"7":2,"zero":0,"far":-1}}}}`), 0o644))
	b.openRepo()
	b.wantLabels("m", map[string]int{"stable": 1})
	if m, _ := b.r.List().Model("m"); len(m.Labels) != 1 || m.Current != 3 {
		t.Errorf("%+v", m)
	}
}

// The state file is whole at every moment while labels move.
func TestStateFileIsAlwaysWhole(t *testing.T) {
	b := newBench(t)
	b.o.StateFile = filepath.Join(t.TempDir(), "state.json")
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	ok(t, b.r.SetLabel(within(t), "m", "a", 1))
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			saved, err := readState(b.o.StateFile)
			if err != nil || saved["m"] == nil || saved["m"].Labels["a"] == 0 {
				t.Errorf("%v %+v", err, saved["m"])
				return
			}
		}
	})
	for i := range 50 {
		ok(t, b.r.SetLabel(within(t), "m", "a", 1+i%2))
	}
	stop.Store(true)
	wg.Wait()
}

// Labels move, versions come and go, files change: in no set does a label name a
// version that is not loaded or closed (the bench looks at every set, readers at
// the one of the moment).
func TestLabelsMoveUnderLoad(t *testing.T) {
	b := newBench(t)
	b.o.KeepVersions = 2
	for v := 1; v <= 6; v++ {
		b.put("m", v)
	}
	b.openRepo()
	ok(t, b.r.SetLabel(within(t), "m", "stable", 1))
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !stop.Load() {
				m := b.set.Load().Models["m"]
				if l := m.Version(m.Labels["stable"]); l == nil {
					t.Errorf("label stable names version %d of %+v", m.Labels["stable"], m)
					return
				}
				time.Sleep(20 * time.Microsecond)
			}
		})
	}
	ctx := within(t)
	for g := range 3 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for range 25 {
				var err error
				switch n := 1 + random.IntN(6); random.IntN(5) {
				case 0:
					err = b.r.Promote(ctx, "m", n)
				case 1:
					err = b.r.Unload(ctx, "m", n)
				case 2:
					err = b.r.SetLabel(ctx, "m", "canary", n)
				default:
					err = b.r.SetLabel(ctx, "m", "stable", n)
				}
				var e *Error
				if err != nil && (!errors.As(err, &e) || e.Code != CodeConflict) {
					t.Error(err)
				}
			}
		})
	}
	writers.Go(func() {
		for i := range 10 {
			b.replace("m/config.yaml", fmt.Sprintf("labels: {file: %d}\n", 1+i%6))
			b.scanned()
		}
	})
	writers.Wait()
	stop.Store(true)
	readers.Wait()
}
