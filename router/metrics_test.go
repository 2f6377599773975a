package router_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/router"
)

func TestMetricsAddUp(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	v1.View.OnFetch = func(_ time.Time, ids [][]byte) error {
		if len(ids[0]) == 9 {
			return errRefused
		}
		return nil
	}
	faulty(v2, errBroken)
	e := split("risk", 100, 0)
	e.Fallback = "control"
	r.Serve(config(e), v1, v2)
	for range 3 {
		predict(t, r.Pipeline, ask{user: "u"})
	}
	predict(t, r.Pipeline, ask{user: "a nine  c"})              // degraded
	predict(t, r.Pipeline, ask{user: "u", forced: "treatment"}) // falls back
	predict(t, r.Pipeline, ask{user: "u", timeout: -1})         // deadline
	x := begin(t, r.Pipeline, ask{user: "u"})
	if err := r.Pipeline.Predict(x); err != nil {
		t.Fatal(err)
	}
	x.Stages[router.StageDecode], x.Stages[router.StageEncode] = time.Microsecond, time.Microsecond
	r.Metrics.ObserveCodec(x)
	r.Pipeline.Finish(x)
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"hotpath_predictions_total", []string{"model", "risk", "version", "1", "code", "ok"}, 6},
		{"hotpath_predictions_total", []string{"code", "deadline"}, 1},
		{"hotpath_predictions_total", nil, 7},
		{"hotpath_degraded_total", []string{"fallback", "features"}, 1},
		{"hotpath_degraded_total", []string{"fallback", "fallback_variant", "version", "1"}, 1},
		{"hotpath_degraded_total", nil, 2},
		{"hotpath_assignments_total", []string{"variant", "control", "reason", "split"}, 6},
		{"hotpath_assignments_total", []string{"variant", "treatment", "reason", "forced"}, 1},
		{"hotpath_nonfinite_outputs_total", []string{"version", "1"}, 0},
		{"hotpath_stage_duration_seconds", []string{"stage", "assign"}, 7},
		{"hotpath_stage_duration_seconds", []string{"stage", "run"}, 6},
		{"hotpath_stage_duration_seconds", []string{"stage", "decode"}, 1},
		{"hotpath_stage_duration_seconds", []string{"stage", "encode"}, 1},
	} {
		if got := metric(t, r, c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	r.Metrics.Forget("risk", 1)
	if got := metric(t, r, "hotpath_predictions_total", "version", "1"); got != 0 {
		t.Errorf("a version that is gone still reports %v", got)
	}
}

func TestMetricsRegisterOnce(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := router.NewMetrics(reg); err != nil {
		t.Fatal(err)
	}
	if _, err := router.NewMetrics(reg); err == nil {
		t.Error("a second set registered")
	}
}

func TestCodesAreDistinct(t *testing.T) {
	names := map[string]bool{}
	for _, c := range router.Codes() {
		if names[c.String()] || c.Status() < 200 || c.Status() > 599 {
			t.Errorf("code %d is %q with status %d", c, c, c.Status())
		}
		names[c.String()] = true
		if back, ok := router.ParseCode(c.String()); !ok || back != c {
			t.Errorf("%q reads back as %d", c, back)
		}
	}
	if _, ok := router.ParseCode("nonsense"); ok {
		t.Error("nonsense is a code")
	}
	e := &router.Error{Code: router.BadFeatures, Field: "features.a", Message: "is bad"}
	if e.Error() != "bad_features: features.a: is bad" {
		t.Errorf("an error reads %q", e)
	}
}

// Experiments come and go over reloads; their series must not stay for ever.
func TestSeriesOfAnExperimentThatIsGoneAreDropped(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	r.Serve(config(split("risk", 100, 0)), v1, v2)
	predict(t, r.Pipeline, ask{user: "u"})
	if got := metric(t, r, "hotpath_assignments_total"); got != 1 {
		t.Fatalf("%v assignments, want 1", got)
	}
	r.Serve(abtest.Config{}, v1, v2)
	if got := metric(t, r, "hotpath_assignments_total"); got != 0 {
		t.Errorf("%v assignments after the experiment is gone, want none", got)
	}
}

// A shadow that is promoted has other series: dropping the old ones must not take
// the new ones along.
func TestSeriesOfAPromotedShadowAreCounted(t *testing.T) {
	r := rig(t)
	v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
	before, after := split("risk", 100, 0), split("risk", 0, 100)
	before.Variants[1] = abtest.VariantConfig{Name: "treatment", Shadow: true, Version: 2}
	r.Serve(config(before), v1, v2)
	r.Serve(config(after), v1, v2)
	predict(t, r.Pipeline, ask{user: "u"})
	if got := metric(t, r, "hotpath_assignments_total", "variant", "treatment"); got != 1 {
		t.Errorf("%v assignments to the promoted shadow, want 1", got)
	}
}
