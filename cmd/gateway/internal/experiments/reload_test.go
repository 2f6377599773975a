package experiments

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A file that was truncated, or is about to be written, must not switch every
// experiment off.
func TestAnEmptyFileIsRefused(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n"} {
		if _, err := Compile("e.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "experiments: []") {
			t.Errorf("%q: %v, want it refused", text, err)
		}
	}
	plan, err := Compile("e.yaml", []byte("experiments: []\n"))
	if err != nil || len(plan.Experiments()) != 0 {
		t.Errorf("an explicit empty list: %v", err)
	}
}

func TestABrokenFileIsAStartError(t *testing.T) {
	r := newRig(t, twoArms)
	r.write("experiments: [{name: x}]\n")
	if _, err := Open(r.options()); err == nil || !strings.Contains(err.Error(), r.file+":1:") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(r.options()); err == nil || !strings.Contains(err.Error(), "experiments.file: open ") {
		t.Errorf("%v", err)
	}
}

func TestABrokenFileChangesNothing(t *testing.T) {
	r := newRig(t, twoArms)
	registry := prometheus.NewRegistry()
	o := r.options()
	o.Registerer = registry
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	metrics := func(want string) {
		t.Helper()
		err := testutil.GatherAndCompare(registry, strings.NewReader("# HELP hotpath_experiments_last_reload_ok 1 if the experiments that serve are those of the file, 0 if they are not.\n"+
			"# TYPE hotpath_experiments_last_reload_ok gauge\nhotpath_experiments_last_reload_ok "+want), "hotpath_experiments_last_reload_ok")
		if err != nil {
			t.Error(err)
		}
	}
	metrics("1\n")
	r.write(weighted(80, 30))
	if err := k.Reload(t.Context(), false); err == nil || !strings.Contains(err.Error(), r.file+":5:5: experiments[0].variants: weights add up to 110.00") {
		t.Errorf("%v", err)
	}
	metrics("0\n")
	if r.weight("treatment") != 10 || len(k.History()) != 1 {
		t.Error("something changed")
	}
	// It is told once, and again when asked.
	if err := k.Reload(t.Context(), false); err == nil || strings.Count(r.log.String(), "experiments refused") != 1 {
		t.Errorf("%v, log %s", err, r.log.String())
	}
	if err := k.Reload(t.Context(), true); err == nil || strings.Count(r.log.String(), "experiments refused") != 2 {
		t.Errorf("%v, log %s", err, r.log.String())
	}
	d, err := k.Document()
	if err != nil || d.Revision != 0 || string(d.Text) != weighted(80, 30) {
		t.Errorf("an editor must see the broken file: %+v %v", d, err)
	}
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	if err := k.Reload(t.Context(), false); err == nil || r.weight("treatment") != 10 {
		t.Errorf("%v", err)
	}
	r.write(twoArms)
	if err := k.Reload(t.Context(), false); err != nil {
		t.Error(err)
	}
	metrics("1\n")
}

// While the models are loaded the experiments wait to serve. Half an edit of the file
// must not lose them.
func TestABrokenFileDuringTheStartKeepsWhatWaits(t *testing.T) {
	r := newRig(t, twoArms)
	r.world = newWorld(t, 1, 2)
	r.world.started = false
	r.open()
	r.write("experiments: [")
	if err := r.Reload(t.Context(), false); err == nil {
		t.Error("a broken file is fine")
	}
	if err := r.world.start(); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context(), false); err == nil || r.world.State().Plan.Experiment("gbm") == nil {
		t.Errorf("the gateway started without its experiments; %v", err)
	}
	if r.plans[len(r.plans)-1] != r.world.State().Plan {
		t.Error("OnPlan did not hear of them")
	}
}

func TestWatchFollowsEveryKindOfChange(t *testing.T) {
	r := newRig(t, twoArms)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	ask := make(chan struct{})
	watching.Go(func() { r.Watch(ctx, ask) })
	defer watching.Wait()
	defer cancel()
	serves := func(weight int) {
		t.Helper()
		for until := time.Now().Add(5 * time.Second); r.weight("treatment") != weight; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("the weight is %d, want %d", r.weight("treatment"), weight)
			}
		}
	}
	r.write(weighted(80, 20))
	serves(20)
	next := filepath.Join(filepath.Dir(r.file), "next")
	if err := os.WriteFile(next, []byte(weighted(70, 30)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, r.file); err != nil {
		t.Fatal(err)
	}
	serves(30)
	if err := os.WriteFile(next, []byte(weighted(60, 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(next, r.file); err != nil {
		t.Fatal(err)
	}
	serves(40)
	ask <- struct{}{}
	serves(40)
	if all := r.History(); all[0].Via != ViaFile || all[0].Who != fileAuthor || all[0].Number != 4 {
		t.Errorf("%+v", all)
	}
}

func TestAVersionThatArrivesMakesTheFileServe(t *testing.T) {
	r := newRig(t, twoArms)
	r.write(strings.Replace(twoArms, "version: 2", "version: 3", 1))
	err := r.Reload(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), r.file+":7:") || !strings.Contains(err.Error(), "version 3 is not on the disk") {
		t.Errorf("%v", err)
	}
	if _, err := r.Last(); err == nil || len(r.History()) != 1 {
		t.Errorf("%v, %+v", err, r.History())
	}
	r.world.arrive(3)
	if _, err := r.Last(); err != nil {
		t.Error(err)
	}
	if err := r.Reload(t.Context(), false); err != nil || len(r.History()) != 2 {
		t.Errorf("%v: a content that serves is a revision: %+v", err, r.History())
	}
	if r.plans[len(r.plans)-1] != r.world.State().Plan {
		t.Error("OnPlan did not hear of it")
	}
}
