package apitest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/abtest/readout"
	"hotpath/batcher"
	"hotpath/cmd/gateway/internal/admin"
	"hotpath/models"
	"hotpath/models/promotion"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
	"hotpath/resilience"
	"hotpath/router/httpapi"
	"hotpath/router/routertest"
)

// fakeRepository stands for a *repository.Repository: every operation ends in err.
type fakeRepository struct {
	status repository.Status
	err    error
	before func()
}

func (f *fakeRepository) List() *repository.Status {
	f.before()
	return &f.status
}

func (f *fakeRepository) Load(context.Context, string, int) error    { return f.err }
func (f *fakeRepository) Unload(context.Context, string, int) error  { return f.err }
func (f *fakeRepository) Promote(context.Context, string, int) error { return f.err }
func (f *fakeRepository) Rollback(context.Context, string) error     { return f.err }
func (f *fakeRepository) SetLabel(context.Context, string, string, int) error {
	return f.err
}

// adminPort is the real admin handler over fakes.
type adminPort struct {
	c         *contract
	repo      *fakeRepository
	deploys   *fakeDeployments
	editor    *fakeEditor
	handler   http.Handler
	readiness string
	reloadErr error
	// panics makes everything behind the handler fail.
	panics bool
}

func newAdminPort(t *testing.T, c *contract) *adminPort {
	t.Helper()
	rig := routertest.NewRig(t, routertest.Options())
	rig.Serve(abtest.Config{}, rig.Version("risk", 2))
	half, all, sample, adult := 50.0, 100.0, 10.0, 18.0
	plan, err := abtest.Compile(abtest.Config{Layers: []abtest.LayerConfig{{Name: "l"}}, Experiments: []abtest.ExperimentConfig{
		{Name: "adults", Model: "risk", Targeting: &abtest.Condition{Attribute: "age", Gte: &adult}, Overrides: map[string][]string{"b": {"vip"}}, Fallback: "a",
			Variants: []abtest.VariantConfig{{Name: "a", Weight: &half}, {Name: "b", Weight: &half, Version: 1}, {Name: "s", Shadow: true, Sample: &sample}, {Name: "t", Shadow: true}}},
		{Name: "off", Model: "risk", Layer: "l", Range: []int{0, 100}, State: "stopped", Variants: []abtest.VariantConfig{{Name: "only", Weight: &all}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p := &adminPort{c: c, readiness: httpapi.StatusReady, repo: &fakeRepository{status: repository.Status{Dir: "repo", Mode: repository.ModeWatch, ScannedAt: now, ScanError: "no",
		Ignored: []repository.Ignored{{Path: "x", Reason: "no model"}},
		Models: []repository.ModelStatus{{Name: "risk", Current: 2, Previous: 1, Pin: 2, PinnedUpTo: 3,
			Labels:        []repository.Label{{Label: "stable", Version: 2, Wanted: 2, Set: true}, {Label: "canary", Wanted: 3}},
			VersionPolicy: models.VersionPolicy{Latest: 2}, ConfigError: "config.yaml:1:1: is wrong", Versions: []repository.VersionStatus{
				{Version: 1, State: repository.StateReady, Previous: true, SHA256: "ab", Size: 1, MemoryBytes: 9, LoadMS: 1.5, LoadedAt: &now, ConfigFiles: []string{"repo/risk/config.yaml"}},
				{Version: 3, State: repository.StateRefused, Code: repository.CodeBadModel, Reason: "bad", RefusedAt: &now, MissingOnDisk: true, Loading: true}}},
			{Name: "empty", Unloaded: true, Versions: []repository.VersionStatus{}}}}}}
	p.repo.before = p.fail
	p.deploys = &fakeDeployments{before: p.fail}
	p.editor = &fakeEditor{before: p.fail}
	p.handler = admin.New(admin.Options{
		Editor: p.editor, Report: p.report, Reports: func() []*readout.Report { r, _ := p.report("adults"); return []*readout.Report{r} },
		Deployments: p.deploys, DeploymentDefaults: promotion.Request{Agreement: 1, MaxLatencyRatio: 1}, UploadTimeout: time.Minute,
		Repository: p.repo, Gatherer: rig.Registry, Log: slog.New(slog.DiscardHandler),
		Readiness: func() httpapi.Readiness { return httpapi.Readiness{Status: p.readiness} },
		Status: func() admin.Status {
			p.fail()
			return admin.Status{Version: "v1", StartedAt: now, Generation: 1, ONNXRuntime: admin.RuntimeStatus{Version: "1.28", Library: "x.so"},
				Models:   []admin.ModelStatus{{Model: "risk", Version: 2, Current: true, Provider: "cpu", Stats: batcher.Stats{Runners: 1, MaxRows: 64}}},
				Features: admin.FeatureStatus{Mode: "standalone", Addresses: []string{"127.0.0.1:6379"}, Kind: "refused", Error: "refused", Since: now}}
		},
		Config: func(w io.Writer) error {
			p.fail()
			_, err := io.WriteString(w, "server: {listen: \":8080\"}\n")
			return err
		},
		Experiments: func() admin.Experiments {
			p.fail()
			return admin.Experiments{Plan: plan, File: "experiments.yaml", ReloadedAt: now, ReloadErr: p.reloadErr, DefaultModel: "risk"}
		},
		Reload: func(context.Context) error { p.fail(); return p.reloadErr },
		Guards: func() []resilience.State {
			p.fail()
			return []resilience.State{rig.FeatureGrd.State(), {Name: "model:risk/2", Breaker: "held"}}
		},
		GuardHold: func(name string, _ bool) error {
			p.fail()
			if name != "features" && name != "model:risk/2" {
				return admin.ErrNoGuard
			}
			return nil
		},
	})
	return p
}

func (p *adminPort) fail() {
	if p.panics {
		panic("a bug")
	}
}

// send sends a request and checks the answer. params are those in the template's path.
func (p *adminPort) send(t *testing.T, operation, template, method, target, body string, want int, headers ...string) {
	t.Helper()
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, request)
	if w.Code != want {
		t.Errorf("%s %s: status %d, want %d: %.300s", method, target, w.Code, want, w.Body)
	}
	again := httptest.NewRequest(method, target, strings.NewReader(body))
	again.Header = request.Header
	p.c.check(t, exchange{method: operation, template: template, request: again, params: params(template, again.URL.Path),
		status: w.Code, header: w.Header(), body: w.Body.Bytes()})
}

// params reads the path's parameters. The value of the last one may hold slashes.
func params(template, path string) map[string]string {
	values := map[string]string{}
	for {
		before, rest, ok := strings.Cut(template, "{")
		if !ok {
			return values
		}
		name, after, _ := strings.Cut(rest, "}")
		value := strings.TrimPrefix(path, before)
		if separator, _, more := strings.Cut(after, "{"); more {
			value, _, _ = strings.Cut(value, separator)
		} else {
			value = strings.TrimSuffix(value, after)
		}
		path = strings.TrimPrefix(path, before+value)
		template = after
		plain, err := url.PathUnescape(value)
		if err != nil {
			panic(err)
		}
		values[name] = plain
	}
}

func (c *contract) admin(t *testing.T) {
	p := newAdminPort(t, c)
	for _, path := range []string{"/livez", "/health/liveness"} {
		p.send(t, "GET", path, "GET", path, "", 200)
		p.send(t, "GET", path, "POST", path, "", 405)
	}
	for _, path := range []string{"/readyz", "/health/readiness"} {
		p.readiness = httpapi.StatusReady
		p.send(t, "GET", path, "GET", path, "", 200)
		p.readiness = httpapi.StatusStarting
		p.send(t, "GET", path, "GET", path, "", 503)
	}
	for _, path := range []string{"/admin/status", "/admin/config", "/admin/models", "/admin/guards"} {
		p.send(t, "GET", path, "GET", path, "", 200)
		p.page(t, path, path, "")
	}
	p.models(t)
	p.deployments(t)
	p.experiments(t)
	p.edits(t)
	p.guards(t)
	p.profiles(t)
	p.send(t, "GET", "/metrics", "GET", "/metrics", "", 200)
	p.send(t, "GET", "/metrics", "GET", "/metrics", "", 200, "Accept", "application/openmetrics-text")
	p.send(t, "GET", "/metrics", "POST", "/metrics", "", 405)
}

// page provokes what every page is refused with; query is what it needs.
func (p *adminPort) page(t *testing.T, template, path, query string) {
	t.Helper()
	p.send(t, "GET", template, "GET", path+"?nonsense=1"+query, "", 400)
	p.send(t, "GET", template, "PUT", path, "", 405)
	p.panics = true
	p.send(t, "GET", template, "GET", path+"?"+strings.TrimPrefix(query, "&"), "", 500)
	p.panics = false
}

func (p *adminPort) models(t *testing.T) {
	t.Helper()
	const one = "/admin/models/{model}"
	p.send(t, "GET", one, "GET", "/admin/models/risk", "", 200)
	p.send(t, "GET", one, "GET", "/admin/models/absent", "", 404)
	p.page(t, one, "/admin/models/risk", "")
	for _, verb := range []string{"load", "unload", "promote", "rollback"} {
		template, path, query := one+"/"+verb, "/admin/models/risk/"+verb, ""
		if verb == "promote" {
			query = "?version=2"
		}
		p.repo.err = nil
		p.send(t, "POST", template, "POST", path+query, "", 200)
		p.operation(t, template, path)
		for code, status := range map[repository.Code]int{repository.CodeUnknownModel: 404, repository.CodeUnknownVersion: 404, repository.CodeBadRequest: 400,
			repository.CodeBadModel: 422, repository.CodeConflict: 409, repository.CodeDeadline: 504, repository.CodeClosed: 503} {
			p.repo.err = &repository.Error{Code: code, Model: "risk", Version: 2, Reason: "because"}
			p.send(t, "POST", template, "POST", path+query, "", status)
		}
		p.repo.err = errors.New("a bug")
		p.send(t, "POST", template, "POST", path+query, "", 500)
	}
	p.repo.err = nil
	p.labels(t)
	p.send(t, "POST", one+"/unload", "POST", "/admin/models/gone/unload", "", 200)
	p.send(t, "POST", one+"/promote", "POST", "/admin/models/risk/promote", "", 400)
	p.send(t, "POST", one+"/load", "POST", "/admin/models/risk/load?version=zero", "", 400)
}

func (p *adminPort) labels(t *testing.T) {
	t.Helper()
	const template, path = "/admin/models/{model}/labels/{label}", "/admin/models/risk/labels/stable"
	for method, query := range map[string]string{"PUT": "?version=2", "DELETE": ""} {
		p.send(t, method, template, method, path+query, "", 200)
		p.send(t, method, template, method, path+query, "{}", 400)
		p.send(t, method, template, method, path+query, "", 403, "Sec-Fetch-Site", "cross-site")
		p.send(t, method, template, "POST", path, "", 405)
		for code, status := range map[repository.Code]int{repository.CodeUnknownModel: 404, repository.CodeUnknownVersion: 404, repository.CodeUnknownLabel: 404,
			repository.CodeBadRequest: 400, repository.CodeBadModel: 422, repository.CodeConflict: 409, repository.CodeDeadline: 504, repository.CodeClosed: 503} {
			p.repo.err = &repository.Error{Code: code, Model: "risk", Version: 2, Reason: "because"}
			if method == "PUT" || code != repository.CodeBadModel {
				p.send(t, method, template, method, path+query, "", status)
			}
		}
		p.repo.err = errors.New("a bug")
		p.send(t, method, template, method, path+query, "", 500)
		p.repo.err = nil
	}
	p.send(t, "PUT", template, "PUT", path, "", 400)
}

// operation provokes what every POST is refused with.
func (p *adminPort) operation(t *testing.T, template, path string) {
	t.Helper()
	p.send(t, "POST", template, "POST", path, `{"version":2}`, 400)
	p.send(t, "POST", template, "POST", path+"?nonsense=1", "", 400)
	p.send(t, "POST", template, "POST", path, "", 403, "Sec-Fetch-Site", "cross-site")
	p.send(t, "POST", template, "DELETE", path, "", 405)
}

func (p *adminPort) experiments(t *testing.T) {
	t.Helper()
	const assign, reload = "/admin/experiments/assign", "/admin/reload"
	for _, query := range []string{"user_id=vip&model=risk", "user_id=u&attr.age=30&attr.country=de", "user_id=u"} {
		p.send(t, "GET", assign, "GET", assign+"?"+query, "", 200)
	}
	p.send(t, "GET", assign, "GET", assign+"?user_id=u&model=absent", "", 404)
	p.page(t, assign, assign, "&user_id=u")
	p.send(t, "POST", reload, "POST", reload, "", 200)
	p.operation(t, reload, reload)
	p.reloadErr = strictyaml.Problems{{File: "experiments.yaml", Line: 3, Column: 1, Path: "experiments[0]", Message: "is wrong"}}
	p.send(t, "POST", reload, "POST", reload, "", 422)
	p.reloadErr = errors.New("experiments.yaml: permission denied")
	p.send(t, "POST", reload, "POST", reload, "", 422)
	p.send(t, "GET", "/admin/experiments", "GET", "/admin/experiments", "", 200)
	p.reloadErr = nil
	p.panics = true
	p.send(t, "POST", reload, "POST", reload, "", 500)
	p.panics = false
}

func (p *adminPort) guards(t *testing.T) {
	t.Helper()
	for _, verb := range []string{"hold", "release"} {
		template := "/admin/guards/{guard}/" + verb
		p.send(t, "POST", template, "POST", "/admin/guards/features/"+verb, "", 200)
		p.send(t, "POST", template, "POST", "/admin/guards/model:risk/2/"+verb, "", 200)
		p.send(t, "POST", template, "POST", "/admin/guards/model:risk%2F2/"+verb, "", 200)
		p.send(t, "POST", template, "POST", "/admin/guards/nothing/"+verb, "", 404)
		p.operation(t, template, "/admin/guards/features/"+verb)
		p.panics = true
		p.send(t, "POST", template, "POST", "/admin/guards/features/"+verb, "", 500)
		p.panics = false
	}
}

func (p *adminPort) profiles(t *testing.T) {
	t.Helper()
	const one = "/debug/pprof/{profile}"
	p.send(t, "GET", "/debug/pprof/", "GET", "/debug/pprof/", "", 200)
	p.send(t, "GET", "/debug/pprof/", "DELETE", "/debug/pprof/", "", 405)
	for _, profile := range profiles(p.c.doc) {
		query := ""
		if profile == "profile" || profile == "trace" {
			query = "?seconds=1"
		}
		p.send(t, "GET", one, "GET", "/debug/pprof/"+profile+query, "", 200)
	}
	p.send(t, "GET", one, "GET", "/debug/pprof/goroutine?debug=1", "", 200)
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	p.send(t, "GET", one, "GET", "/debug/pprof/profile?seconds=1", "", 500)
	pprof.StopCPUProfile()
	p.send(t, "GET", one, "GET", "/debug/pprof/nothing", "", 404)
	p.send(t, "GET", one, "GET", "/debug/pprof/heap?seconds=x", "", 400)
}
