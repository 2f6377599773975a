package router_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/routertest"
)

// labelled is an experiment whose users all get the version with a label.
func labelled(label string) abtest.Config {
	e := split("risk", 100, 0)
	e.Variants = e.Variants[:1]
	e.Variants[0].Version, e.Variants[0].Label = 0, label
	return config(e)
}

// withLabels makes a snapshot of risk's versions, the last one current.
func withLabels(t *testing.T, r *routertest.Rig, c abtest.Config, labels map[string]int, versions ...*routertest.Version) (*router.Snapshot, error) {
	t.Helper()
	plan, err := abtest.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	risk := router.ModelLanes{Name: "risk", Labels: labels}
	for _, v := range versions {
		risk.Versions = append(risk.Versions, v.Lane)
		risk.Current = v.Lane
	}
	return router.NewSnapshot(router.SnapshotOptions{Plan: plan, Metrics: r.Metrics, Models: []router.ModelLanes{risk}})
}

func TestAVariantFollowsItsLabel(t *testing.T) {
	r := rig(t)
	one, two := r.Version("risk", 1), r.Version("risk", 2)
	for _, labels := range []map[string]int{nil, {"canary": 1}, {"stable": 3}} {
		_, err := withLabels(t, r, labelled("stable"), labels, one, two)
		var problems abtest.Problems
		if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Path != "experiments[0].variants[0].label" ||
			!strings.Contains(problems[0].Message, `no loaded version of model "risk" has the label stable`) {
			t.Errorf("labels %v: %v", labels, err)
		}
	}
	for _, version := range []int{1, 2, 1} {
		s, err := withLabels(t, r, labelled("stable"), map[string]int{"stable": version}, one, two)
		if err != nil {
			t.Fatal(err)
		}
		r.Pipeline.Swap(s)
		if got := predict(t, r.Pipeline, ask{user: "u"}); got.version != int64(version) {
			t.Errorf("label stable at %d: %+v", version, got)
		}
	}
}

// A label is moved to and fro under requests: each is answered by one version from
// its beginning to its end, and none is refused.
func TestALabelMovesUnderLoad(t *testing.T) {
	const moves, callers = 100, 4
	r := rig(t)
	versions := []*routertest.Version{r.Version("risk", 1), r.Version("risk", 2), r.Version("risk", 3)}
	move := func(to int) *router.Snapshot {
		s, err := withLabels(t, r, labelled("stable"), map[string]int{"stable": to}, versions...)
		if err != nil {
			t.Fatal(err)
		}
		return r.Pipeline.Swap(s)
	}
	move(1)
	var stop atomic.Bool
	var seen [4]atomic.Int64
	var running sync.WaitGroup
	for range callers {
		running.Go(func() {
			for !stop.Load() {
				got := predict(t, r.Pipeline, ask{user: "u"})
				if got.err != nil || got.version != int64(got.lane) || got.version < 1 || got.version > 2 {
					t.Errorf("%+v", got)
					return
				}
				seen[got.version].Add(1)
			}
		})
	}
	var old []*router.Snapshot
	for i := range moves {
		to := 1 + i%2
		old = append(old, move(to))
		before := seen[to].Load()
		eventually(t, "traffic follows the label", func() bool { return seen[to].Load() > before })
	}
	stop.Store(true)
	running.Wait()
	drained(t, old)
}
