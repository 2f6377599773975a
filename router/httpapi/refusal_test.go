package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hotpath/abtest"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/httpapi"
	"hotpath/router/httpapi/jsonwire"
	"hotpath/router/routertest"
)

func TestMethodsAndPaths(t *testing.T) {
	p := start(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/predict", 405, "method_not_allowed", "POST"},
		{"PUT", "/v1/predict", 405, "method_not_allowed", "POST"},
		{"DELETE", "/predict/batch", 405, "method_not_allowed", "POST"},
		{"BREW", "/api/v1/predict/batch", 405, "method_not_allowed", "POST"},
		{"POST", "/livez", 405, "method_not_allowed", "GET, HEAD"},
		{"POST", "/health/readiness", 405, "method_not_allowed", "GET, HEAD"},
		{"POST", "/", 405, "method_not_allowed", "GET, HEAD"},
		{"POST", "/predict/", 404, "not_found", ""},
		{"POST", "/Predict", 404, "not_found", ""},
		{"GET", "/metrics", 404, "not_found", ""},
		{"GET", "/admin/status", 404, "not_found", ""},
		{"POST", "/v2x/models/risk/infer", 404, "not_found", ""},
		{"GET", "/v1/modelsx", 404, "not_found", ""},
	} {
		got := p.do(t, c.method, c.path, "")
		if got.status != c.status || got.code(t) != c.code || got.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %+v", c.method, c.path, got)
		}
	}
	if got := p.do(t, "HEAD", "/predict", ""); got.status != 405 || got.body != "" || got.header.Get("Allow") != "POST" {
		t.Errorf("HEAD /predict: %+v", got)
	}
}

func TestHealth(t *testing.T) {
	status := httpapi.StatusReady
	p := start(t, func(s *setup) {
		s.handler.Ready = func() httpapi.Readiness {
			return httpapi.Readiness{Status: status, Dependencies: map[string]httpapi.Dependency{"features": {Status: "degraded", Detail: "breaker open"}}}
		}
	})
	for _, path := range []string{"/livez", "/health/liveness"} {
		if got := p.do(t, "GET", path, ""); got.status != 200 || got.body != `{"status":"alive"}` {
			t.Errorf("%s: %+v", path, got)
		}
	}
	for want, code := range map[string]int{httpapi.StatusReady: 200, httpapi.StatusStarting: 503, httpapi.StatusDraining: 503} {
		status = want
		for _, path := range []string{"/readyz", "/health/readiness"} {
			got := p.do(t, "GET", path, "")
			if got.status != code || got.body != `{"status":"`+want+`","dependencies":{"features":{"status":"degraded","detail":"breaker open"}}}` ||
				(got.header.Get("Retry-After") == "1") != (code == 503) {
				t.Errorf("%s %s: %+v", want, path, got)
			}
			if head := p.do(t, "HEAD", path, ""); head.status != code || head.body != "" {
				t.Errorf("HEAD %s: %+v", path, head)
			}
		}
	}
}

func TestCompressedBodies(t *testing.T) {
	p := start(t, nil)
	for _, path := range []string{"/predict", "/predict/batch"} {
		for _, encoding := range []string{"gzip", "br", "deflate", "identity, gzip", "GZIP"} {
			got := p.post(t, path, "\x1f\x8b\x08\x00", "Content-Encoding: "+encoding)
			if e := got.failure(t); got.status != 415 || e.Code != "unsupported_encoding" || e.Field != "Content-Encoding" {
				t.Errorf("%s %s: %+v", path, encoding, got)
			}
		}
	}
	if got := p.post(t, "/predict", `{"user_id":"u"}`, "Content-Encoding: identity"); got.status != 200 {
		t.Errorf("identity: %+v", got)
	}
}

// TestEveryUnavailableSaysWhen: each 503 has Retry-After, and each failure of a
// stage its status and code.
func TestEveryUnavailableSaysWhen(t *testing.T) {
	var fault error
	required := false
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v := r.Version("risk", 1)
			v.View.OnFetch = func(time.Time, [][]byte) error {
				if required {
					return fmt.Errorf("refused")
				}
				return nil
			}
			v.Lane.FeaturesRequired = true
			v.Lane.Scorer = &routertest.FaultyScorer{Scorer: v.Lane.Scorer, OnScore: func(time.Time, handoff.Priority) error { return fault }}
			r.Serve(abtest.Config{}, v)
		}
	})
	for _, c := range []struct {
		fault    error
		required bool
		status   int
		code     string
	}{
		{nil, true, 503, "features_unavailable"},
		{router.ErrOverloaded, false, 503, "overloaded"},
		{router.ErrStuck, false, 503, "model_unavailable"},
		{router.ErrTimeout, false, 503, "model_unavailable"},
		{router.ErrClosed, false, 503, "model_unavailable"},
		{router.ErrDeadline, false, 504, "deadline"},
		{router.ErrRow, false, 422, "bad_features"},
		{fmt.Errorf("broken"), false, 500, "internal"},
	} {
		fault, required = c.fault, c.required
		got := p.post(t, "/predict", `{"user_id":"u"}`)
		if got.status != c.status || got.code(t) != c.code || (got.header.Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%v: %+v", c.fault, got)
		}
	}
	fault, required = router.ErrTimeout, false
	eventually(t, "the breaker opens", func() bool {
		got := p.post(t, "/predict", `{"user_id":"u"}`)
		return got.code(t) == "breaker_open" && got.status == 503 && got.header.Get("Retry-After") == "1"
	})
}

func TestGatewayRefuses(t *testing.T) {
	o := routertest.Options()
	o.MaxInFlight = 1
	p := start(t, func(s *setup) { s.router, s.serve = o, func(*routertest.Rig) {} })
	bodies := map[string]string{"/predict": `{"user_id":"u"}`, "/predict/batch": `{"instances":[{"user_id":"u"}]}`}
	refused := func(code string) {
		t.Helper()
		for path, body := range bodies {
			if got := p.post(t, path, body); got.status != 503 || got.code(t) != code || got.header.Get("Retry-After") != "1" {
				t.Errorf("%s: %+v, want %s", path, got, code)
			}
		}
	}
	refused("not_ready")
	p.Rig.Serve(abtest.Config{}, p.Version("risk", 1))
	x, refusal := p.Pipeline.Begin()
	if refusal != nil {
		t.Fatal(refusal)
	}
	refused("overloaded")
	p.Pipeline.Finish(x)
	p.Pipeline.Drain()
	refused("draining")
}

// TestPanicCostsOneRequest: a bug in a stage ends one request, or one instance.
func TestPanicCostsOneRequest(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v := r.Version("risk", 1)
			v.View.OnFetch = func(_ time.Time, ids [][]byte) error {
				if string(ids[0]) == "bomb" {
					panic("a bug in a stage")
				}
				return nil
			}
			r.Serve(abtest.Config{}, v)
		}
	})
	for range 5 {
		got := p.post(t, "/predict", `{"user_id":"bomb"}`, "X-Request-Id: r")
		if e := got.failure(t); got.status != 500 || e.Code != "internal" || strings.Contains(got.body, "a bug") || e.Request_ID != "r" {
			t.Errorf("got %+v", got)
		}
		if got := p.post(t, "/predict", `{"user_id":"fine"}`); got.status != 200 {
			t.Errorf("after it: %+v", got)
		}
	}
	got := p.post(t, "/predict/batch", `{"instances":[{"user_id":"a"},{"user_id":"bomb"},{"user_id":"c"}]}`)
	if got.status != 200 || strings.Count(got.body, `"outputs"`) != 2 || strings.Count(got.body, `"internal"`) != 1 {
		t.Errorf("batch: %+v", got)
	}
	if n := p.metric(t, "hotpath_request_panics_total"); n != 6 {
		t.Errorf("%v panics counted", n)
	}
	if !strings.Contains(p.log.String(), "a bug in a stage") {
		t.Error("the log does not say what went wrong")
	}
	if n := p.Pipeline.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

func TestAccessLog(t *testing.T) {
	for share, want := range map[float64]int{0: 0, 0.1: 4, 0.3: 13, 1: 40} {
		p := start(t, func(s *setup) { s.handler.AccessSample = share })
		for range 40 {
			p.post(t, "/predict", `{"user_id":"u"}`)
			p.do(t, "GET", "/livez", "")
		}
		log := p.log.String()
		if n := strings.Count(log, "msg=request"); n != want {
			t.Errorf("a share of %v gives %d lines of 40, want %d", share, n, want)
		}
		if want > 0 && !strings.Contains(log, "route=predict code=ok status=200") || strings.Contains(log, "route=health") {
			t.Errorf("the log is %s", log)
		}
	}
}

func TestMetricsLint(t *testing.T) {
	p := start(t, nil)
	p.post(t, "/predict", `{"user_id":"u"}`)
	problems, err := testutil.GatherAndLint(p.Registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", err, problems)
	}
	if n := p.metric(t, "hotpath_request_duration_seconds", "route", "predict"); n != 1 {
		t.Errorf("%v durations", n)
	}
}

func TestNewChecksItsOptions(t *testing.T) {
	good := httpapi.Options{DefaultDeadline: time.Second, MaxDeadline: time.Second, Limits: jsonwire.DefaultLimits(),
		Catalog: &fakeCatalog{}, MaxInferBody: 1, BodyMemory: 1}
	for name, change := range map[string]func(*httpapi.Options){
		"deadline.default": func(o *httpapi.Options) { o.DefaultDeadline = 0 },
		"deadline.max":     func(o *httpapi.Options) { o.MaxDeadline = time.Millisecond },
		"depth":            func(o *httpapi.Options) { o.Limits.Depth = 0 },
		"a catalog":        func(o *httpapi.Options) { o.Catalog = nil },
		"got 0 bytes":      func(o *httpapi.Options) { o.MaxInferBody = 0 },
		"memory for one":   func(o *httpapi.Options) { o.BodyMemory = 0 },
	} {
		o := good
		change(&o)
		if _, err := httpapi.New(nil, nil, o, prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	reg := prometheus.NewRegistry()
	for i := range 2 {
		if _, err := httpapi.New(nil, nil, good, reg); (err != nil) != (i == 1) {
			t.Errorf("handler %d on one registry: %v", i, err)
		}
	}
}
