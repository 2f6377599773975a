package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"

	"hotpath/abtest/readout"
	"hotpath/batcher"
	"hotpath/cmd/gateway/internal/admin"
	"hotpath/cmd/gateway/internal/config"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/resilience"
)

// openServers makes the admin server; the traffic server was made with its
// handler.
func (g *gateway) openServers(context.Context, openOptions) error {
	g.admin = admin.NewServer(admin.New(admin.Options{
		Repository: g.repository, Gatherer: g.reg, Readiness: g.readiness, Status: g.status,
		Config:      func(w io.Writer) error { return config.Dump(w, g.config, g.sources) },
		Experiments: g.experimentsState, Editor: g.experiments,
		Report: g.report, Reports: g.reports,
		Reload:      func(ctx context.Context) error { return g.experiments.Reload(ctx, true) },
		Deployments: g.deployments, DeploymentDefaults: deploymentDefaults(g.config.Models.Promotion), UploadTimeout: g.config.Models.Promotion.UploadTimeout,
		Guards: g.guardStates, GuardHold: g.holdGuard, Access: g.callers.ofAdmin(), Log: g.log.Logger,
	}))
	// What clients did to their connections.
	g.admin.ErrorLog = slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
	if c := g.callers.http(); c != nil {
		g.adminLn = tls.NewListener(g.adminLn, c)
	}
	return nil
}

// status is what only the composition knows about the gateway.
func (g *gateway) status() admin.Status {
	s := admin.Status{
		Version: version, StartedAt: g.startedAt,
		ONNXRuntime: admin.RuntimeStatus{Version: g.runtime.Version(), Library: g.runtime.Library()},
		Generation:  g.world.State().Generation,
		Features: admin.FeatureStatus{Embedded: g.embedded != nil, Mode: g.config.Features.Redis.Mode,
			Addresses: g.config.Features.Redis.Addresses}.Of(g.store),
		InFlight: g.pipeline.InFlight(), Draining: g.stopping.Load(),
	}
	if g.embedded != nil {
		s.Features.Addresses = []string{g.embedded.Addr()}
	}
	models := g.repository.List()
	g.world.Queues(func(model string, version int, stats batcher.Stats, info serving.Info) {
		m, _ := models.Model(model)
		s.Models = append(s.Models, admin.ModelStatus{Model: model, Version: version, Current: m.Current == version,
			Provider: string(info.Provider), Stats: stats})
	})
	return s
}

func (g *gateway) experimentsState() admin.Experiments {
	reloadedAt, err := g.experiments.Last()
	return admin.Experiments{Plan: g.world.State().Plan, File: g.config.Experiments.File, ReloadedAt: reloadedAt, ReloadErr: err,
		DefaultModel: g.config.Models.Default}
}

func (g *gateway) report(experiment string) (*readout.Report, bool) {
	if g.readout == nil {
		return nil, false
	}
	return g.readout.Report(experiment)
}

func (g *gateway) reports() []*readout.Report {
	if g.readout == nil {
		return nil
	}
	return g.readout.Reports()
}

func (g *gateway) guardStates() []resilience.State {
	var states []resilience.State
	for _, guard := range g.guards() {
		states = append(states, guard.State())
	}
	return states
}

// holdGuard is an operator's switch: it opens a guard until it is released.
func (g *gateway) holdGuard(name string, open bool) error {
	for _, guard := range g.guards() {
		if guard.State().Name == name {
			guard.Hold(open)
			return nil
		}
	}
	return fmt.Errorf("%w: %q", admin.ErrNoGuard, name)
}
