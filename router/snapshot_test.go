package router_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/routertest"
)

func TestSnapshotReportsWhatIsMissing(t *testing.T) {
	r := rig(t)
	v1 := r.Version("risk", 1)
	sleeping := split("risk", 50, 50)
	sleeping.Name, sleeping.State = "sleeping", "draft"
	other := split("risk", 100, 0)
	other.Name = "other"
	other.Variants[1].Model = "absent"
	_, err := r.Snapshot("", config(split("risk", 50, 50), sleeping, other), v1)
	var problems abtest.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("got %v", err)
	}
	if p := problems[0]; p.Path != "experiments[0].variants[1].version" || !strings.Contains(p.Message, "no version 2 loaded (it has 1)") {
		t.Errorf("got %+v", p)
	}
	if p := problems[1]; p.Path != "experiments[2].variants[1].version" || !strings.Contains(p.Message, `"absent" is not loaded`) {
		t.Errorf("got %+v", p)
	}
	plan, err := abtest.Compile(abtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := router.NewSnapshot(router.SnapshotOptions{Plan: plan, Metrics: r.Metrics,
		Models: []router.ModelLanes{{Name: "risk", Versions: []*router.Lane{v1.Lane}}}}); err == nil || !strings.Contains(err.Error(), "no current version") {
		t.Errorf("without a current version: %v", err)
	}
	s, err := r.Snapshot("", config(sleeping), v1)
	if err != nil {
		t.Fatalf("a disabled experiment needs no models: %v", err)
	}
	r.Pipeline.Swap(s)
	if got := predict(t, r.Pipeline, ask{user: "u"}); got.reason != "not_running" || got.version != 1 {
		t.Errorf("with a disabled experiment: %+v", got)
	}
}

func TestARequestHoldsItsSnapshot(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	first := r.Serve(abtest.Config{}, v)
	x := begin(t, r.Pipeline, ask{user: "u"})
	if err := r.Pipeline.Predict(x); err != nil {
		t.Fatal(err)
	}
	r.Serve(abtest.Config{}, v)
	select {
	case <-first.Drained():
		t.Error("drained while a request holds it")
	default:
	}
	r.Pipeline.Finish(x)
	<-first.Drained()
}

// TestSwapUnderLoad replaces versions as fast as it can while requests run. Each
// answer must come from the version that its own snapshot served, each old
// snapshot must drain, and each lane must be closed exactly once (the rig checks).
func TestSwapUnderLoad(t *testing.T) {
	const swaps, callers = 150, 6
	r := rig(t)
	var serving atomic.Int64 // the lowest version that a request may still get
	versions := []*routertest.Version{r.Version("risk", 1)}
	r.Serve(abtest.Config{}, versions[0])
	serving.Store(1)
	stop := make(chan struct{})
	var running sync.WaitGroup
	var answers atomic.Int64
	for c := range callers {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				oldest := serving.Load()
				id := fmt.Sprint(c*1_000_000 + i)
				x, refusal := r.Pipeline.Begin()
				if refusal != nil {
					t.Errorf("Begin: %v", refusal)
					return
				}
				fill(x, ask{user: "u"})
				x.Request.Features = append(x.Request.Features, routertest.Feature("id", id))
				got := read(x, r.Pipeline.Predict(x))
				r.Pipeline.Finish(x)
				if got.err != nil || fmt.Sprint(got.id) != id || got.version != int64(got.lane) || got.version < oldest {
					t.Errorf("asked for %s at version %d or later: %+v", id, oldest, got)
					return
				}
				answers.Add(1)
			}
		})
	}
	var old []*router.Snapshot
	for i := range swaps {
		// Every third swap serves the same version again, as a new plan does.
		if i%3 != 0 {
			versions = append(versions, r.Version("risk", versions[len(versions)-1].Lane.Version+1))
		}
		s, err := r.Snapshot("", abtest.Config{}, versions[len(versions)-1])
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, r.Pipeline.Swap(s))
		serving.Store(int64(versions[len(versions)-1].Lane.Version))
	}
	seen := answers.Load()
	eventually(t, "answers go on", func() bool { return answers.Load() > seen+100 })
	close(stop)
	running.Wait()
	drained(t, old)
}

func drained(t *testing.T, old []*router.Snapshot) {
	t.Helper()
	for i, s := range old {
		select {
		case <-s.Drained():
		case <-time.After(5 * time.Second):
			t.Fatalf("snapshot %d never drained", i+1)
		}
	}
}
