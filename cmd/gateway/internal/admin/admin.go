package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest/readout"
	"hotpath/models/promotion"
	"hotpath/models/repository"
	"hotpath/resilience"
	"hotpath/router"
	"hotpath/router/httpapi"
	"hotpath/router/identity"
)

// Repository is what the models endpoints need of a *repository.Repository.
type Repository interface {
	List() *repository.Status
	Load(ctx context.Context, model string, version int) error
	Unload(ctx context.Context, model string, version int) error
	Promote(ctx context.Context, model string, version int) error
	Rollback(ctx context.Context, model string) error
	SetLabel(ctx context.Context, model, label string, version int) error
}

// Options say where the answers come from. All of them are needed; the
// functions are called by any number of goroutines at once.
type Options struct {
	Repository Repository
	Gatherer   prometheus.Gatherer
	// Readiness is that of the traffic port.
	Readiness func() httpapi.Readiness
	// Status gives what only the composition knows; see the comments of Status
	// for what the handler fills in.
	Status func() Status
	// Config writes the configuration in force as YAML, without secrets.
	Config func(w io.Writer) error
	// Experiments reads what serves, without waiting.
	Experiments func() Experiments
	// Reload reads the experiments file again. An abtest.Problems or
	// strictyaml.Problems in its error is answered problem by problem.
	Reload func(ctx context.Context) error
	// Editor changes the experiments.
	Editor Editor
	// Report is the readout of one experiment, Reports are those of all.
	Report  func(experiment string) (*readout.Report, bool)
	Reports func() []*readout.Report
	Guards  func() []resilience.State
	// GuardHold opens a guard until it is released; ErrNoGuard when there is none
	// of that name.
	GuardHold func(name string, open bool) error
	// Deployments bring versions into service. DeploymentDefaults are for what a
	// request does not say, and UploadTimeout bounds the arrival of its files.
	Deployments        Deployments
	DeploymentDefaults promotion.Request
	UploadTimeout      time.Duration
	// Access says who may do what; nil: who can reach the port may do everything.
	Access *identity.Access
	Log    *slog.Logger
}

// operationTimeout bounds a POST. It is less than the server's write timeout, so
// that an operation that takes longer is answered, and not cut off.
const operationTimeout = writeTimeout - 30*time.Second

type handler struct {
	o       Options
	mux     *endpoints
	origins *http.CrossOriginProtection
	// watchers holds one for each deployment that is being watched.
	watchers chan struct{}
}

// New makes the admin port's handler.
func New(o Options) http.Handler {
	h := &handler{o: o, mux: newEndpoints(), origins: http.NewCrossOriginProtection(), watchers: make(chan struct{}, maxWatchers)}
	h.get("/livez", h.live)
	h.get("/health/liveness", h.live)
	h.get("/readyz", h.ready)
	h.get("/health/readiness", h.ready)
	h.profiles()
	h.mux.Handle("GET /metrics", metrics(o.Gatherer, o.Log))

	h.get("/admin/status", strict(h.status))
	h.get("/admin/config", strict(h.config))
	h.get("/admin/models", strict(h.models))
	h.get("/admin/models/{model}", strict(h.model))
	h.post("/admin/models/{model}/load", strict(h.load, "version"))
	h.post("/admin/models/{model}/unload", strict(h.unload, "version"))
	h.post("/admin/models/{model}/promote", strict(h.promote, "version"))
	h.post("/admin/models/{model}/rollback", strict(h.rollback))
	h.put("/admin/models/{model}/labels/{label}", strict(h.putLabel, "version"))
	h.delete("/admin/models/{model}/labels/{label}", strict(h.deleteLabel))
	h.upload("/admin/models/{model}/deployments", strict(h.deploy, deploymentParameters...))
	h.get("/admin/models/{model}/deployments", strict(h.modelDeployments))
	h.get("/admin/deployments", strict(h.deployments))
	h.get("/admin/deployments/{id}", strict(h.deployment, "watch"))
	h.delete("/admin/deployments/{id}", strict(h.cancelDeployment))
	h.get("/admin/experiments", strict(h.experiments, "format"))
	h.body(http.MethodPut, "/admin/experiments", strict(h.putExperiments, editParameters...))
	h.body(http.MethodPatch, "/admin/experiments", strict(h.patchExperiments, editParameters...))
	h.body(http.MethodPost, "/admin/experiments/check", strict(h.check))
	h.get("/admin/experiments/assign", strict(h.assign, "model", "user_id", attributePrefix))
	h.get("/admin/experiments/lint", strict(h.lint))
	h.get("/admin/experiments/history", strict(h.history))
	h.get("/admin/experiments/history/{revision}", strict(h.revision))
	h.post("/admin/experiments/restore", strict(h.restore, append([]string{"revision"}, editParameters...)...))
	h.get("/admin/experiments/report", strict(h.reports))
	// Not {experiment}/report: for the mux that would be as good as history/{revision}.
	h.get("/admin/experiments/{experiment}/{view}", strict(h.experimentView))
	h.post("/admin/experiments/{experiment}/pause", strict(h.pause, "message", "actor"))
	h.post("/admin/experiments/{experiment}/resume", strict(h.resume, "message", "actor"))
	h.post("/admin/experiments/{experiment}/rollback", strict(h.holdBack, "variant", "message", "actor"))
	h.post("/admin/reload", strict(h.reload))
	h.get("/admin/guards", strict(h.guards))
	// The name may hold slashes, as in model:risk/2: the verb is cut off its end.
	h.post("/admin/guards/{name...}", strict(h.guard))
	return h
}

// endpoint answers a request or gives a *failure.
type endpoint func(w http.ResponseWriter, r *http.Request) error

func (h *handler) get(path string, e endpoint) {
	h.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if err := e(w, r); err != nil {
			h.fail(w, err)
		}
	})
}

func (h *handler) post(path string, e endpoint)   { h.operation(http.MethodPost, path, e) }
func (h *handler) put(path string, e endpoint)    { h.operation(http.MethodPut, path, e) }
func (h *handler) delete(path string, e endpoint) { h.operation(http.MethodDelete, path, e) }

// operation adds what changes something: checked for its origin, bounded in time
// and logged.
func (h *handler) operation(method, path string, e endpoint) {
	h.mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
		err := h.checkPost(r)
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), operationTimeout)
			defer cancel()
			err = e(w, r.WithContext(ctx))
		}
		h.audit(r, err)
		if err != nil {
			h.fail(w, err)
		}
	})
}

// checkPost refuses what a browser sends for another site, and bodies: whoever
// sends one expects it to be read.
func (h *handler) checkPost(r *http.Request) error {
	if err := h.origins.Check(r); err != nil {
		return failf(http.StatusForbidden, codeCrossOrigin, "a page of another origin may not use the admin port: %w", err)
	}
	if n, err := io.CopyN(io.Discard, r.Body, 1); n > 0 {
		return failf(http.StatusBadRequest, router.BadRequest.String(), "an operation takes no body; give parameters in the query, as in ?version=2")
	} else if err != nil && err != io.EOF {
		return failf(http.StatusBadRequest, router.BadRequest.String(), "the request could not be read: %w", err)
	}
	return nil
}

// audit logs an operation and how it ended.
func (h *handler) audit(r *http.Request, err error) {
	log := h.o.Log.With("method", r.Method, "path", r.URL.Path, "query", r.URL.RawQuery, "remote", r.RemoteAddr, "caller", callerOf(r))
	if err != nil {
		log.Warn("admin operation refused", "error", err)
		return
	}
	log.Info("admin operation")
}

// ServeHTTP adds to the mux what it lacks: answers in our form where no endpoint
// is, and a panic that ends one request instead of its connection.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &onceWriter{ResponseWriter: w}
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		h.o.Log.Error("panic in the admin port", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		if out.begun {
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		h.fail(out, failf(http.StatusInternalServerError, router.Internal.String(), "the request failed inside the gateway; its log says why"))
	}()
	protect(out.Header())
	_, pattern := h.mux.Handler(r)
	if pattern == "" {
		h.fail(out, h.noEndpoint(out, r))
		return
	}
	r, err := h.admit(r, pattern)
	if err != nil {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.audit(r, err)
		}
		h.fail(out, err)
		return
	}
	h.mux.ServeHTTP(out, r)
}

// noEndpoint says 404 or 405, as the mux would, and sets Allow.
func (h *handler) noEndpoint(w http.ResponseWriter, r *http.Request) *failure {
	probe := &statusProbe{header: http.Header{}}
	h.mux.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		return failf(http.StatusNotFound, router.NotFound.String(), "there is no %.200q on the admin port", r.URL.Path)
	}
	allow := probe.header.Get("Allow")
	w.Header().Set("Allow", allow)
	return failf(http.StatusMethodNotAllowed, router.MethodNotAllowed.String(), "%.200q takes %s, not %.20s", r.URL.Path, allow, r.Method)
}

// onceWriter knows whether an answer has begun.
type onceWriter struct {
	http.ResponseWriter
	begun bool
}

func (w *onceWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *onceWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *onceWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statusProbe keeps the status and headers of an answer that nobody gets.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }
