package repository

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	b := newBench(t)
	for _, v := range []int{1, 2, 3, 10} {
		b.put("risk", v)
	}
	b.put("digits", 7)
	b.write("broken/1/model.onnx", []byte("PK\x03\x04 not a model"))
	b.write("empty/readme.txt", nil)
	b.openRepo()
	if m, _ := b.r.List().Model("risk"); m.Current != 10 || m.Previous != 3 {
		t.Errorf("risk: current %d previous %d, want 10 and 3", m.Current, m.Previous)
	}
	if v := b.version("risk", 1); v.State != StateUnloaded {
		t.Errorf("risk/1 is %s, want unloaded: only 2 are kept", v.State)
	}
	if b.current("digits") != 7 {
		t.Error("digits is not served")
	}
	if v := b.version("broken", 1); v.State != StateRefused || v.Code != CodeBadModel || !strings.Contains(v.Reason, "zip") {
		t.Errorf("broken: %+v", v)
	}
	if got := b.set.Load(); len(got.Models) != 2 || b.loader.open.Load() != 3 {
		t.Errorf("%d models, %d open", len(got.Models), b.loader.open.Load())
	}
	l := b.set.Load().Models["risk"].Version(10)
	if want := onnxFile("risk/10", 0); l.SHA256 != hexSum(want) || string(l.Served.(*fakeServed).c.Data) != string(want) {
		t.Error("the loader was not given the file's bytes and hash")
	}
}

func TestHighestBadFallsBackToOlder(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 4; v++ {
		b.put("m", v)
	}
	b.loader.setFail("m/4", errors.New("scores NaN"))
	b.loader.setFail("m/3", errors.New("scores NaN"))
	b.openRepo()
	if m, _ := b.r.List().Model("m"); m.Current != 2 || m.Previous != 1 {
		t.Errorf("current %d previous %d, want 2 and 1", m.Current, m.Previous)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "A-b_c.9": true, strings.Repeat("x", 128): true,
		"": false, ".a": false, strings.Repeat("x", 129): false, "a b": false, "ü": false, "a/b": false, "..": false, "a.tmp": false, "a~": false} {
		if got := CheckModelName(name) == nil; got != want {
			t.Errorf("model %q: accepted %v", name, got)
		}
	}
	for name, want := range map[string]int{"1": 1, "42": 42, "2147483647": 2147483647,
		"0": 0, "01": 0, "-1": 0, "+1": 0, "2147483648": 0, "v1": 0, "1.0": 0, "": 0, " 1": 0, "１": 0} {
		if got, err := ParseVersion(name); got != want || (err == nil) != (want > 0) {
			t.Errorf("version %q: got %d, %v", name, got, err)
		}
	}
	b := newBench(t)
	for _, dir := range []string{"m/01", "m/v2", "m/.3", "m/4.tmp", "m/0", "bad name/1", ".hidden/1", "m/5"} {
		b.write(filepath.Join(dir, modelFile), onnxFile(dir, 0))
	}
	b.openRepo()
	s := b.r.List()
	if m, _ := s.Model("m"); len(s.Models) != 1 || len(m.Versions) != 1 || m.Current != 5 {
		t.Errorf("models %+v", s.Models)
	}
	var ignored []string
	for _, i := range s.Ignored {
		ignored = append(ignored, i.Path)
	}
	if got := strings.Join(ignored, " "); got != "m/0 m/01 m/v2 bad name" {
		t.Errorf("ignored %q", got)
	}
}

func TestSlowCopyIsNeverLoadedHalf(t *testing.T) {
	for _, withManifest := range []bool{false, true} {
		t.Run(fmt.Sprintf("manifest=%v", withManifest), func(t *testing.T) {
			b := newBench(t)
			b.put("m", 1)
			b.openRepo()
			data := onnxFile("m/2", 10_000)
			if withManifest {
				b.write("m/2/manifest.json", fmt.Appendf(nil, `{"files":{"model.onnx":{"size":%d,"sha256":"%s"}}}`, len(data), hexSum(data)))
			}
			b.write("m/2/model.onnx", nil)
			f, err := os.OpenFile(b.path("m/2/model.onnx"), os.O_WRONLY|os.O_APPEND, 0)
			ok(t, err)
			defer f.Close()
			for i := range 10 {
				_, err := f.Write(data[i*len(data)/10 : (i+1)*len(data)/10])
				ok(t, err)
				if i == 4 { // slower than settle: it is looked at, and refused
					b.eventually("half a copy refused", func() bool { return b.version("m", 2).State == StateRefused })
				}
				if i < 9 {
					b.scanned()
				}
				if i < 9 && b.current("m") != 1 {
					t.Fatalf("serves version %d after %d0 %%", b.current("m"), i+1)
				}
			}
			b.eventually("whole copy served", func() bool { return b.current("m") == 2 })
			if n := b.loader.count("m/2:"); n != 1 || b.loader.count("m/2:"+hexSum(data)) != 1 {
				t.Errorf("loader saw version 2 %d times", n)
			}
			if v := b.version("m", 2); v.Code != "" {
				t.Errorf("refusal is still shown: %+v", v)
			}
		})
	}
}

func TestRenamedFolderIsTakenAtOnce(t *testing.T) {
	b := newBench(t)
	b.o.Settle = time.Hour
	b.put("m", 1)
	b.openRepo()
	b.write(".incoming/model.onnx", onnxFile("m/2", 0))
	old := time.Now().Add(-2 * time.Hour)
	ok(t, os.Chtimes(b.path(".incoming/model.onnx"), old, old))
	ok(t, os.Rename(b.path(".incoming"), b.path("m/2")))
	b.eventually("promoted", func() bool { return b.current("m") == 2 })
	if m, _ := b.r.List().Model("m"); m.Previous != 1 {
		t.Errorf("previous is %d", m.Previous)
	}
	// A manifest that matches needs no wait either.
	data := onnxFile("m/3", 0)
	b.write(".next/model.onnx", data)
	b.write(".next/manifest.json", fmt.Appendf(nil, `{"files":{"model.onnx":{"size":%d,"sha256":"%s"}}}`, len(data), hexSum(data)))
	ok(t, os.Rename(b.path(".next"), b.path("m/3")))
	b.eventually("promoted", func() bool { return b.current("m") == 3 })
	b.eventually("oldest gone", func() bool { return b.loader.open.Load() == 2 })
	if v := b.version("m", 1); v.State != StateUnloaded {
		t.Errorf("version 1 is %s", v.State)
	}
}

func TestManifestMismatch(t *testing.T) {
	b := newBench(t)
	data := onnxFile("m/1", 0)
	for i, c := range []struct{ manifest, want string }{
		{fmt.Sprintf(`{"files":{"model.onnx":{"size":%d,"sha256":"%064d"}}}`, len(data), 0), "SHA-256"},
		{`{"files":{"model.onnx":{"size":1,"sha256":""}}}`, "manifest.json says 1"},
		{`{"files":{"golden.json":{"size":1,"sha256":""}}}`, "not there"},
		{`{"files":{"../../etc/passwd":{"size":1,"sha256":""}}}`, "want only"},
		{`{"file":{}}`, "unknown field"},
		{`{"files":{}} x`, "follows"},
	} {
		b.write(fmt.Sprintf("m%d/1/model.onnx", i), data)
		b.write(fmt.Sprintf("m%d/1/manifest.json", i), []byte(c.manifest))
		defer func() {
			if v := b.version(fmt.Sprintf("m%d", i), 1); v.State != StateRefused || !strings.Contains(v.Reason, c.want) {
				t.Errorf("m%d: %+v, want %q", i, v, c.want)
			}
		}()
	}
	b.openRepo()
}

func TestBadSideFiles(t *testing.T) {
	b := newBench(t)
	b.put("conf", 1)
	b.write("conf/config.yaml", []byte("max_batch_size: 8\nmax_bach: 3\n"))
	b.put("sem", 1)
	b.write("sem/config.yaml", []byte("threads: 1\ninstances: -1\n"))
	b.put("gold", 1)
	b.write("gold/1/golden.json", []byte(`{"cases":[]}`))
	b.put("own", 1)
	b.write("own/config.yaml", []byte("max_batch_size: 8\n"))
	b.write("own/1/config.yaml", []byte("max_batch_size: 16\n"))
	b.o.Defaults.Threads = 3
	b.openRepo()
	for model, want := range map[string]string{"conf": "config.yaml:2:", "sem": "config.yaml:2:", "gold": "cases is empty"} {
		if v := b.version(model, 1); v.State != StateRefused || !strings.Contains(v.Reason, want) {
			t.Errorf("%s: %+v, want %q", model, v, want)
		}
	}
	l := b.set.Load().Models["own"].Version(1)
	c := l.Served.(*fakeServed).c
	if l.Config.MaxBatchSize != 16 || l.Config.Threads != 3 || !slices.Equal(c.ConfigFiles, []string{b.path("own/config.yaml"), b.path("own/1/config.yaml")}) {
		t.Errorf("own: batch size %d from %v", l.Config.MaxBatchSize, c.ConfigFiles)
	}
	// The model's config changes: its version is loaded again.
	b.write("sem/config.yaml", []byte("threads: 1\ninstances: 2\n"))
	b.eventually("served", func() bool { return b.current("sem") == 1 })
}

func TestSymlinksAndSpecialFiles(t *testing.T) {
	b := newBench(t)
	outside := filepath.Join(t.TempDir(), "secret.onnx")
	ok(t, os.WriteFile(outside, onnxFile("secret", 0), 0o644))
	link := func(target, name string) {
		ok(t, os.MkdirAll(filepath.Dir(b.path(name)), 0o755))
		ok(t, os.Symlink(target, b.path(name)))
	}
	link(outside, "abs/1/model.onnx")
	rel, err := filepath.Rel(b.path("rel/1"), outside)
	ok(t, err)
	link(rel, "rel/1/model.onnx")
	b.put("dir", 1)
	link(filepath.Dir(outside), "dir/2")
	ok(t, os.MkdirAll(b.path("pipe/1"), 0o755))
	ok(t, syscall.Mkfifo(b.path("pipe/1/model.onnx"), 0o644))
	ok(t, os.MkdirAll(b.path("folder/1/model.onnx"), 0o755))
	b.put("good", 1)
	link("../1/model.onnx", "good/2/model.onnx")
	b.openRepo()
	for model, want := range map[string]string{"abs": "escapes", "rel": "escapes", "pipe": "not a regular file", "folder": "not a regular file"} {
		if v := b.version(model, 1); v.State != StateRefused || !strings.Contains(v.Reason, want) {
			t.Errorf("%s: %+v", model, v)
		}
	}
	if b.current("dir") != 1 || b.current("good") != 2 {
		t.Errorf("dir serves %d, good serves %d", b.current("dir"), b.current("good"))
	}
	if s := b.r.List(); len(s.Ignored) != 1 || s.Ignored[0].Path != "dir/2" {
		t.Errorf("ignored %+v", s.Ignored)
	}
}

// A mounted ConfigMap: everything is a link to ..data, which is swapped.
func TestConfigMapSwap(t *testing.T) {
	b := newBench(t)
	b.write("m/..2026_1/1/model.onnx", onnxFile("first", 0))
	b.write("m/..2026_2/1/model.onnx", onnxFile("second", 0))
	ok(t, os.Symlink("..2026_1", b.path("m/..data")))
	ok(t, os.Symlink("..data/1", b.path("m/1")))
	b.openRepo()
	serves := func(text string) bool {
		return b.set.Load().Models["m"].Version(1).SHA256 == hexSum(onnxFile(text, 0))
	}
	if !serves("first") {
		t.Fatal("the first is not served")
	}
	ok(t, os.Symlink("..2026_2", b.path("m/..data_tmp")))
	ok(t, os.Rename(b.path("m/..data_tmp"), b.path("m/..data")))
	ok(t, os.RemoveAll(b.path("m/..2026_1")))
	b.eventually("second served", func() bool { return serves("second") })
	b.eventually("first closed", func() bool { return b.loader.open.Load() == 1 })
}

func TestTooLarge(t *testing.T) {
	b := newBench(t)
	b.o.Scan.MaxBytes = 1000
	b.write("m/1/model.onnx", onnxFile("m/1", 2000))
	b.openRepo()
	if v := b.version("m", 1); v.State != StateRefused || !strings.Contains(v.Reason, "at most 1000") {
		t.Errorf("%+v", v)
	}
}

func TestMaxModels(t *testing.T) {
	b := newBench(t)
	b.o.MaxModels = 2
	for _, m := range []string{"a", "b", "c"} {
		b.put(m, 1)
	}
	b.openRepo()
	if s := b.r.List(); len(s.Models) != 2 || len(s.Ignored) != 1 || s.Ignored[0].Path != "c" {
		t.Errorf("%+v", s)
	}
}

// Notifications find changes without a poll, and polls without notifications.
func TestNotifiedAndPolled(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"notified": func(o *Options) { o.Poll = time.Hour },
		"polled":   func(o *Options) { o.Mode = ModePoll },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			change(&b.o)
			b.put("m", 1)
			b.openRepo()
			b.put("m", 2)
			b.eventually("new version", func() bool { return b.current("m") == 2 })
			b.put("n", 1)
			b.eventually("new model", func() bool { return b.current("n") == 1 })
			b.write("n/1/model.onnx", onnxFile("changed", 0))
			b.eventually("changed file", func() bool { return b.version("n", 1).SHA256 == hexSum(onnxFile("changed", 0)) })
			ok(t, os.RemoveAll(b.path("m/2")))
			b.eventually("removed folder", func() bool { return b.current("m") == 1 })
		})
	}
}
