package repository

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hotpath/models"
)

func TestConfigIsInheritedKeyByKey(t *testing.T) {
	b := newBench(t)
	b.o.Defaults.Threads, b.o.Defaults.Instances = 3, 2
	for v := 1; v <= 2; v++ {
		b.put("m", v)
	}
	b.write("m/config.yaml", []byte("description: model\nmax_batch_size: 16\nbatch_sizes: [4, 16]\ninstances: 5\ncuda: {device: 1, on_missing: cpu}\nfallback: {a: [1], b: [2]}\n"))
	b.write("m/2/config.yaml", []byte("description: second\nbatch_sizes: [16]\ncuda: {device: 7}\nfallback: {a: [3]}\n"))
	b.openRepo()
	set := b.set.Load().Models["m"]
	one, two := set.Version(1), set.Version(2)
	if c := one.Config; c.Description != "model" || c.MaxBatchSize != 16 || !slices.Equal(c.BatchSizes, []int{4, 16}) || c.Instances != 5 || c.Threads != 3 {
		t.Errorf("version 1: %+v", c)
	}
	c := two.Config
	if c.Description != "second" || c.MaxBatchSize != 16 || c.Instances != 5 || c.Threads != 3 {
		t.Errorf("version 2: %+v", c)
	}
	if !slices.Equal(c.BatchSizes, []int{16}) || len(c.Fallback) != 1 {
		t.Errorf("a list or map is replaced whole: %v %v", c.BatchSizes, c.Fallback)
	}
	if c.CUDA != (models.CUDA{Device: 7, OnMissing: models.OnMissingCPU}) {
		t.Errorf("a section is merged: %+v", c.CUDA)
	}
	if !slices.Equal(one.ConfigFiles, []string{b.path("m/config.yaml")}) || !slices.Equal(two.ConfigFiles, []string{b.path("m/config.yaml"), b.path("m/2/config.yaml")}) {
		t.Errorf("made of %v and %v", one.ConfigFiles, two.ConfigFiles)
	}
	if b.o.Defaults.Threads != 3 || b.o.Defaults.Description != "" {
		t.Error("the defaults were changed")
	}
}

func TestProblemsNameTheFileThatSaysIt(t *testing.T) {
	f := func(model, version string, want ...string) {
		t.Helper()
		b := newBench(t)
		b.put("m", 1)
		if model != "" {
			b.write("m/config.yaml", []byte(model))
		}
		if version != "" {
			b.write("m/1/config.yaml", []byte(version))
		}
		b.openRepo()
		v := b.version("m", 1)
		if v.State != StateRefused {
			t.Errorf("%q and %q are accepted", model, version)
		}
		for _, w := range want {
			if !strings.Contains(v.Reason, b.dir+"/m/"+w) {
				t.Errorf("%q and %q: want %q in %q", model, version, w, v.Reason)
			}
		}
		b.close()
	}
	f("thread: 1\n", "", "config.yaml:1:1: thread: unknown key")
	f("threads: 1\n", "\nthread: 1\n", "1/config.yaml:2:1: thread: unknown key")
	f("threads: 0\n", "instances: 0\n", "config.yaml:1:10: threads: 0 is outside", "1/config.yaml:1:12: instances: 0 is outside")
	f("thread: 1\n", "thread: 2\n", "config.yaml:1:1: thread", "1/config.yaml:1:1: thread")
	// The list comes from the version's file, whatever the model's said in it.
	f("outputs: [a]\nprediction: {output: a}\n", "outputs: [b]\n", "config.yaml:2:22: prediction.output: \"a\" is not among outputs")
	f("batch_sizes: [1, 64]\n", "batch_sizes: [8]\n", "1/config.yaml:1:1: batch_sizes: the largest, 8")
	// Two layers that contradict one another: the place is that of the value.
	f("batch_sizes: [1, 64]\n", "max_batch_size: 8\n", "config.yaml:1:18: batch_sizes[1]: 64 is outside 1 to 8")
	f("fallback: {a: []}\n", "outputs: [a]\n", "config.yaml:1:12: fallback.a: has no values")
	f("prediction: {output: a}\n", "prediction: {index: -1}\n", "1/config.yaml:1:21: prediction.index: -1 is outside")
	f("version_policy: {latest: 1, all: true}\nlabels: {\"7\": 1}\n", "", "config.yaml:1:1: version_policy: latest, specific and all exclude", "config.yaml:2:15: labels.7:")
	f("threads: 2\n", "version_policy: {}\n\nlabels: {stable: 1}\n",
		"1/config.yaml:1:1: version_policy: is about all versions of the model; it belongs into", "1/config.yaml:3:1: labels: is about")
}

// What contradicts in the model's file alone may be right together with a version's.
func TestLayersAreCheckedTogether(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.write("m/config.yaml", []byte("batch_sizes: [1, 8]\n"))
	b.write("m/2/config.yaml", []byte("max_batch_size: 8\n"))
	b.openRepo()
	if v := b.version("m", 1); v.State != StateRefused || b.current("m") != 2 {
		t.Errorf("%+v, current %d", v, b.current("m"))
	}
}

func TestOnlyVersionsThatChangeAreLoadedAgain(t *testing.T) {
	b := newBench(t)
	for v := 1; v <= 3; v++ {
		b.put("m", v)
	}
	b.o.KeepVersions = 3
	b.write("m/config.yaml", []byte("threads: 2\n"))
	b.write("m/2/config.yaml", []byte("threads: 4\n"))
	b.openRepo()
	loads := func() string {
		return fmt.Sprint(b.loader.count("m/1:"), b.loader.count("m/2:"), b.loader.count("m/3:"))
	}
	settled := func() {
		t.Helper()
		time.Sleep(2 * b.o.Settle)
		b.scanned()
		b.eventually("nothing is loading", func() bool {
			return !slices.ContainsFunc([]int{1, 2, 3}, func(v int) bool { return b.version("m", v).Loading })
		})
	}
	if loads() != "1 1 1" {
		t.Fatal(loads())
	}
	b.replace("m/config.yaml", "# a comment\nthreads: 2\nlabels: {stable: 1}\nversion_policy: {all: true}\n")
	b.wantLabels("m", map[string]int{"stable": 1})
	settled()
	if loads() != "1 1 1" {
		t.Errorf("a comment, a label and a policy load nothing: %s", loads())
	}
	b.replace("m/config.yaml", "threads: 3\n")
	b.eventually("1 and 3 loaded again", func() bool { return loads() == "2 1 2" })
	settled()
	if set := b.set.Load().Models["m"]; loads() != "2 1 2" || set.Version(1).Config.Threads != 3 || set.Version(2).Config.Threads != 4 {
		t.Errorf("loads %s", loads())
	}
	ok(t, os.Remove(b.path("m/2/config.yaml")))
	b.eventually("2 has the model's", func() bool { return b.set.Load().Models["m"].Version(2).Config.Threads == 3 })
	ok(t, os.Remove(b.path("m/config.yaml")))
	b.eventually("all have the defaults", func() bool {
		m := b.set.Load().Models["m"]
		return m.Version(1).Config.Threads == 1 && m.Version(2).Config.Threads == 1 && m.Version(3).Config.Threads == 1
	})
	b.eventually("old ones are closed", func() bool { return b.loader.open.Load() == 3 })
}

// A config.yaml that is being written is not in force before it has settled,
// however often it is read meanwhile, unless somebody asks for it.
func TestModelConfigIsNotInForceByHalves(t *testing.T) {
	b := newBench(t)
	b.o.Settle = time.Hour
	b.put("m", 1)
	b.put("m", 2)
	b.write("m/config.yaml", []byte("labels: {stable: 1}\n"))
	b.openRepo()
	text := "description: new\nlabels: {stable: 2, canary: 2}\nversion_policy: {specific: [2]}\nthreads: 5\n"
	for i := range len(text) / 8 {
		b.write("m/config.yaml", []byte(text[:8*(i+1)]))
		b.scanned()
		if m := b.set.Load().Models["m"]; len(m.Versions) != 2 || !maps.Equal(m.Labels, map[string]int{"stable": 1}) || m.Version(2).Config.Threads != 1 {
			t.Fatalf("after %q: %+v", text[:8*(i+1)], m)
		}
	}
	b.write("m/config.yaml", []byte(text))
	ok(t, b.r.LoadModel(within(t), "m"))
	b.wantLabels("m", map[string]int{"stable": 2, "canary": 2})
	b.wantLoaded("m", 2)
	if b.config("m").Threads != 5 {
		t.Errorf("%+v", b.config("m"))
	}
}

// One that is broken for a while, swapped as a ConfigMap is, or deleted is in force
// whole or not at all, and what serves serves on.
func TestModelConfigReplaced(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.write("m/config.yaml", []byte("labels: {stable: 2}\nversion_policy: {specific: [2]}\n"))
	b.openRepo()
	b.wantLabels("m", map[string]int{"stable": 2})
	b.wantLoaded("m", 2)

	b.replace("m/config.yaml", "labels: {stable: 0}\nversion_polcy: {all: true}\n")
	b.eventually("refused", func() bool {
		m, _ := b.r.List().Model("m")
		return strings.Contains(m.ConfigError, "m/config.yaml:2:1: version_polcy") && b.version("m", 2).Code == CodeBadModel
	})
	if v := b.version("m", 2); v.State != StateReady || b.labels("m")["stable"] != 2 || len(b.loaded("m")) != 1 {
		t.Errorf("%+v %v %v", v, b.labels("m"), b.loaded("m"))
	}
	// As Kubernetes swaps a ConfigMap: config.yaml is a link into ..data, a link.
	b.write("m/..a/config.yaml", []byte("labels: {blue: 2}\nthreads: 6\n"))
	b.write("m/..b/config.yaml", []byte("labels: {green: 2}\nthreads: 7\n"))
	ok(t, os.Symlink("..a", b.path("m/..data")))
	ok(t, os.Remove(b.path("m/config.yaml")))
	ok(t, os.Symlink("..data/config.yaml", b.path("m/config.yaml")))
	b.wantLabels("m", map[string]int{"blue": 2})
	b.wantLoaded("m", 1, 2)
	ok(t, os.Symlink("..b", b.path("m/..new")))
	ok(t, os.Rename(b.path("m/..new"), b.path("m/..data")))
	b.wantLabels("m", map[string]int{"green": 2})
	b.eventually("threads", func() bool { return b.config("m").Threads == 7 })
	ok(t, os.Remove(b.path("m/config.yaml")))
	b.wantLabels("m", nil)
	if m, _ := b.r.List().Model("m"); m.ConfigError != "" {
		t.Error(m.ConfigError)
	}
}

func TestUnusableModelConfig(t *testing.T) {
	for name, make := range map[string]func(b *bench){
		"a directory": func(b *bench) { ok(b.t, os.MkdirAll(b.path("m/config.yaml"), 0o755)) },
		"too large":   func(b *bench) { b.write("m/config.yaml", []byte(strings.Repeat("# ", maxSmallFile/2)+"\n")) },
		"a link out":  func(b *bench) { ok(b.t, os.Symlink("../../elsewhere", b.path("m/config.yaml"))) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.put("m", 1)
			make(b)
			b.openRepo()
			if m, _ := b.r.List().Model("m"); m.ConfigError == "" || b.version("m", 1).State != StateRefused {
				t.Errorf("%+v", m)
			}
			ok(t, os.RemoveAll(b.path("m/config.yaml")))
			b.eventually("served", func() bool { return b.current("m") == 1 })
		})
	}
}
