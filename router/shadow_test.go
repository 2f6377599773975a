package router_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/routertest"
)

// shadowed is an experiment whose version 2 only looks on.
func shadowed(sample float64) abtest.ExperimentConfig {
	return abtest.ExperimentConfig{Name: "risk-test", Model: "risk", Variants: []abtest.VariantConfig{
		{Name: "control", Weight: weight(100), Version: 1},
		{Name: "dark", Shadow: true, Version: 2, Sample: weight(sample)},
	}}
}

// shadowRuns reads hotpath_shadow_total of the shadow named dark.
func shadowRuns(t testing.TB, r *routertest.Rig, result string) int {
	t.Helper()
	return int(metric(t, r, "hotpath_shadow_total", "result", result, "variant", "dark"))
}

// metric is Rig.Metric.
func metric(t testing.TB, r *routertest.Rig, name string, labels ...string) float64 {
	t.Helper()
	return r.Metric(t, name, labels...)
}

func TestShadowScoresOffThePath(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	release := make(chan struct{})
	var low atomic.Int32
	v2.Lane.Scorer = &routertest.FaultyScorer{Scorer: v2.Lane.Scorer, OnScore: func(until time.Time, prio handoff.Priority) error {
		if prio == handoff.Low && time.Until(until) <= routertest.Options().Shadow.Timeout {
			low.Add(1)
		}
		<-release
		return nil
	}}
	r.Serve(config(shadowed(100)), v1, v2)
	start := time.Now()
	for i := range 30 {
		if got := predict(t, r.Pipeline, ask{user: fmt.Sprint("u", i)}); got.version != 1 || got.variant != "control" || got.err != nil {
			t.Fatalf("got %+v", got)
		}
	}
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("30 requests took %s beside a blocked shadow", took)
	}
	close(release)
	eventually(t, "30 shadows scored", func() bool { return shadowRuns(t, r, "scored") == 30 })
	if low.Load() != 30 {
		t.Errorf("%d of 30 at low priority and in their own time", low.Load())
	}
	if n := metric(t, r, "hotpath_shadow_prediction_difference"); n != 30 {
		t.Errorf("%v differences", n)
	}
}

func TestShadowSample(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	s := r.Serve(config(shadowed(30)), v1, v2)
	want := 0
	m := s.Plan().ModelExperiments("risk")
	for i := range 60 {
		user := fmt.Sprint("user-", i)
		if a := m.Assign(&abtest.Request{User: []byte(user)}); a.ShadowHit(0) {
			want++
		}
		predict(t, r.Pipeline, ask{user: user})
	}
	eventually(t, "the sampled users are scored", func() bool { return shadowRuns(t, r, "scored") == want })
	if want == 0 || want == 60 {
		t.Errorf("sample is %d of 60", want)
	}
}

// TestShadowInputs: a shadow of equal inputs takes the vector as it is; another
// reads its own from copies of the request.
func TestShadowInputs(t *testing.T) {
	for _, same := range []bool{true, false} {
		r := rig(t)
		v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
		var trace routertest.Trace
		v2.View.Trace = trace.Add
		if !same {
			v2.Lane.SameInputs = "something else"
		}
		proceed := make(chan struct{})
		v2.View.OnFetch = func(_ time.Time, ids [][]byte) error {
			<-proceed
			if string(ids[0]) != "abc" || string(ids[1]) != "m9" {
				t.Errorf("ids are %q", ids)
			}
			return nil
		}
		rows := make(chan [2]int64, 1)
		v2.Runner.OnRun = func(int) error {
			in, _ := v2.Runner.Frames()
			row := models.Row{Data: in.Data[0]}
			version := models.Row{Data: in.Data[1]}
			rows <- [2]int64{row.Int64(0), version.Int64(0)}
			return nil
		}
		r.Serve(config(shadowed(100)), v1, v2)
		body := []byte("abc m9 17")
		x := begin(t, r.Pipeline, ask{})
		x.Request.UserID = body[:3]
		x.Request.Entities = append(x.Request.Entities, models.Value{Key: []byte("merchant"), Kind: models.KindString, Raw: body[4:6]})
		x.Request.Features = append(x.Request.Features, models.Value{Key: []byte("id"), Kind: models.KindNumber, Raw: body[7:]})
		if err := r.Pipeline.Predict(x); err != nil {
			t.Fatal(err)
		}
		r.Pipeline.Finish(x)
		for i := range body { // the request is gone, and its memory another's
			body[i] = '9'
		}
		close(proceed)
		got := <-rows
		eventually(t, "scored", func() bool { return shadowRuns(t, r, "scored") == 1 })
		calls := len(trace.Take())
		if want := [2]int64{17, 1}; same && (got != want || calls != 0) {
			t.Errorf("same inputs: row %v, want %v, after %d calls of its view", got, want, calls)
		}
		if want := [2]int64{17, 2}; !same && (got != want || calls != 5) {
			t.Errorf("other inputs: row %v, want %v, after %d calls of its view", got, want, calls)
		}
	}
}

func TestShadowDifference(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	v2.Lane.SameInputs = "other"
	v2.View.OnFetch = func(time.Time, [][]byte) error { return errRefused } // so that x[0] is -1
	r.Serve(config(shadowed(100)), v1, v2)
	predict(t, r.Pipeline, ask{user: "abc"}) // x[0] is 3
	eventually(t, "a difference", func() bool { return metric(t, r, "hotpath_shadow_prediction_difference") == 1 })
	families, err := r.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "hotpath_shadow_prediction_difference" {
			if sum := f.GetMetric()[0].GetHistogram().GetSampleSum(); sum != 4 {
				t.Errorf("the difference is %v, want 4", sum)
			}
		}
	}
}

func TestShadowsAreDropped(t *testing.T) {
	for name, bound := range map[string]func(*router.Options, *routertest.Rig){
		"queue":    func(o *router.Options, _ *routertest.Rig) { o.Shadow.Queue, o.Shadow.Workers = 3, 1 },
		"bulkhead": func(_ *router.Options, r *routertest.Rig) { r.ShadowGuard.MaxConcurrent = 4 },
	} {
		o := routertest.Options()
		bound(&o, &routertest.Rig{})
		r := routertest.NewRig(t, o)
		bound(&router.Options{}, r)
		v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
		started, release := make(chan struct{}, 100), make(chan struct{})
		v2.Lane.Scorer = &routertest.FaultyScorer{Scorer: v2.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error {
			started <- struct{}{}
			<-release
			return nil
		}}
		r.Serve(config(shadowed(100)), v1, v2)
		predict(t, r.Pipeline, ask{user: "u"})
		<-started // one is with a worker
		for range 9 {
			if got := predict(t, r.Pipeline, ask{user: "u"}); got.err != nil {
				t.Fatalf("%s: %v", name, got.err)
			}
		}
		if n := shadowRuns(t, r, "dropped"); n != 6 {
			t.Errorf("%s: %d of 10 dropped, want 6", name, n)
		}
		close(release)
		eventually(t, name+": the others are scored", func() bool { return shadowRuns(t, r, "scored") == 4 })
		eventually(t, name+": all permits are back", func() bool { return r.Shadow("risk-test", "dark").State().InFlight == 0 })
	}
}

func TestShadowFailuresAreItsOwn(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	faulty(v2, errBroken)
	r.Serve(config(shadowed(100)), v1, v2)
	for i := range 30 {
		predict(t, r.Pipeline, ask{user: "u"})
		eventually(t, "a result", func() bool { return shadowRuns(t, r, "failed")+shadowRuns(t, r, "breaker_open") == i+1 })
	}
	if failed, open := shadowRuns(t, r, "failed"), shadowRuns(t, r, "breaker_open"); failed != 20 || open != 10 {
		t.Errorf("%d failed, %d refused", failed, open)
	}
	if s := v2.Guard.State(); s.Failures != 0 {
		t.Errorf("%d failures against the version that others may serve", s.Failures)
	}
	if got := predict(t, r.Pipeline, ask{user: "u", forced: "control"}); got.err != nil {
		t.Errorf("got %+v", got)
	}
}

func TestShadowPanicAndExpiry(t *testing.T) {
	o := routertest.Options()
	o.Shadow.Timeout, o.Shadow.Workers = 200*time.Millisecond, 1
	r := routertest.NewRig(t, o)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	started := make(chan struct{}, 10)
	v2.Lane.Scorer = &routertest.FaultyScorer{Scorer: v2.Lane.Scorer, OnScore: func(until time.Time, _ handoff.Priority) error {
		started <- struct{}{}
		time.Sleep(time.Until(until) + 10*time.Millisecond)
		panic("shadow")
	}}
	r.Serve(config(shadowed(100)), v1, v2)
	predict(t, r.Pipeline, ask{user: "u"})
	<-started
	for range 3 { // they wait behind the first until their time is over
		predict(t, r.Pipeline, ask{user: "u"})
	}
	eventually(t, "one panicked, three expired", func() bool {
		return shadowRuns(t, r, "panicked") == 1 && shadowRuns(t, r, "expired") == 3
	})
	eventually(t, "all permits are back", func() bool { return r.Shadow("risk-test", "dark").State().InFlight == 0 })
	if s := r.Shadow("risk-test", "dark").State(); s.Failures != 1 {
		t.Errorf("the guard is %+v", s)
	}
}

// TestNoShadowOfAStaticAnswer: there is no vector to score.
func TestNoShadowOfAStaticAnswer(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	v1.Static(1)
	faulty(v1, errBroken)
	r.Serve(config(shadowed(100)), v1, v2)
	if got := predict(t, r.Pipeline, ask{user: "u"}); got.degraded != "static_answer" {
		t.Fatalf("got %+v", got)
	}
	r.Pipeline.Close()
	if n := metric(t, r, "hotpath_shadow_total"); n != 0 {
		t.Errorf("%v shadows", n)
	}
}

// TestCloseDropsShadows: what waits is not scored any more, and frees its lane
// even where there is no worker. Close may be called again.
func TestCloseDropsShadows(t *testing.T) {
	for _, workers := range []int{0, 1} {
		o := routertest.Options()
		o.Shadow.Workers = workers
		r := routertest.NewRig(t, o)
		v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
		started, release := make(chan struct{}, 10), make(chan struct{})
		v2.Lane.Scorer = &routertest.FaultyScorer{Scorer: v2.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error {
			started <- struct{}{}
			<-release
			return nil
		}}
		r.Serve(config(shadowed(100)), v1, v2)
		predict(t, r.Pipeline, ask{user: "u"})
		if workers > 0 {
			<-started
		}
		for range 5 {
			predict(t, r.Pipeline, ask{user: "u"})
		}
		closed := make(chan struct{})
		go func() {
			r.Pipeline.Close()
			close(closed)
		}()
		if workers > 0 {
			eventually(t, "closing", func() bool { return r.Pipeline.ShadowsClosedForTest() })
		}
		close(release)
		<-closed
		if scored, dropped := shadowRuns(t, r, "scored"), shadowRuns(t, r, "dropped"); scored != workers || dropped != 6-workers {
			t.Errorf("%d workers: %d scored, %d dropped", workers, scored, dropped)
		}
		r.Pipeline.Close()
	}
}

func TestMetricsLint(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	r.Serve(config(shadowed(100)), v1, v2)
	predict(t, r.Pipeline, ask{user: "u"})
	problems, err := testutil.GatherAndLint(r.Registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
