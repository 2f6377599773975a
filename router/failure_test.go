package router_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/routertest"
)

var (
	errBroken  = errors.New("the model is broken")
	errRefused = errors.New("connection refused")
)

func TestBadFeatures(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	v.Static(1)
	r.Serve(abtest.Config{}, v)
	for _, f := range []struct{ name, field string }{{"nothing", "features.nothing"}, {"age", "features.age"}} {
		value := models.Value{Key: []byte(f.name), Kind: models.KindString, Raw: []byte("x")}
		got := predict(t, r.Pipeline, ask{user: "u", features: []models.Value{value}})
		if got.code() != "bad_features" || got.err.Field != f.field || got.degraded != "" {
			t.Errorf("%s: %+v", f.name, got)
		}
	}
	field := &models.FieldError{Field: "features.age", Message: "is missing"}
	for want, err := range map[string]error{
		"bad_features":         field,
		"features_unavailable": fmt.Errorf("the store does not answer: %w", field),
	} {
		r := rig(t)
		v := r.Version("risk", 1)
		v.View.OnFinish = func() error { return err }
		r.Serve(abtest.Config{}, v)
		if got := predict(t, r.Pipeline, ask{user: "u"}); got.code() != want || want == "bad_features" && got.err.Field != "features.age" {
			t.Errorf("a policy that fails with %v: %+v", err, got.err)
		}
	}
}

func TestStoreUnavailable(t *testing.T) {
	for _, c := range []struct {
		required, copies bool
		want             answer
	}{
		{false, false, answer{x: [2]float64{-1, -1}, degraded: "features"}},
		{false, true, answer{x: [2]float64{99, 99}, degraded: "features"}},
		{true, true, answer{x: [2]float64{99, 99}, degraded: "features"}},
		{true, false, answer{}},
	} {
		r := rig(t)
		v := r.Version("risk", 1)
		v.Lane.FeaturesRequired, v.View.Copies = c.required, c.copies
		v.Static(7)
		v.View.OnFetch = func(time.Time, [][]byte) error { return errRefused }
		r.Serve(abtest.Config{}, v)
		got := predict(t, r.Pipeline, ask{user: "u"})
		if refused := c.required && !c.copies; refused && (got.code() != "features_unavailable" || got.err.RetryAfter <= 0) || !refused && got.err != nil {
			t.Errorf("required %v, copies %v: %+v", c.required, c.copies, got.err)
		}
		if got.x != c.want.x || got.degraded != c.want.degraded {
			t.Errorf("required %v, copies %v: %+v, want %+v", c.required, c.copies, got, c.want)
		}
	}
}

func TestFeatureGuardOpens(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	var fetches atomic.Int32
	v.View.OnFetch = func(time.Time, [][]byte) error { fetches.Add(1); return errRefused }
	r.Serve(abtest.Config{}, v)
	for range 50 {
		if got := predict(t, r.Pipeline, ask{user: "u"}); got.degraded != "features" {
			t.Fatalf("got %+v", got)
		}
	}
	if n := fetches.Load(); n != int32(routertest.GuardOptions().MinResults) {
		t.Errorf("%d fetches before the guard opened", n)
	}
}

// TestFeatureOutcomes: what is our own or the caller's doing does not count
// against the store.
func TestFeatureOutcomes(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      error
		timeout  time.Duration
		failures uint32
	}{
		{"refused", errRefused, far, 1},
		{"our queue is full", router.ErrOverloaded, far, 0},
		{"slower than the budget", router.ErrDeadline, far, 1},
		{"slower than a short deadline", router.ErrDeadline, 15 * time.Millisecond, 0},
	} {
		r := rig(t)
		v := r.Version("risk", 1)
		v.View.OnFetch = func(time.Time, [][]byte) error { return c.err }
		r.Serve(abtest.Config{}, v)
		predict(t, r.Pipeline, ask{user: "u", timeout: c.timeout})
		if s := r.FeatureGrd.State(); s.Failures != c.failures || s.Successes != 0 {
			t.Errorf("%s: %d failures, %d successes", c.name, s.Failures, s.Successes)
		}
	}
}

func TestRetryAfterReset(t *testing.T) {
	o := routertest.Options()
	o.FeatureBudget = 200 * time.Millisecond
	r := routertest.NewRig(t, o)
	v := r.Version("risk", 1)
	var fetches atomic.Int32
	always := false
	v.View.OnFetch = func(time.Time, [][]byte) error {
		if fetches.Add(1)%2 == 1 || always {
			return router.ErrReset
		}
		return nil
	}
	r.Serve(abtest.Config{}, v)
	if got := predict(t, r.Pipeline, ask{user: "abc"}); got.degraded != "" || got.x[0] != 3 || fetches.Load() != 2 {
		t.Errorf("a reset was not retried: %+v after %d fetches", got, fetches.Load())
	}
	fetches.Store(0)
	always = true
	if got := predict(t, r.Pipeline, ask{user: "abc"}); got.degraded != "features" || fetches.Load() != 2 {
		t.Errorf("reset twice: %+v after %d fetches", got, fetches.Load())
	}
	// A retry that could not end in time is not begun.
	fetches.Store(0)
	v.View.OnFetch = func(until time.Time, _ [][]byte) error {
		fetches.Add(1)
		time.Sleep(time.Until(until.Add(-5 * time.Millisecond)))
		return router.ErrReset
	}
	if got := predict(t, r.Pipeline, ask{user: "abc"}); got.degraded != "features" || fetches.Load() != 1 {
		t.Errorf("late reset: %+v after %d fetches", got, fetches.Load())
	}
}

// faults is every way in which a score fails.
var faults = []struct {
	err      error
	hurried  bool
	code     string
	failures uint32 // against the model's breaker
	ladder   bool   // the fallbacks may answer
}{
	{err: router.ErrOverloaded, code: "overloaded"},
	{err: router.ErrDeadline, code: "deadline"},
	{err: router.ErrUnfinished, code: "deadline", failures: 1},
	{err: router.ErrUnfinished, hurried: true, code: "deadline"},
	{err: router.ErrStuck, code: "model_unavailable", ladder: true},
	{err: router.ErrTimeout, code: "model_unavailable", failures: 1, ladder: true},
	{err: router.ErrRow, code: "bad_features"},
	{err: router.ErrClosed, code: "model_unavailable", ladder: true},
	{err: errBroken, code: "internal", failures: 1, ladder: true},
	{err: fmt.Errorf("wrapped: %w", router.ErrTimeout), code: "model_unavailable", failures: 1, ladder: true},
}

// faulty makes a version's scores fail.
func faulty(v *routertest.Version, err error) {
	v.Lane.Scorer = &routertest.FaultyScorer{Scorer: v.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error { return err }}
}

func TestScoreErrors(t *testing.T) {
	for _, c := range faults {
		r := rig(t)
		v := r.Version("risk", 1)
		faulty(v, c.err)
		r.Serve(abtest.Config{}, v)
		got := predict(t, r.Pipeline, ask{user: "u", hurried: c.hurried})
		if got.code() != c.code || got.degraded != "" {
			t.Errorf("%v: %+v", c.err, got)
		}
		if unavailable := got.err.Code.Status() == 503; unavailable && c.code != "overloaded" && got.err.RetryAfter <= 0 {
			t.Errorf("%v: no time to retry after", c.err)
		}
		if s := v.Guard.State(); s.Failures != c.failures || s.Successes != 0 {
			t.Errorf("%v (hurried %v): %d failures, %d successes", c.err, c.hurried, s.Failures, s.Successes)
		}
	}
}

func TestModelBreakerOpens(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	var runs atomic.Int32
	v.Lane.Scorer = &routertest.FaultyScorer{Scorer: v.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error { runs.Add(1); return router.ErrTimeout }}
	r.Serve(abtest.Config{}, v)
	codes := map[string]int{}
	for range 30 {
		codes[predict(t, r.Pipeline, ask{user: "u"}).code()]++
	}
	if codes["model_unavailable"] != 20 || codes["breaker_open"] != 10 || runs.Load() != 20 {
		t.Errorf("codes are %v after %d scores", codes, runs.Load())
	}
}

func TestLadder(t *testing.T) {
	for _, variant := range []bool{true, false} {
		for _, static := range []bool{true, false} {
			for _, fallbackWorks := range []bool{true, false} {
				for _, c := range faults {
					ladder(t, variant, static, fallbackWorks, c.err, c.code, c.ladder)
				}
			}
		}
	}
}

func ladder(t *testing.T, variant, static, fallbackWorks bool, err error, code string, onLadder bool) {
	t.Helper()
	o := routertest.Options()
	o.VariantFallback, o.StaticFallback = variant, static
	r := routertest.NewRig(t, o)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	v2.Static(42)
	faulty(v2, err)
	if !fallbackWorks {
		faulty(v1, errBroken)
	}
	e := split("risk", 0, 100)
	e.Fallback = "control"
	r.Serve(config(e), v1, v2)
	want := answer{reason: "split", variant: "treatment", lane: 2}
	switch {
	case !onLadder:
	case variant && fallbackWorks:
		want = answer{reason: "split", variant: "control", lane: 1, id: -1, version: 1, x: [2]float64{4, -1}, degraded: "fallback_variant"}
		code = "ok"
	case static:
		want.x, want.degraded, code = [2]float64{42, 0}, "static_answer", "ok"
	}
	x := begin(t, r.Pipeline, ask{user: "abcd"})
	defer r.Pipeline.Finish(x)
	got := read(x, r.Pipeline.Predict(x))
	if got.code() != code {
		t.Errorf("variant %v, static %v, works %v, %v: code %s, want %s", variant, static, fallbackWorks, err, got.code(), code)
	}
	if got.err = nil; got != want {
		t.Errorf("variant %v, static %v, works %v, %v: %+v, want %+v", variant, static, fallbackWorks, err, got, want)
	}
	if got.degraded == "static_answer" && x.In() != nil {
		t.Error("a static answer shows a vector that it was not made of")
	}
}

// TestFallbackReadsItsOwnFeatures: what the failed attempt degraded is not what
// the fallback's answer was made of.
func TestFallbackReadsItsOwnFeatures(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	v2.View.OnFetch = func(time.Time, [][]byte) error { return errRefused }
	faulty(v2, errBroken)
	e := split("risk", 0, 100)
	e.Fallback = "control"
	r.Serve(config(e), v1, v2)
	if got := predict(t, r.Pipeline, ask{user: "abcd"}); got.degraded != "fallback_variant" || got.x[0] != 4 {
		t.Errorf("got %+v", got)
	}
}

// TestNoTimeIsLeftForTheFallback: the attempts share one deadline.
func TestNoTimeIsLeftForTheFallback(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	v2.Lane.Scorer = &routertest.FaultyScorer{Scorer: v2.Lane.Scorer, OnScore: func(until time.Time, _ handoff.Priority) error {
		time.Sleep(time.Until(until))
		return errBroken
	}}
	e := split("risk", 0, 100)
	e.Fallback = "control"
	r.Serve(config(e), v1, v2)
	start := time.Now()
	got := predict(t, r.Pipeline, ask{user: "u", timeout: 200 * time.Millisecond})
	if got.code() != "internal" || time.Since(start) > 2*time.Second {
		t.Errorf("got %+v after %s", got, time.Since(start))
	}
	if n := len(v1.Runner.Runs()); n != 0 {
		t.Errorf("the fallback ran %d times after the deadline", n)
	}
}

// TestNonFiniteScore: it is no answer, the fallbacks apply, and the breaker does
// not move: one caller's values can cause it.
func TestNonFiniteScore(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		r := rig(t)
		v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
		v2.Runner.OnRun = func(rows int) error {
			in, _ := v2.Runner.Frames()
			for i := range rows {
				row := models.Row{Data: in.Data[2][16*i:]}
				row.PutFloat64(8, value)
			}
			return nil
		}
		e := split("risk", 0, 100)
		e.Fallback = "control"
		r.Serve(config(e), v1, v2)
		for range 30 {
			if got := predict(t, r.Pipeline, ask{user: "u"}); got.degraded != "fallback_variant" || got.version != 1 {
				t.Fatalf("%v: %+v", value, got)
			}
		}
		if s := v2.Guard.State(); s.Failures > 0 || s.Breaker != "closed" {
			t.Errorf("%v: the guard is %+v", value, s)
		}
		r.Serve(abtest.Config{}, v2)
		if got := predict(t, r.Pipeline, ask{user: "u"}); got.code() != "internal" || !strings.Contains(got.err.Message, `"x"`) {
			t.Errorf("%v without a fallback: %+v", value, got.err)
		}
		if n := metric(t, r, "hotpath_nonfinite_outputs_total", "version", "2"); n != 31 {
			t.Errorf("%v: %v counted", value, n)
		}
	}
}

// TestPanicsGiveBackWhatTheyHeld: a stage that panics costs one request and
// nothing else.
func TestPanicsGiveBackWhatTheyHeld(t *testing.T) {
	r := rig(t)
	v := r.Version("risk", 1)
	fetchPanics, scorePanics := false, false
	v.View.OnFetch = func(time.Time, [][]byte) error {
		if fetchPanics {
			panic("fetch")
		}
		return nil
	}
	v.Lane.Scorer = &routertest.FaultyScorer{Scorer: v.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error {
		if scorePanics {
			panic("score")
		}
		return nil
	}}
	r.Serve(abtest.Config{}, v)
	for i := range 8 {
		fetchPanics, scorePanics = i%2 == 0, i%2 == 1
		func() {
			x := begin(t, r.Pipeline, ask{user: "u"})
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
				r.Pipeline.Finish(x)
			}()
			r.Pipeline.Predict(x)
		}()
	}
	fetchPanics, scorePanics = false, false
	if got := predict(t, r.Pipeline, ask{user: "abc"}); got.code() != "ok" || got.x[0] != 3 {
		t.Errorf("after the panics: %+v", got)
	}
	if n := r.Pipeline.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
	if s := v.Guard.State(); s.Failures != 4 || s.Successes != 1 || s.InFlight != 0 {
		t.Errorf("the model's guard is %+v", s)
	}
	if s := r.FeatureGrd.State(); s.Failures != 4 || s.Successes != 5 {
		t.Errorf("the store's guard is %+v", s)
	}
}
