package repository

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// explicit is a repository with models a, b and c, of versions 1 to 3.
func explicit(t *testing.T, load ...string) *bench {
	b := newBench(t)
	b.o.Mode, b.o.Load = ModeExplicit, load
	for _, m := range []string{"a", "b", "c"} {
		for v := 1; v <= 3; v++ {
			b.put(m, v)
		}
	}
	return b
}

// wantStays looks that nothing is loaded for as long as it would take.
func (b *bench) wantStays(model string, want ...int) {
	b.t.Helper()
	time.Sleep(2 * b.o.Settle)
	b.scanned()
	b.scanned()
	if got := b.loaded(model); !slices.Equal(got, want) {
		b.t.Errorf("%s has %v loaded, want %v", model, got, want)
	}
}

func TestExplicitLoadsWhatIsListed(t *testing.T) {
	b := explicit(t, "a", "absent")
	b.write("a/config.yaml", []byte("version_policy: {specific: [1, 3]}\nlabels: {stable: 2}\n"))
	b.write("b/config.yaml", []byte("labels: {stable: 2}\n"))
	b.openRepo()
	b.wantLoaded("a", 1, 2, 3)
	b.wantStays("b")
	if s := b.r.List(); s.Mode != ModeExplicit || len(s.Models) != 3 || b.version("b", 3).State != StateUnloaded {
		t.Errorf("what is not loaded is seen: %+v", s.Models)
	}
	b.close()
	b = explicit(t, AllModels)
	b.openRepo()
	for _, m := range []string{"a", "b", "c"} {
		b.wantLoaded(m, 2, 3)
	}
	b.close()
	b = explicit(t)
	b.openRepo()
	if n := len(b.loader.loads); n != 0 {
		t.Errorf("%d loads although nothing was asked for", n)
	}
}

func TestExplicitHeedsNoFiles(t *testing.T) {
	b := explicit(t, "a")
	b.openRepo()
	b.wantLoaded("a", 2, 3)
	loads := b.loader.count("")
	b.put("a", 4)
	b.write("a/3/model.onnx", onnxFile("changed", 0))
	b.write("a/config.yaml", []byte("labels: {stable: 2}\nversion_policy: {all: true}\nthreads: 2\n"))
	b.put("d", 1)
	ok(t, os.RemoveAll(b.path("a/2")))
	b.wantStays("a", 2, 3)
	b.wantStays("d")
	if v := b.version("a", 4); v.State != StateUnloaded || !b.version("a", 2).MissingOnDisk || b.loader.count("") != loads {
		t.Errorf("%+v, %d loads", v, b.loader.count(""))
	}
	if got := b.labels("a"); len(got) != 0 {
		t.Errorf("labels %v", got)
	}
	// Loading the model takes all of it in.
	ok(t, b.r.LoadModel(within(t), "a"))
	b.wantLoaded("a", 1, 2, 3, 4)
	b.wantLabels("a", map[string]int{"stable": 2})
	set := b.set.Load().Models["a"]
	if set.Current != 4 || set.Version(3).SHA256 != hexSum(onnxFile("changed", 0)) || set.Version(3).Config.Threads != 2 {
		t.Errorf("%+v", set)
	}
	b.put("a", 5)
	b.wantStays("a", 1, 2, 3, 4)
}

func TestExplicitOperations(t *testing.T) {
	b := explicit(t)
	b.o.StateFile = filepath.Join(t.TempDir(), "state.json")
	b.openRepo()
	ctx := within(t)
	ok(t, b.r.Load(ctx, "a", 1))
	b.wantLoaded("a", 1)
	ok(t, b.r.Promote(ctx, "a", 2))
	b.wantLoaded("a", 1, 2)
	ok(t, b.r.SetLabel(ctx, "b", "stable", 2))
	b.wantLoaded("b", 2)
	ok(t, b.r.LoadModel(ctx, "c"))
	b.wantLoaded("c", 2, 3)
	b.close()
	// The next process loads what was asked of this one, and no more.
	b.put("a", 4)
	b.openRepo()
	b.wantStays("a", 1, 2)
	b.wantLoaded("b", 2)
	b.wantLoaded("c", 2, 3)
	if b.current("a") != 2 || b.labels("b")["stable"] != 2 {
		t.Errorf("a serves %d, b has %v", b.current("a"), b.labels("b"))
	}
	ok(t, b.r.Unload(ctx, "c", 0))
	ok(t, b.r.SetLabel(ctx, "b", "stable", 3))
	b.wantLoaded("b", 2, 3) // what the label named before is still one of the newest
	ok(t, b.r.Unload(ctx, "a", 1))
	b.close()
	b.openRepo()
	b.wantStays("a", 2)
	b.wantLoaded("b", 3)
	b.wantLoaded("c")
}

func TestExplicitStartsWhatExperimentsNeed(t *testing.T) {
	b := explicit(t)
	b.o.Pinned = func(model string) []int {
		if model == "b" {
			return []int{1}
		}
		return nil
	}
	b.openRepo()
	b.wantStays("a")
	b.wantStays("b", 1)
}

func TestLoadModel(t *testing.T) {
	b := newBench(t)
	b.o.Poll, b.o.Settle, b.o.Mode = time.Hour, time.Hour, ModePoll
	for v := 1; v <= 3; v++ {
		b.put("m", v)
	}
	b.write("m/3/model.onnx", []byte("PK\x03\x04 half a copy"))
	b.openRepo()
	b.wantLoaded("m", 1, 2)
	ctx := within(t)
	// Nothing has changed: the refusal is tried again, and what serves is not.
	b.wantCode(b.r.LoadModel(ctx, "m"), CodeBadModel, `model "m" version 3: not an ONNX model`)
	b.wantLoaded("m", 1, 2)
	if n := b.loader.count("m/"); n != 2 {
		t.Errorf("%d loads", n)
	}
	// Files that came or changed a moment ago are taken as they are.
	b.put("m", 3)
	b.write("m/2/model.onnx", onnxFile("other", 0))
	ok(t, b.r.LoadModel(ctx, "m"))
	b.wantLoaded("m", 2, 3)
	if set := b.set.Load().Models["m"]; set.Current != 3 || set.Version(2).SHA256 != hexSum(onnxFile("other", 0)) {
		t.Errorf("%+v", set)
	}
	b.put("new", 1)
	ok(t, b.r.LoadModel(ctx, "new"))
	if b.current("new") != 1 {
		t.Error("a model that has just been copied is not served")
	}
	// What was unloaded, whole or in part, is wanted again.
	ok(t, b.r.Unload(ctx, "m", 2))
	b.wantLoaded("m", 3)
	ok(t, b.r.LoadModel(ctx, "m"))
	b.wantLoaded("m", 2, 3)
	ok(t, b.r.Unload(ctx, "m", 0))
	b.wantLoaded("m")
	ok(t, b.r.Load(ctx, "m", 0))
	b.wantLoaded("m", 2, 3)
	// The policy is that of the file as it is now.
	b.write("m/config.yaml", []byte("version_policy: {specific: [1]}\nlabels: {last: 3}\n"))
	ok(t, b.r.LoadModel(ctx, "m"))
	b.wantLoaded("m", 1, 3)
	if b.current("m") != 1 || b.labels("m")["last"] != 3 {
		t.Errorf("serves %d, labels %v", b.current("m"), b.labels("m"))
	}
}

func TestLoadModelErrors(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 3; v++ {
		b.put("m", v)
	}
	ok(t, os.MkdirAll(b.path("empty/1"), 0o755))
	b.openRepo()
	ctx := within(t)
	b.wantCode(b.r.LoadModel(ctx, "nope"), CodeUnknownModel, "no such model")
	b.wantCode(b.r.LoadModel(ctx, "../m"), CodeBadRequest, "no model name")
	b.wantCode(b.r.LoadModel(ctx, "empty"), CodeUnknownVersion, "no version with a model.onnx")
	b.loader.setFail("m/2", errors.New("scores NaN"))
	b.loader.setFail("m/3", errors.New("scores infinity"))
	b.write("m/2/model.onnx", onnxFile("a", 0))
	b.write("m/3/model.onnx", onnxFile("b", 0))
	err := b.r.LoadModel(ctx, "m")
	b.wantCode(err, CodeBadModel, "version 2: scores NaN; ")
	b.wantCode(err, CodeBadModel, "version 3: scores infinity")
	if b.current("m") != 3 {
		t.Error("what served must serve on")
	}
	b.loader.setFail("m/2", nil)
	b.loader.setFail("m/3", nil)
	b.write("m/config.yaml", []byte("version_policy: {specific: [1, 9]}\n"))
	b.wantCode(b.r.LoadModel(ctx, "m"), CodeUnknownVersion, "version 9: its folder is not there")
	b.write("m/config.yaml", []byte("version_policy: {specifc: [1, 9]}\n"))
	b.wantCode(b.r.LoadModel(ctx, "m"), CodeBadModel, "config.yaml:1:18: version_policy.specifc: unknown key")
	ok(t, os.Rename(b.dir, b.dir+".away"))
	b.wantCode(b.r.LoadModel(ctx, "m"), CodeConflict, "cannot be read")
	ok(t, os.Rename(b.dir+".away", b.dir))

	hold := make(chan struct{})
	b.loader.mu.Lock()
	b.loader.hold = map[string]chan struct{}{"slow/1": hold, "slow/2": hold}
	b.loader.mu.Unlock()
	b.put("slow", 1)
	b.put("slow", 2)
	late, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	b.wantCode(b.r.LoadModel(late, "slow"), CodeDeadline, "not over in time")
	waiting := make(chan error, 2)
	for range 2 {
		go func() { waiting <- b.r.LoadModel(ctx, "slow") }()
	}
	b.scanned()
	close(hold)
	ok(t, <-waiting)
	ok(t, <-waiting)
	b.wantLoaded("slow", 1, 2)
}

func TestLoadModelWhileClosing(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.openRepo()
	hold := make(chan struct{})
	b.loader.mu.Lock()
	b.loader.hold = map[string]chan struct{}{"m/2": hold}
	b.loader.mu.Unlock()
	b.put("m", 2)
	waiting := make(chan error, 1)
	go func() { waiting <- b.r.LoadModel(within(t), "m") }()
	b.eventually("loading", func() bool { return b.loader.count("m/2") == 1 })
	b.close()
	b.wantCode(<-waiting, CodeClosed, "clos")
}

// A copy in progress is not loaded by halves because somebody asks.
func TestLoadModelOfACopyInProgress(t *testing.T) {
	b := newBench(t)
	b.o.Mode = ModeExplicit
	data := onnxFile("m/1", 4000)
	b.write("m/1/model.onnx", data[:2000])
	b.openRepo()
	err := b.r.LoadModel(within(t), "m")
	if err == nil || len(b.loaded("m")) > 0 {
		t.Fatalf("half a file was loaded: %v", err)
	}
	b.wantCode(err, CodeBadModel, "")
	b.write("m/1/model.onnx", data)
	ok(t, b.r.LoadModel(within(t), "m"))
	b.wantLoaded("m", 1)
}

func TestModeOptions(t *testing.T) {
	f := func(change func(*Options), want string) {
		t.Helper()
		o := DefaultOptions(t.TempDir())
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(o *Options) { o.Mode = "none" }, `Mode "none" is not one of watch, poll, explicit`)
	f(func(o *Options) { o.Load = []string{"a"} }, "Load is for mode explicit alone")
	f(func(o *Options) { o.Mode, o.Load = ModeExplicit, []string{"a", "../b"} }, "no model name")
}
