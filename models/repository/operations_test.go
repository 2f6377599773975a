package repository

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

func TestRollbackPins(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	ok(t, b.r.Rollback(within(t), "m"))
	if m, _ := b.r.List().Model("m"); m.Current != 1 || m.Previous != 0 || m.Pin != 1 || m.PinnedUpTo != 2 {
		t.Fatalf("%+v", m)
	}
	b.wantCode(b.r.Rollback(within(t), "m"), CodeConflict, "no version to go back to")
	// A new model under the same, rolled-back number is loaded, not promoted.
	b.write("m/2/model.onnx", onnxFile("again", 0))
	b.eventually("reloaded", func() bool { return b.version("m", 2).SHA256 == hexSum(onnxFile("again", 0)) })
	if b.current("m") != 1 {
		t.Fatal("a version that was rolled back from must not promote itself")
	}
	b.put("m", 3)
	b.eventually("yet higher is promoted", func() bool { return b.current("m") == 3 })
	if m, _ := b.r.List().Model("m"); m.Pin != 0 || m.Previous != 1 {
		t.Errorf("%+v", m)
	}
	ok(t, b.r.Promote(within(t), "m", 2))
	ok(t, b.r.Promote(within(t), "m", 3))
	if m, _ := b.r.List().Model("m"); m.Pin != 0 || m.Current != 3 || m.Previous != 2 {
		t.Errorf("promoting the highest ends the pin: %+v", m)
	}
}

func TestOperations(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.openRepo()
	ctx := within(t)
	b.wantCode(b.r.Load(ctx, "nope", 1), CodeUnknownModel, "")
	b.wantCode(b.r.Load(ctx, "nope", 0), CodeUnknownModel, "")
	b.wantCode(b.r.Rollback(ctx, "nope"), CodeUnknownModel, "")
	b.wantCode(b.r.Unload(ctx, "nope", 1), CodeUnknownModel, "")
	b.wantCode(b.r.Load(ctx, "m", 9), CodeUnknownVersion, "is not there")
	b.wantCode(b.r.Promote(ctx, "m", 9), CodeUnknownVersion, "")
	b.wantCode(b.r.Unload(ctx, "m", 9), CodeUnknownVersion, "")
	b.wantCode(b.r.Promote(ctx, "m", 0), CodeBadRequest, "")
	b.wantCode(b.r.Load(ctx, "../m", 1), CodeBadRequest, "no model name")
	b.wantCode(b.r.Unload(ctx, "m", 4), CodeConflict, "current")
	if n := len(b.r.List().Models); n != 1 {
		t.Errorf("%d models after looking for unknown ones", n)
	}
	// An old version, promoted by number: it is loaded first.
	ok(t, b.r.Promote(ctx, "m", 1))
	if b.current("m") != 1 {
		t.Error("1 is not current")
	}
	ok(t, b.r.Load(ctx, "m", 2))
	for range 3 {
		b.scanned()
	}
	if v := b.version("m", 2); v.State != StateReady {
		t.Errorf("a version loaded by number stays: %+v", v)
	}
	ok(t, b.r.Unload(ctx, "m", 2))
	ok(t, b.r.Unload(ctx, "m", 3))
	for range 3 {
		b.scanned()
	}
	if v := b.version("m", 3); v.State != StateUnloaded {
		t.Errorf("3 is unloaded by number: %+v", v)
	}
	ok(t, b.r.Unload(ctx, "m", 0))
	b.scanned()
	if m, _ := b.r.List().Model("m"); m.Current != 0 || !m.Unloaded || b.loader.open.Load() != 0 {
		t.Errorf("%+v", m)
	}
	ok(t, b.r.Load(ctx, "m", 0))
	if b.current("m") != 4 {
		t.Errorf("current is %d", b.current("m"))
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := b.r.Promote(cancelled, "m", 3); err == nil || b.current("m") != 4 {
		t.Errorf("an operation whose caller has left: %v, current %d", err, b.current("m"))
	}
	b.close()
}

func TestOnChangeRefusalIsUndone(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	ctx := within(t)
	b.refuseChanges(errors.New("experiment risk-v2 needs version 1"))
	before := b.set.Load()
	b.wantCode(b.r.Unload(ctx, "m", 1), CodeConflict, "risk-v2")
	b.wantCode(b.r.Unload(ctx, "m", 0), CodeConflict, "risk-v2")
	b.wantCode(b.r.Promote(ctx, "m", 1), CodeConflict, "risk-v2")
	b.wantCode(b.r.Rollback(ctx, "m"), CodeConflict, "risk-v2")
	b.put("m", 3)
	b.eventually("3 refused", func() bool { return b.version("m", 3).Code == CodeConflict })
	if b.set.Load() != before || b.loader.open.Load() != 2 || b.current("m") != 2 {
		t.Errorf("something changed: %+v, %d open", b.r.List().Models, b.loader.open.Load())
	}
	if m, _ := b.r.List().Model("m"); m.Pin != 0 || m.Unloaded {
		t.Errorf("a refused operation left its mark: %+v", m)
	}
	// Nobody objects any more: it is tried again when somebody asks.
	b.refuseChanges(nil)
	ok(t, b.r.Load(ctx, "m", 3))
	if b.current("m") != 3 {
		t.Error("3 is not served")
	}
}

func TestStateSurvives(t *testing.T) {
	b := newBench(t)
	b.o.StateFile = b.path(".hotpath", "state.json")
	ok(t, os.Mkdir(b.path(".hotpath"), 0o755))
	for _, m := range []string{"m", "off"} {
		for v := 1; v <= 4; v++ {
			b.put(m, v)
		}
	}
	b.openRepo()
	ctx := within(t)
	ok(t, b.r.Promote(ctx, "m", 1))
	ok(t, b.r.Unload(ctx, "m", 3))
	ok(t, b.r.Unload(ctx, "off", 0))
	b.close()
	for range 2 {
		b.openRepo()
		m, _ := b.r.List().Model("m")
		off, _ := b.r.List().Model("off")
		if m.Current != 1 || m.Pin != 1 || m.PinnedUpTo != 4 || b.version("m", 3).State != StateUnloaded || off.Current != 0 || !off.Unloaded {
			t.Fatalf("%+v %+v", m, off)
		}
		b.close()
	}
	// The pinned one is gone: rather an older one, or any, than none.
	ok(t, os.RemoveAll(b.path("m/1")))
	b.openRepo()
	if b.current("m") != 4 {
		t.Errorf("current is %d", b.current("m"))
	}
	b.close()
	ok(t, os.WriteFile(b.o.StateFile, []byte("{broken"), 0o644))
	b.openRepo()
	if m, _ := b.r.List().Model("off"); m.Current != 4 {
		t.Errorf("a broken state file must not stop the start: %+v", m)
	}
}

func TestStateNotWritable(t *testing.T) {
	b := newBench(t)
	b.o.StateFile = b.path("m", "1", "model.onnx", "state.json") // below a file
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	ok(t, b.r.Rollback(within(t), "m"))
	if b.current("m") != 1 {
		t.Error("rollback did nothing")
	}
}

func TestConcurrent(t *testing.T) {
	b := newBench(t)
	b.o.KeepVersions = 4
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.openRepo()
	ctx := within(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 25 {
				if i%5 == 4 {
					var e *Error
					if err := b.r.Rollback(ctx, "m"); err != nil && (!errors.As(err, &e) || e.Code != CodeConflict) {
						t.Error(err)
					}
				} else if err := b.r.Promote(ctx, "m", 1+(g+i)%4); err != nil {
					t.Error(err)
				}
				if s := b.r.List(); len(s.Models) != 1 || s.Models[0].Current == 0 {
					t.Errorf("%+v", s)
				}
			}
		})
	}
	wg.Wait()
	if n := b.loader.open.Load(); n != 4 || b.loader.count("m") != 4 {
		t.Errorf("%d open, %d loads", n, b.loader.count("m"))
	}
}

func TestUnloadWhileLoading(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.openRepo()
	hold := make(chan struct{})
	b.loader.hold = map[string]chan struct{}{"m/2": hold}
	b.put("m", 2)
	b.eventually("loading", func() bool { return b.loader.count("m/2") == 1 })
	ok(t, b.r.Unload(within(t), "m", 2))
	close(hold)
	b.eventually("closed again", func() bool { return b.version("m", 2).State == StateUnloaded && b.loader.open.Load() == 1 })
	if b.current("m") != 1 {
		t.Error("an unloaded version was promoted")
	}
}
