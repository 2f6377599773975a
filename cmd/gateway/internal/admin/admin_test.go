package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
	"hotpath/resilience"
	"hotpath/router/httpapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeRepository stands for *repository.Repository: it notes what it is asked
// and answers with err.
type fakeRepository struct {
	status repository.Status
	calls  []string
	err    error
}

func (f *fakeRepository) List() *repository.Status { return &f.status }

func (f *fakeRepository) note(ctx context.Context, verb, model string, version int) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("the operation has no deadline")
	}
	f.calls = append(f.calls, verb+" "+model+" "+string(rune('0'+version)))
	return f.err
}

func (f *fakeRepository) Load(ctx context.Context, m string, v int) error {
	return f.note(ctx, "load", m, v)
}
func (f *fakeRepository) Unload(ctx context.Context, m string, v int) error {
	return f.note(ctx, "unload", m, v)
}
func (f *fakeRepository) Promote(ctx context.Context, m string, v int) error {
	return f.note(ctx, "promote", m, v)
}
func (f *fakeRepository) Rollback(ctx context.Context, m string) error {
	return f.note(ctx, "rollback", m, 0)
}
func (f *fakeRepository) SetLabel(ctx context.Context, m, label string, v int) error {
	return f.note(ctx, "label "+label+" of", m, v)
}

// port is a handler with everything around it faked or small.
type port struct {
	t         *testing.T
	options   Options
	handler   http.Handler
	repo      *fakeRepository
	readiness httpapi.Readiness
	plan      *abtest.Plan
	reloadErr error
	configErr error
	guard     *resilience.Guard
	log       bytes.Buffer
	registry  *prometheus.Registry
	status    func() Status
}

func newPort(t *testing.T) *port {
	t.Helper()
	p := &port{t: t, readiness: httpapi.Readiness{Status: httpapi.StatusReady}, registry: prometheus.NewRegistry()}
	p.repo = &fakeRepository{status: repository.Status{Dir: "repo", Models: []repository.ModelStatus{{
		Name: "risk", Current: 2, Previous: 1, Versions: []repository.VersionStatus{
			{Version: 1, State: repository.StateReady, Previous: true}, {Version: 2, State: repository.StateReady, Current: true}}}}}}
	half, sample := 50.0, 10.0
	var err error
	p.plan, err = abtest.Compile(abtest.Config{
		Layers: []abtest.LayerConfig{{Name: "l"}},
		Experiments: []abtest.ExperimentConfig{
			{Name: "adults", Model: "risk", Targeting: &abtest.Condition{Attribute: "age", Gte: new(18.0)},
				Overrides: map[string][]string{"b": {"vip"}}, Fallback: "a",
				Variants: []abtest.VariantConfig{{Name: "a", Weight: &half}, {Name: "b", Weight: &half, Version: 1}, {Name: "s", Shadow: true, Sample: &sample, Version: 1}}},
			{Name: "off", Model: "risk", Layer: "l", Range: []int{0, 100}, State: "stopped",
				Variants: []abtest.VariantConfig{{Name: "only", Weight: new(100.0)}}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	p.guard, err = resilience.New("model:risk/2", resilience.Options{FailureRatio: .5, MinResults: 10, Window: time.Second,
		OpenFor: time.Second, Probes: 1, MaxConcurrent: 8})
	if err != nil {
		t.Fatal(err)
	}
	p.status = func() Status { return Status{Version: "v1", StartedAt: time.Now().Add(-time.Minute), Generation: 7} }
	editor, _, _ := keeperOf(t, served)
	p.options = Options{
		Editor:     editor,
		Repository: p.repo, Gatherer: p.registry, Log: slog.New(slog.NewTextHandler(&p.log, nil)),
		Readiness: func() httpapi.Readiness { return p.readiness },
		Status:    func() Status { return p.status() },
		Config: func(w io.Writer) error {
			_, err := io.WriteString(w, "server:\n")
			return errors.Join(err, p.configErr)
		},
		Experiments: func() Experiments {
			return Experiments{Plan: p.plan, File: "experiments.yaml", ReloadErr: p.reloadErr, DefaultModel: "risk"}
		},
		Reload: func(context.Context) error { return p.reloadErr },
		Guards: func() []resilience.State { return []resilience.State{p.guard.State(), {Name: "features"}} },
		GuardHold: func(name string, open bool) error {
			if name != "model:risk/2" {
				return ErrNoGuard
			}
			p.guard.Hold(open)
			return nil
		},
	}
	p.handler = New(p.options)
	return p
}

// do sends a request; headers are name, value, ...
func (p *port) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// refused wants an error of this status and code, and returns its detail.
func (p *port) refused(w *httptest.ResponseRecorder, status int, code string) ErrorDetail {
	p.t.Helper()
	var body ErrorBody
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != status || body.Error.Code != code || body.Error.Message == "" {
		p.t.Errorf("got %d %s, want %d %s (%v)", w.Code, w.Body, status, code, err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		p.t.Errorf("an error has content type %q", got)
	}
	return body.Error
}

func decode[T any](p *port, w *httptest.ResponseRecorder) (v T) {
	p.t.Helper()
	if w.Code != http.StatusOK {
		p.t.Fatalf("got %d: %s", w.Code, w.Body)
	}
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		p.t.Fatal(err)
	}
	return v
}

func TestProbesAnswerLikeTheTrafficPort(t *testing.T) {
	p := newPort(t)
	for _, path := range []string{"/livez", "/health/liveness"} {
		if w := p.do("GET", path, ""); w.Code != 200 || w.Body.String() != `{"status":"alive"}` {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/readyz", "/health/readiness"} {
		for status, want := range map[string]int{"ready": 200, "starting": 503, "draining": 503} {
			p.readiness = httpapi.Readiness{Status: status, Dependencies: map[string]httpapi.Dependency{"models": {Status: "ok", Detail: "3"}}}
			w := p.do("GET", path, "")
			want200 := strings.TrimSpace(w.Body.String()) == `{"status":"`+status+`","dependencies":{"models":{"status":"ok","detail":"3"}}}`
			if w.Code != want || !want200 || (w.Header().Get("Retry-After") != "") != (want == 503) {
				t.Errorf("%s %s: %d %s %v", path, status, w.Code, w.Body, w.Header())
			}
		}
	}
}

func TestOperationsReachTheRepository(t *testing.T) {
	p := newPort(t)
	for _, target := range []string{"/load", "/load?version=3", "/unload?version=1", "/unload", "/promote?version=2", "/rollback"} {
		if m := decode[repository.ModelStatus](p, p.do("POST", "/admin/models/risk"+target, "")); m.Name != "risk" || m.Current != 2 {
			t.Errorf("%s: %+v", target, m)
		}
	}
	want := []string{"load risk 0", "load risk 3", "unload risk 1", "unload risk 0", "promote risk 2", "rollback risk 0"}
	if !reflect.DeepEqual(p.repo.calls, want) {
		t.Errorf("called %q, want %q", p.repo.calls, want)
	}
	p.repo.status.Models = nil
	if m := decode[repository.ModelStatus](p, p.do("POST", "/admin/models/risk/unload", "")); m.Name != "risk" || !m.Unloaded {
		t.Errorf("a model that is gone with its unload: %+v", m)
	}
}

func TestRepositoryErrorsHaveTheirStatus(t *testing.T) {
	p := newPort(t)
	for code, status := range map[repository.Code]int{
		repository.CodeUnknownModel: 404, repository.CodeUnknownVersion: 404, repository.CodeBadRequest: 400,
		repository.CodeBadModel: 422, repository.CodeConflict: 409, repository.CodeDeadline: 504, repository.CodeClosed: 503,
	} {
		p.repo.err = &repository.Error{Code: code, Model: "risk", Version: 3, Reason: "because"}
		w := p.do("POST", "/admin/models/risk/promote?version=3", "")
		if d := p.refused(w, status, string(code)); d.Message != `model "risk" version 3: because` {
			t.Errorf("message %q", d.Message)
		}
		if (w.Header().Get("Retry-After") != "") != (status == 503) {
			t.Errorf("%s: Retry-After %q", code, w.Header().Get("Retry-After"))
		}
	}
	if !strings.Contains(p.log.String(), "admin operation refused") {
		t.Error("a refused operation leaves no line in the log")
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	p := newPort(t)
	for _, c := range []struct {
		method, target, body string
		status               int
		code, message        string
	}{
		{"GET", "/admin", "", 404, "not_found", `there is no "/admin"`},
		{"GET", "/predict", "", 404, "not_found", ""},
		{"DELETE", "/admin/models/risk", "", 405, "method_not_allowed", "takes GET, HEAD, not DELETE"},
		{"GET", "/admin/models/risk/promote", "", 405, "method_not_allowed", "takes POST"},
		{"POST", "/metrics", "", 405, "method_not_allowed", ""},
		{"GET", "/admin/models/nope", "", 404, "unknown_model", `"nope"`},
		{"GET", "/admin/status?verbose=1", "", 400, "bad_request", `unknown parameter "verbose"; this takes none`},
		{"POST", "/admin/models/risk/load?verson=2", "", 400, "bad_request", "did you mean version?"},
		{"POST", "/admin/models/risk/load?version=2&version=3", "", 400, "bad_request", "given 2 times"},
		{"POST", "/admin/models/risk/load?version=0", "", 400, "bad_request", "integer from 1"},
		{"POST", "/admin/models/risk/load?version=02", "", 400, "bad_request", "leading zeros"},
		{"POST", "/admin/models/risk/load?version=", "", 400, "bad_request", "parameter version"},
		{"POST", "/admin/models/risk/promote", "", 400, "bad_request", "version is missing"},
		{"POST", "/admin/models/risk/rollback?version=1", "", 400, "bad_request", "takes none"},
		{"POST", "/admin/models/risk/load?version=%zz", "", 400, "bad_request", "malformed"},
		{"PUT", "/admin/models/risk/labels/stable", "", 400, "bad_request", "version is missing"},
		{"PUT", "/admin/models/risk/labels/stable?version=0", "", 400, "bad_request", "integer from 1"},
		{"PUT", "/admin/models/risk/labels/stable?version=2", `{"version":2}`, 400, "bad_request", "takes no body"},
		{"DELETE", "/admin/models/risk/labels/stable?version=2", "", 400, "bad_request", "takes none"},
		{"POST", "/admin/models/risk/labels/stable?version=2", "", 405, "method_not_allowed", "takes DELETE, PUT, not POST"},
		{"POST", "/admin/models/risk/load", `{"version":2}`, 400, "bad_request", "takes no body"},
		{"GET", "/admin/experiments/assign", "", 400, "bad_request", "user_id has 0 bytes"},
		{"GET", "/admin/experiments/assign?user_id=" + strings.Repeat("x", 257), "", 400, "bad_request", "257"},
		{"GET", "/admin/experiments/assign?user_id=u&model=nope", "", 404, "unknown_model", ""},
		{"GET", "/admin/experiments/assign?user_id=u&attr.=1", "", 400, "bad_request", "unknown parameter"},
		{"POST", "/admin/guards/nope/hold", "", 404, "unknown_guard", ""},
		{"POST", "/admin/guards/model:risk/2/open", "", 404, "not_found", "/hold and /release"},
	} {
		d := p.refused(p.do(c.method, c.target, c.body), c.status, c.code)
		if !strings.Contains(d.Message, c.message) {
			t.Errorf("%s %s: message %q lacks %q", c.method, c.target, d.Message, c.message)
		}
	}
	if len(p.repo.calls) > 0 {
		t.Errorf("a refused request reached the repository: %q", p.repo.calls)
	}
}

func TestPagesOfOtherSitesAreRefused(t *testing.T) {
	p := newPort(t)
	const target = "http://127.0.0.1:9090/admin/models/risk/rollback"
	for _, headers := range [][]string{
		{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1:8080"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	} {
		p.refused(p.do("POST", target, "", headers...), 403, "cross_origin")
	}
	if len(p.repo.calls) > 0 {
		t.Fatalf("called %q", p.repo.calls)
	}
	for _, headers := range [][]string{nil, {"Origin", "http://127.0.0.1:9090"}, {"Sec-Fetch-Site", "same-origin"}} {
		if w := p.do("POST", target, "", headers...); w.Code != 200 {
			t.Errorf("%v: %d %s", headers, w.Code, w.Body)
		}
	}
}

func TestAPanicEndsOneRequest(t *testing.T) {
	p := newPort(t)
	p.status = func() Status { panic("a bug") }
	p.refused(p.do("GET", "/admin/status", ""), 500, "internal")
	if !strings.Contains(p.log.String(), "a bug") || !strings.Contains(p.log.String(), "admin_test.go") {
		t.Errorf("the log has no panic with its stack: %s", &p.log)
	}
}

func TestStatusIsOnePage(t *testing.T) {
	p := newPort(t)
	p.reloadErr = strictyaml.Problems{{File: "experiments.yaml", Line: 3, Column: 7, Message: "wrong"}}
	p.status = func() Status {
		return Status{Version: "v1", StartedAt: time.Now().Add(-time.Minute), Generation: 7,
			Models: []ModelStatus{{Model: "z", Version: 1}, {Model: "a", Version: 10}, {Model: "a", Version: 9}}}
	}
	s := decode[Status](p, p.do("GET", "/admin/status", ""))
	if s.Version != "v1" || s.UptimeSeconds < 59 || s.Generation != 7 || s.Go == "" || s.Goroutines < 1 || s.Readiness.Status != "ready" {
		t.Errorf("%+v", s)
	}
	if s.Experiments.Experiments != 2 || s.Experiments.Enabled != 1 || s.Experiments.ReloadError != "experiments.yaml:3:7: wrong" {
		t.Errorf("%+v", s.Experiments)
	}
	if len(s.Guards) != 2 || s.Guards[0].Name != "features" || s.Models[0].Version != 9 || s.Models[2].Model != "z" {
		t.Errorf("not sorted: %+v %+v", s.Guards, s.Models)
	}
}

func TestConfigIsWholeOrAnError(t *testing.T) {
	p := newPort(t)
	if w := p.do("GET", "/admin/config", ""); w.Code != 200 || w.Body.String() != "server:\n" || w.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	p.configErr = errors.New("half way")
	p.refused(p.do("GET", "/admin/config", ""), 500, "internal")
}

func TestGuardsAreHeldAndReleased(t *testing.T) {
	p := newPort(t)
	// With and without the slash of the name escaped.
	if s := decode[resilience.State](p, p.do("POST", "/admin/guards/model:risk/2/hold", "")); s.Breaker != "held" || !p.guard.Open() {
		t.Errorf("%+v", s)
	}
	if l := decode[GuardList](p, p.do("GET", "/admin/guards", "")); len(l.Guards) != 2 || l.Guards[1].Breaker != "held" {
		t.Errorf("%+v", l)
	}
	if s := decode[resilience.State](p, p.do("POST", "/admin/guards/model:risk%2F2/release", "")); s.Breaker != "closed" || p.guard.Open() {
		t.Errorf("%+v", s)
	}
}

func TestMetricsInBothFormats(t *testing.T) {
	p := newPort(t)
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "hotpath_test_total", Help: "A test."})
	p.registry.MustRegister(c)
	c.Inc()
	if w := p.do("GET", "/metrics", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "hotpath_test_total 1\n") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := p.do("GET", "/metrics", "", "Accept", "application/openmetrics-text; version=1.0.0", "Accept-Encoding", "gzip")
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/openmetrics-text") || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", w.Header())
	}
	if w := p.do("GET", "/debug/pprof/goroutine?debug=1", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "goroutine profile:") {
		t.Errorf("%d %.100s", w.Code, w.Body)
	}
}

func TestServerBoundsEverything(t *testing.T) {
	s := NewServer(http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("%+v", s)
	}
	// An operation must be answered before the server cuts the answer off, and a
	// profile of the usual 30 s must fit.
	if operationTimeout >= s.WriteTimeout || s.WriteTimeout < time.Minute {
		t.Errorf("operations %s, writes %s", operationTimeout, s.WriteTimeout)
	}
}
