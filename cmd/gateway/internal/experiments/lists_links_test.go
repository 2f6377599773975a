package experiments

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A ConfigMap is a directory whose files are links through ..data, which is replaced.
func TestListsOfAConfigMap(t *testing.T) {
	r := newListRig(t)
	dir := t.TempDir()
	version := func(name, staff, weight string) {
		r.must(os.Mkdir(filepath.Join(dir, name), 0o755))
		text := strings.NewReplacer("lists/staff.txt", "staff.txt", "weight: 100", "weight: "+weight, ", beta: beta.txt", "", "in_list: beta", "in_list: staff").Replace(listed)
		r.must(os.WriteFile(filepath.Join(dir, name, "experiments.yaml"), []byte(text), 0o644))
		r.must(os.WriteFile(filepath.Join(dir, name, "staff.txt"), []byte(staff), 0o644))
		r.must(os.Symlink(name, filepath.Join(dir, "..next")))
		r.must(os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")))
	}
	version("..1", "ann\n", "100")
	r.must(os.Symlink("..data/experiments.yaml", filepath.Join(dir, "experiments.yaml")))
	r.must(os.Symlink("..data/staff.txt", filepath.Join(dir, "staff.txt")))
	r.file = filepath.Join(dir, "experiments.yaml")
	r.open()
	r.want(map[string]string{"ann": "treatment override", "bob": "not_targeted"})
	version("..2", "bob\n", "100")
	r.must(os.RemoveAll(filepath.Join(dir, "..1")))
	if err := r.Reload(t.Context(), false); err != nil {
		t.Error(err)
	}
	r.want(map[string]string{"ann": "not_targeted", "bob": "treatment override"})
	set := r.world.set
	version("..3", "bob\n", "100")
	if err := r.Reload(t.Context(), false); err != nil || r.world.set != set || len(r.read.lists.known) != 1 {
		t.Errorf("the same contents are a reload, or %d lists are known: %v", len(r.read.lists.known), err)
	}
	version("..4", "carl\n", "101")
	if err := r.Reload(t.Context(), false); err == nil || r.gets("bob") != "treatment override" {
		t.Errorf("the list without its file: %v", err)
	}
}

// What is swapped while it is read is read from one version or the other.
func TestListsAreOfOneVersionWithTheirFile(t *testing.T) {
	r := newRig(t, "experiments: []\n")
	dir := t.TempDir()
	for _, v := range []string{"a", "b"} {
		r.must(os.Mkdir(filepath.Join(dir, v), 0o755))
		text := strings.NewReplacer("lists/staff.txt", "staff.txt", ", beta: beta.txt", "", "in_list: beta", "in_list: staff", "name: treatment", "name: "+v, "treatment:", v+":").Replace(listed)
		r.must(os.WriteFile(filepath.Join(dir, v, "experiments.yaml"), []byte(text), 0o644))
		r.must(os.WriteFile(filepath.Join(dir, v, "staff.txt"), []byte("user-"+v+"\n"), 0o644))
	}
	swap := func(v string) {
		r.must(os.Symlink(v, filepath.Join(dir, "next")))
		r.must(os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")))
	}
	swap("a")
	r.file = filepath.Join(dir, "current/experiments.yaml")
	r.open()
	ctx, cancel := context.WithCancel(t.Context())
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			swap(string("ab"[i%2]))
			time.Sleep(time.Duration(i%7) * time.Millisecond)
		}
	})
	seen := map[string]int{}
	for until := time.Now().Add(10 * time.Second); seen["a"]+seen["b"] < 200 || len(seen) < 2 && time.Now().Before(until); {
		if err := r.Reload(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{"a", "b"} {
			if e := r.world.State().Plan.Experiment("gbm"); e.Variant(v) != nil {
				seen[v]++
				if got := r.gets("user-" + v); got != v+" override" {
					t.Errorf("the file is %s, and its user gets %s", v, got)
				}
			}
		}
	}
	cancel()
	swapping.Wait()
	if len(seen) != 2 {
		t.Errorf("saw %v", seen)
	}
}

func TestListsInMemoryAreBounded(t *testing.T) {
	dir := t.TempDir()
	text := []byte(strings.Repeat("a\n", 1000))
	paths := map[string]string{}
	for _, name := range []string{"x", "y"} {
		paths[name] = name
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var l listFiles
	read := l.read(dir, paths, false)
	if read.files["x"].list != read.files["y"].list || read.files["x"].err != nil {
		t.Error("equal contents are two lists")
	}
	if err := os.Remove(filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if again := l.read(dir, paths, false); again.state == read.state || !errors.Is(again.files["x"].err, os.ErrNotExist) {
		t.Errorf("a file that is gone: %v", again.files["x"].err)
	}
	if gone := l.read(filepath.Join(dir, "gone"), paths, false); !errors.Is(gone.files["y"].err, os.ErrNotExist) {
		t.Errorf("a directory that is gone: %v", gone.files["y"].err)
	}
}
