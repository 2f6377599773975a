package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest/exposure"
	"hotpath/abtest/readout"
	"hotpath/abtest/sticky"
	"hotpath/cmd/gateway/internal/config"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/cmd/gateway/internal/telemetry"
	"hotpath/features"
	"hotpath/inference"
	"hotpath/models/promotion"
	"hotpath/models/repository"
	"hotpath/resilience"
	"hotpath/router"
	"hotpath/router/httpapi"
)

// gateway is the whole of the process, built by open and ended by run. Tests
// build the same value on port 0.
type gateway struct {
	config  *config.Config
	sources config.Sources
	log     *telemetry.Logger
	reg     *prometheus.Registry

	runtime      *inference.Runtime
	embedded     *features.Embedded // nil with a real Redis
	schema       *features.Schema
	schemaConfig features.SchemaConfig
	store        *features.Store
	featureGuard *resilience.Guard
	pipeline     *router.Pipeline
	loader       *serving.Loader
	world        *serving.World
	catalog      *serving.Catalog
	repository   *repository.Repository
	deployments  *promotion.Manager
	recovered    promotion.Recovered
	experiments  *experiments.Keeper

	// What stands behind the experiments; nil without an experiments file.
	exposures   *exposure.Log
	readout     *readout.Readout
	observer    *serving.Observer
	sticky      *sticky.Store
	stickyGuard *resilience.Guard

	callers   callers
	traffic   *httpapi.Server
	grpc      grpcPort
	admin     *http.Server
	listener  net.Listener
	adminLn   net.Listener
	startedAt time.Time
	stopping  atomic.Bool

	// closers undo open in reverse, for an open that failed half way.
	closers []func()
}

// options of open beside the configuration.
type openOptions struct {
	logOutput io.Writer
	// featuresSeed fills the embedded store.
	featuresSeed io.Reader
}

// openGateway builds everything in the order in which it depends on each other,
// and listens. It serves not_ready until run has loaded the models. On an error
// what was begun is undone.
func openGateway(ctx context.Context, c *config.Config, s config.Sources, o openOptions) (_ *gateway, err error) {
	g := &gateway{config: c, sources: s, startedAt: time.Now()}
	defer func() {
		if err != nil {
			g.undo()
		}
	}()
	for _, step := range []func(context.Context, openOptions) error{
		g.openTelemetry, g.openCallers, g.openListeners, g.openRuntime, g.openFeatures, g.openExposures, g.openPipeline, g.openExperiments, g.openRepository, g.openServers,
	} {
		if err := step(ctx, o); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (g *gateway) undo() {
	for i := len(g.closers) - 1; i >= 0; i-- {
		g.closers[i]()
	}
}

// onUndo registers how to undo a step.
func (g *gateway) onUndo(f func()) { g.closers = append(g.closers, f) }

// run serves until ctx ends, then drains. reload, if it delivers, reads the
// experiments again. ready is called once the models are loaded.
func (g *gateway) run(ctx context.Context, reload <-chan struct{}, ready func()) error {
	failed := make(chan error, 3)
	go func() { failed <- g.traffic.Serve(g.listener) }()
	if g.grpc.server != nil {
		go func() { failed <- g.grpc.serve() }()
	}
	go func() {
		if err := g.admin.Serve(g.adminLn); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	watch, stopWatch := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	watchers.Go(func() { g.experiments.Watch(watch, reload) })
	watchers.Go(func() { g.watchDependencies(watch) })
	watchers.Go(func() { g.watchGuardrails(watch) })
	watchers.Go(func() { g.watchCallers(watch) })
	err := g.serve(ctx, failed, ready)
	stopWatch()
	watchers.Wait()
	return errors.Join(err, g.drain())
}

// startGrace is how long the start waits for all models. One that is slow to
// load must not keep those that are ready from serving: it joins them later.
const startGrace = 10 * time.Second

// serve waits for the models, says so, and waits for the end.
func (g *gateway) serve(ctx context.Context, failed <-chan error, ready func()) error {
	grace := time.NewTimer(startGrace)
	defer grace.Stop()
	select {
	case <-g.repository.Started():
	case <-grace.C:
		g.log.Warn("serving while models are still loading; see `gateway models list`", "waited", startGrace.String())
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	}
	if err := g.world.Start(); err != nil {
		return fmt.Errorf("starting to serve: %w", err)
	}
	g.logStart()
	ready()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	}
}

func (g *gateway) logStart() {
	state := g.world.State()
	g.warnOfOpenPorts()
	g.log.Info("serving", "listen", g.listener.Addr().String(), "admin", g.adminLn.Addr().String(), "grpc", g.grpc.address(),
		"models", state.Models, "experiments", len(state.Plan.Experiments()), "onnxruntime", g.runtime.Version(),
		"start_ms", time.Since(g.startedAt).Milliseconds())
	if state.Models == 0 {
		g.log.Warn("no model is loaded: put one at <dir>/<name>/<version>/model.onnx, or see `gateway models list`", "dir", g.config.Models.Dir)
	}
	if state.PlanErr != nil {
		g.log.Error("serving without the experiments: they do not fit the models", "error", state.PlanErr)
	}
}

// errAbandoned says that something accepted could not be ended in time.
var errAbandoned = errors.New("shutdown abandoned work in progress")

// drain ends the gateway with nothing accepted lost: not ready at once, serving
// on for the lame-duck time while load balancers notice, then taking in the last
// connections of the kernel's queue, then refusing new requests, then ending what
// is in progress, then letting go of the models.
func (g *gateway) drain() error {
	g.stopping.Store(true)
	g.log.Info("stopping: not ready, serving on", "lame_duck", g.config.Server.LameDuck.String())
	g.traffic.LameDuck()
	time.Sleep(g.config.Server.LameDuck)

	ctx, cancel := context.WithTimeout(context.Background(), g.config.Server.DrainTimeout)
	defer cancel()
	var lost []error
	if err := g.stopGRPC(ctx); err != nil {
		lost = append(lost, err)
	}
	emptyBacklog(g.listener)
	g.pipeline.Drain()
	if err := g.traffic.Shutdown(ctx); err != nil && g.pipeline.InFlight() > 0 {
		lost = append(lost, fmt.Errorf("%d requests in progress: %w", g.pipeline.InFlight(), err))
	}
	// Those in progress stay as they are; the next start undoes them.
	if err := g.deployments.Close(ctx); err != nil {
		lost = append(lost, err)
	}
	if err := g.repository.Close(ctx); err != nil {
		lost = append(lost, err)
	}
	g.pipeline.Close()
	if err := g.closeExposures(ctx); err != nil {
		lost = append(lost, err)
	}
	if err := g.loader.Wait(ctx); err != nil {
		lost = append(lost, err)
	}
	if err := g.admin.Shutdown(ctx); err != nil {
		// A profile or a scrape that is still being read is nobody's prediction.
		g.admin.Close()
	}
	g.store.Close()
	if g.embedded != nil {
		g.embedded.Close()
	}
	if len(lost) == 0 {
		if err := g.runtime.Close(); err != nil {
			lost = append(lost, err)
		}
	}
	err := errors.Join(lost...)
	if err != nil {
		err = fmt.Errorf("%w: %w", errAbandoned, err)
		g.log.Error("stopped", "error", err)
	} else {
		g.log.Info("stopped: everything accepted was answered")
	}
	g.log.Close()
	return err
}

// readiness is what the probes are told.
func (g *gateway) readiness() httpapi.Readiness {
	state := g.world.State()
	r := httpapi.Readiness{Status: httpapi.StatusReady, Dependencies: map[string]httpapi.Dependency{}}
	switch {
	case g.stopping.Load():
		r.Status = httpapi.StatusDraining
	case !state.Started:
		r.Status = httpapi.StatusStarting
	}
	r.Dependencies["models"] = g.modelsReadiness(state)
	if len(g.schema.Entities()) > 0 {
		r.Dependencies["features"] = g.featuresReadiness()
	}
	edits := httpapi.Dependency{Status: httpapi.DependencyOK}
	if err := g.experimentsState().ReloadErr; err != nil {
		edits = httpapi.Dependency{Status: httpapi.DependencyDegraded, Detail: err.Error()}
	}
	r.Dependencies["experiments"] = edits
	return r
}

func (g *gateway) modelsReadiness(state serving.State) httpapi.Dependency {
	if !state.Started {
		return httpapi.Dependency{Status: httpapi.DependencyFailed, Detail: "loading"}
	}
	if state.Models == 0 {
		return httpapi.Dependency{Status: httpapi.DependencyDegraded, Detail: "no model is loaded; see GET /admin/models"}
	}
	for _, guard := range g.world.Guards() {
		if guard.Open() {
			return httpapi.Dependency{Status: httpapi.DependencyDegraded, Detail: "circuit breaker " + guard.State().Breaker + ": " + guard.State().Name}
		}
	}
	return httpapi.Dependency{Status: httpapi.DependencyOK, Detail: count(state.Models, "model")}
}

func (g *gateway) featuresReadiness() httpapi.Dependency {
	s := g.store.State()
	if s.Connected && !g.featureGuard.Open() {
		return httpapi.Dependency{Status: httpapi.DependencyOK}
	}
	detail := "circuit breaker " + g.featureGuard.State().Breaker
	if !s.Connected {
		detail = s.Kind
		if detail == "" {
			detail = "connecting"
		}
	}
	return httpapi.Dependency{Status: httpapi.DependencyDegraded, Detail: detail}
}

// guards lists every guard of the process.
func (g *gateway) guards() []*resilience.Guard {
	own := []*resilience.Guard{g.featureGuard}
	if g.stickyGuard != nil {
		own = append(own, g.stickyGuard)
	}
	return append(own, g.world.Guards()...)
}
