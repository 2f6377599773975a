package serving

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/features"
	"hotpath/models/repository"
)

// labelled is an experiment that gives everyone the version with a label.
func labelled(label string) abtest.ExperimentConfig {
	e := everyone("labelled", 0)
	e.Variants[0].Label = label
	return e
}

func TestAnExperimentFollowsALabel(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("risk", s.load(risk(t, "risk", 1, 1)), s.load(risk(t, "risk", 2, 2))))
	ok(t, s.world.Start())
	label := func(labels map[string]int) error {
		return s.offer(func(all map[string]*repository.ModelSet) { all["risk"].Labels = labels })
	}
	// The plan waits for its label; nothing is there to be loaded for it.
	wanted := plan(t, labelled("stable"))
	wantError(t, s.world.SetPlan(wanted), "experiments[0].variants[0].label", "no loaded version of model \"risk\" has the label stable")
	if missing := s.world.Missing(wanted); len(missing) != 0 {
		t.Errorf("missing %v", missing)
	}
	s.wantServed("u", 2, 2)
	ok(t, label(map[string]int{"stable": 1}))
	s.wantServed("u", 1, 1)
	if got := s.world.Pinned("risk"); !slices.Equal(got, []int{1}) {
		t.Errorf("pinned %v", got)
	}
	ok(t, label(map[string]int{"stable": 2, "canary": 1}))
	s.wantServed("u", 2, 2)
	if got := s.world.Pinned("risk"); !slices.Equal(got, []int{2}) {
		t.Errorf("pinned %v", got)
	}
	wantError(t, label(map[string]int{"canary": 1}), "an experiment needs it", "label stable")
	s.wantServed("u", 2, 2)
}

// Over a real repository: the label is moved by operators and by its file while
// requests run. Every answer is that of the version it names, none fails.
func TestALabelMovesUnderRequests(t *testing.T) {
	s, r, dir := labelledRepository(t)
	wants := s.expected()
	x := rawX(t, riskGolden(t, 1))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ok(t, r.SetLabel(ctx, "risk", "stable", 1))
	ok(t, s.world.SetPlan(plan(t, labelled("stable"))))

	var seen [4]atomic.Int64
	var stop atomic.Bool
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			for !stop.Load() {
				version, prediction := s.predictOne("u", x)
				if version < 1 || version > 3 || math.Abs(prediction-wants[version-1]) > 1e-5 {
					t.Errorf("version %d answers %v, want one of %v", version, prediction, wants)
					return
				}
				seen[version].Add(1)
			}
		})
	}
	serves := func(version int) bool { got, _ := s.predictOne("u", x); return got == version }
	for i := range 12 {
		// Version 1 or 2 is unloaded when the label leaves it: each move loads one.
		to := 1 + i%3
		ok(t, r.SetLabel(ctx, "risk", "stable", to))
		if !serves(to) {
			t.Errorf("the label is at %d, and another version answers", to)
		}
		before := seen[to].Load()
		eventually(t, "requests are answered by it", func() bool { return seen[to].Load() > before })
	}
	ok(t, os.WriteFile(filepath.Join(dir, "risk", "config.yaml"), []byte(labelledConfig+"labels: {stable: 2}\n"), 0o600))
	ok(t, r.SetLabel(ctx, "risk", "stable", 0))
	eventually(t, "the label of the file holds", func() bool { return serves(2) })
	wantError(t, r.Unload(ctx, "risk", 2), "an experiment needs it")
	wantError(t, r.Unload(ctx, "risk", 0), "an experiment needs it")
	stop.Store(true)
	running.Wait()
}

const labelledConfig = "max_batch_size: 8\nbatch_sizes: [1, 8]\nprediction: {output: probabilities, index: 1}\nversion_policy: {latest: 1}\n"

// labelledRepository is a stage over a repository of the three risk models, whose
// input is sent whole. Only the newest is loaded by itself.
func labelledRepository(t *testing.T) (*stage, *repository.Repository, string) {
	t.Helper()
	s, dir := newStage(t, features.SchemaConfig{}), t.TempDir()
	for n := 1; n <= 3; n++ {
		version := filepath.Join(dir, "risk", string(rune('0'+n)))
		ok(t, os.MkdirAll(version, 0o755))
		ok(t, os.WriteFile(filepath.Join(version, "model.onnx"), modelFile(t, append(riskDir(n), "model.onnx")...), 0o600))
	}
	ok(t, os.WriteFile(filepath.Join(dir, "risk", "config.yaml"), []byte(labelledConfig+"labels: {stable: 1}\n"), 0o600))
	o := repository.DefaultOptions(dir)
	o.Settle, o.Poll, o.Debounce = 20*time.Millisecond, 10*time.Millisecond, 5*time.Millisecond
	o.Pinned, o.OnChange = s.world.Pinned, s.world.ModelsChanged
	r, err := repository.Open(o, s.loader)
	ok(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ok(t, r.Close(ctx))
	})
	<-r.Started()
	ok(t, s.world.Start())
	return s, r, dir
}
