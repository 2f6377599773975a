package repository

import (
	"os"
	"slices"
	"testing"
)

// deployed is a bench with versions 1 and 2, 2 current, and a state file.
func deployed(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.o.StateFile = b.path(".state.json")
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	return b
}

// reopen is a restart of the process.
func (b *bench) reopen(undone ...Undo) {
	b.t.Helper()
	b.close()
	b.o.Undone = undone
	b.openRepo()
}

func TestAHeldVersionIsLoadedAndNeverElected(t *testing.T) {
	b := deployed(t)
	ctx := within(t)
	ok(t, b.r.Hold(ctx, "m", 3))
	b.wantCode(b.r.Hold(ctx, "m", 3), CodeConflict, "holds it already")
	b.wantCode(b.r.Hold(ctx, "m", 2), CodeConflict, "current")
	b.put("m", 3)
	ok(t, b.r.Load(ctx, "m", 3))
	held := func() {
		t.Helper()
		m, _ := b.r.List().Model("m")
		if v, _ := m.Version(3); m.Current != 2 || m.Previous != 1 || v.State != StateReady || !v.Held {
			t.Fatalf("%+v", m)
		}
	}
	held()
	b.wantCode(b.r.Promote(ctx, "m", 3), CodeConflict, "a deployment holds it")
	b.wantCode(b.r.Unload(ctx, "m", 3), CodeConflict, "a deployment holds it")
	for range 3 {
		b.scanned()
	}
	held()
	ok(t, b.r.Rollback(ctx, "m"))
	ok(t, b.r.Promote(ctx, "m", 2))
	held()
	// The folder of what serves goes: a held version does not take its place.
	ok(t, os.RemoveAll(b.path("m", "2")))
	b.eventually("1 serves", func() bool { return b.current("m") == 1 })
	ok(t, b.r.Release(ctx, "m", 3))
	if m, _ := b.r.List().Model("m"); m.Current != 3 || m.Previous != 1 || m.Pin != 0 || b.version("m", 3).Held {
		t.Errorf("%+v", m)
	}
	b.wantCode(b.r.Release(ctx, "m", 9), CodeConflict, "not loaded")
}

func TestUndoingAHold(t *testing.T) {
	b := deployed(t)
	ctx := within(t)
	for _, removed := range []bool{true, false} {
		ok(t, b.r.Hold(ctx, "m", 3))
		b.put("m", 3)
		ok(t, b.r.Load(ctx, "m", 3))
		if removed {
			ok(t, os.RemoveAll(b.path("m", "3")))
		}
		u := Undo{Model: "m", Version: 3, Back: 2, Removed: removed}
		for range 2 { // twice does no harm
			ok(t, b.r.Undo(ctx, u))
		}
		for range 3 {
			b.scanned()
		}
		m, _ := b.r.List().Model("m")
		v, there := m.Version(3)
		if m.Current != 2 || m.Pin != 0 || there == removed || v.Held || !removed && v.State != StateUnloaded {
			t.Errorf("removed %t: %+v", removed, m)
		}
	}
	// A hold on what never came leaves nothing behind.
	ok(t, b.r.Hold(ctx, "new", 1))
	ok(t, b.r.Undo(ctx, Undo{Model: "new", Version: 1, Removed: true}))
	if _, there := b.r.List().Model("new"); there {
		t.Error("a model without versions is listed")
	}
}

func TestUndoingARelease(t *testing.T) {
	b := deployed(t)
	ctx := within(t)
	ok(t, b.r.Rollback(ctx, "m")) // pins 1, up to 2
	release := func() {
		t.Helper()
		ok(t, b.r.Hold(ctx, "m", 3))
		b.put("m", 3)
		ok(t, b.r.Load(ctx, "m", 3))
		ok(t, b.r.Release(ctx, "m", 3))
		if m, _ := b.r.List().Model("m"); m.Current != 3 || m.Previous != 1 || m.Pin != 0 {
			t.Fatalf("%+v", m)
		}
		ok(t, os.RemoveAll(b.path("m", "3")))
	}
	undo := Undo{Model: "m", Version: 3, Released: true, Back: 1, Pin: 1, PinnedUpTo: 2, Removed: true}
	back := func(how string) {
		t.Helper()
		b.scanned()
		m, _ := b.r.List().Model("m")
		if _, there := m.Version(3); m.Current != 1 || m.Pin != 1 || m.PinnedUpTo != 2 || there {
			t.Errorf("%s: %+v", how, m)
		}
	}
	release()
	ok(t, b.r.Undo(ctx, undo))
	back("undone")
	release()
	b.reopen(undo)
	back("undone at the next start")
}

// TestTheFirstVersionOfAModel: with nothing to serve beside it, a held version is
// loaded and waits outside of the set.
func TestTheFirstVersionOfAModel(t *testing.T) {
	b := deployed(t)
	ctx := within(t)
	hold := func() {
		t.Helper()
		ok(t, b.r.Hold(ctx, "new", 1))
		b.put("new", 1)
		ok(t, b.r.Load(ctx, "new", 1))
		for range 3 {
			b.scanned()
		}
		if m, _ := b.r.List().Model("new"); m.Current != 0 || b.version("new", 1).State != StateReady || b.set.Load().Models["new"] != nil {
			t.Fatalf("%+v", m)
		}
	}
	hold()
	ok(t, os.RemoveAll(b.path("new")))
	ok(t, b.r.Undo(ctx, Undo{Model: "new", Version: 1, Removed: true}))
	b.eventually("forgotten", func() bool { _, there := b.r.List().Model("new"); return !there })
	hold()
	ok(t, b.r.Release(ctx, "new", 1))
	if b.current("new") != 1 {
		t.Error("not current")
	}
	ok(t, os.RemoveAll(b.path("new")))
	ok(t, b.r.Undo(ctx, Undo{Model: "new", Version: 1, Released: true, Removed: true}))
	b.eventually("forgotten", func() bool { _, there := b.r.List().Model("new"); return !there })
}

// TestUndoingWhatAnExperimentNeeds: it stays loaded, and is not elected.
func TestUndoingWhatAnExperimentNeeds(t *testing.T) {
	b := deployed(t)
	b.close()
	b.o.Pinned = func(model string) []int {
		return slices.DeleteFunc([]int{int(b.pin.Load())}, func(n int) bool { return model != "m" || n == 0 })
	}
	b.openRepo()
	ctx := within(t)
	ok(t, b.r.Hold(ctx, "m", 3))
	b.put("m", 3)
	ok(t, b.r.Load(ctx, "m", 3))
	ok(t, b.r.Release(ctx, "m", 3))
	b.pin.Store(3)
	b.wantCode(b.r.Undo(ctx, Undo{Model: "m", Version: 3, Released: true, Back: 2}), CodeConflict, "an experiment needs it")
	for range 3 {
		b.scanned()
	}
	if m, _ := b.r.List().Model("m"); m.Current != 2 || m.Pin != 2 || b.version("m", 3).State != StateReady || b.version("m", 3).Held {
		t.Errorf("%+v", m)
	}
}

// TestAVersionLoadedBefore is deployed again and taken back.
func TestAVersionLoadedBefore(t *testing.T) {
	b := deployed(t)
	ctx := within(t)
	ok(t, b.r.Rollback(ctx, "m"))
	ok(t, b.r.Hold(ctx, "m", 2))
	ok(t, b.r.Load(ctx, "m", 2))
	ok(t, b.r.Release(ctx, "m", 2))
	if b.current("m") != 2 {
		t.Fatal("2 is not current")
	}
	ok(t, b.r.Undo(ctx, Undo{Model: "m", Version: 2, Released: true, Back: 1, Pin: 1, PinnedUpTo: 2, Loaded: true}))
	b.scanned()
	if m, _ := b.r.List().Model("m"); m.Current != 1 || m.Pin != 1 || b.version("m", 2).State != StateReady {
		t.Errorf("%+v", m)
	}
}

// TestAHoldWithoutADeployment does not outlast the process that knew of it.
func TestAHoldWithoutADeployment(t *testing.T) {
	b := deployed(t)
	ctx := within(t)
	ok(t, b.r.Hold(ctx, "m", 3))
	b.put("m", 3)
	ok(t, b.r.Load(ctx, "m", 3))
	b.reopen()
	if m, _ := b.r.List().Model("m"); m.Current != 2 || b.version("m", 3).Held || b.version("m", 3).State != StateUnloaded {
		t.Errorf("%+v", m)
	}
	ok(t, b.r.Promote(within(t), "m", 3))
}

// TestHoldInExplicitMode: what a deployment asks for is loaded there too.
func TestHoldInExplicitMode(t *testing.T) {
	b := newBench(t)
	b.o.Mode, b.o.Load = ModeExplicit, []string{"m"}
	b.put("m", 1)
	b.openRepo()
	ctx := within(t)
	for _, model := range []string{"m", "new"} {
		n := 2
		if model == "new" {
			n = 1
		}
		ok(t, b.r.Hold(ctx, model, n))
		b.put(model, n)
		ok(t, b.r.Load(ctx, model, n))
		if b.current(model) == n {
			t.Errorf("%s/%d is current while it is held", model, n)
		}
		ok(t, b.r.Release(ctx, model, n))
		if b.current(model) != n {
			t.Errorf("%s/%d is not current", model, n)
		}
	}
}
