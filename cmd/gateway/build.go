package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"hotpath/cmd/gateway/internal/config"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/cmd/gateway/internal/telemetry"
	"hotpath/features"
	"hotpath/inference"
	"hotpath/models"
	"hotpath/models/repository"
	"hotpath/resilience"
	"hotpath/resilience/redislink"
	"hotpath/router"
	"hotpath/router/httpapi"
	"hotpath/router/httpapi/jsonwire"
)

func (g *gateway) openTelemetry(_ context.Context, o openOptions) (err error) {
	if g.reg, err = telemetry.NewRegistry(version); err != nil {
		return err
	}
	g.log, err = telemetry.NewLogger(o.logOutput, telemetry.LogOptions{Level: g.config.Log.Level, Format: g.config.Log.Format}, g.reg)
	if err == nil {
		g.onUndo(g.log.Close)
	}
	return err
}

// openListeners takes the ports first: a taken port must be a plain error at
// once, not one after a minute of loading models.
func (g *gateway) openListeners(context.Context, openOptions) (err error) {
	if g.listener, err = listenTraffic(g.config.Server.Listen); err != nil {
		return fmt.Errorf("server.listen: %w", err)
	}
	g.onUndo(func() { g.listener.Close() })
	if g.adminLn, err = httpapi.Listen(g.config.Server.AdminListen); err != nil {
		return fmt.Errorf("server.admin_listen: %w", err)
	}
	g.onUndo(func() { g.adminLn.Close() })
	return g.openGRPCListener()
}

func (g *gateway) openRuntime(context.Context, openOptions) (err error) {
	g.runtime, err = inference.Open(inference.Options{Library: g.config.Runtime.Library, Telemetry: g.config.Runtime.Telemetry})
	if err == nil {
		g.onUndo(func() { _ = g.runtime.Close() })
	}
	return err
}

func (g *gateway) openFeatures(ctx context.Context, o openOptions) (err error) {
	file, err := readSchema(g.config.Features.Schema)
	if err != nil {
		return err
	}
	g.schema, g.schemaConfig = file.schema, file.config
	options := storeOptions(g.config)
	if g.config.Features.Embedded {
		if g.embedded, err = features.StartEmbedded(ctx, g.schema, o.featuresSeed); err != nil {
			return fmt.Errorf("embedded feature store: %w", err)
		}
		g.onUndo(g.embedded.Close)
		options.Options = g.redisOptions()
	}
	if g.featureGuard, err = resilience.New("features", guardOptions(g.config.Resilience.Redis)); err != nil {
		return err
	}
	if g.store, err = features.New(options, g.schema, g.featureGuard.Permits(), g.reg); err != nil {
		return fmt.Errorf("features.redis: %w", err)
	}
	g.onUndo(g.store.Close)
	return nil
}

func (g *gateway) openPipeline(context.Context, openOptions) error {
	metrics, err := router.NewMetrics(g.reg)
	if err != nil {
		return err
	}
	c := g.config
	o := router.Options{
		MaxInFlight: c.Server.MaxInFlight, FeatureBudget: c.Features.Budget,
		VariantFallback: c.Fallback.Variant, StaticFallback: c.Fallback.Static,
		Shadow: router.ShadowOptions{Workers: c.Resilience.Shadow.Workers, Queue: c.Resilience.Shadow.Queue, Timeout: c.Resilience.Shadow.Timeout},
	}
	if g.observer != nil {
		o.Observer, o.Sticky = g.observer, g.sticky
	}
	if g.pipeline, err = router.New(o, metrics); err != nil {
		return err
	}
	g.onUndo(func() {
		if g.loader != nil {
			_ = g.loader.Wait(context.Background())
		}
	})
	g.onUndo(g.pipeline.Close)
	shadow := guardOptions(c.Resilience.Model)
	shadow.MaxConcurrent = uint(c.Resilience.Shadow.MaxConcurrent)
	// A shadow's rows come from the batches of several versions: a count of full
	// batches means nothing for them, and the ratio decides alone.
	shadow.ConsecutiveFailures = 0
	if g.world, err = serving.NewWorld(g.pipeline, metrics, serving.WorldOptions{DefaultModel: c.Models.Default, ShadowGuard: shadow, Log: g.log.Logger}); err != nil {
		return err
	}
	own, err := serving.NewMetrics(g.reg)
	if err != nil {
		return err
	}
	g.catalog = &serving.Catalog{World: g.world, Version: version, KeepVersions: c.Models.KeepVersions, RepositoryAPI: c.Server.RepositoryAPI,
		IsReady: func() bool { return g.readiness().Status == httpapi.StatusReady }}
	g.loader = &serving.Loader{Runtime: g.runtime, Store: g.store, FeatureGuard: g.featureGuard, ModelGuard: guardOptions(c.Resilience.Model),
		RequireFeatures: !c.Fallback.Defaults, Metrics: own, RouterMetrics: metrics, Log: g.log.Logger}
	g.reg.MustRegister(resilience.Collector(g.guards), serving.Collector(g.world))
	return errors.Join(g.openHandler(metrics), g.openGRPC(metrics))
}

func (g *gateway) openHandler(metrics *router.Metrics) error {
	c := g.config.Server
	limits := jsonwire.DefaultLimits()
	limits.Depth, limits.Instances = c.MaxJSONDepth, c.MaxBatchInstances
	o := httpapi.Options{
		DefaultDeadline: g.config.Deadline.Default, MaxDeadline: g.config.Deadline.Max,
		AllowExplain: c.AllowExplain, ServerTiming: c.ServerTiming, Limits: limits,
		MaxBody: int(c.MaxBodyBytes), MaxBatchBody: int(c.MaxBatchBodyBytes), AccessSample: g.config.Log.AccessSample,
		MaxInferBody: int(c.MaxInferBodyBytes), BodyMemory: int64(c.BodyMemoryBytes), CompressOver: int(c.CompressOverBytes),
		Catalog: g.catalog, RepositoryAPI: c.RepositoryAPI, RepositoryTimeout: g.config.Models.LoadTimeout,
		Access: g.callers.access, ClientCertificates: c.TLS.ClientCAFile != "", Ready: g.readiness, Log: g.log.Logger,
	}
	o.ForcedHeader, o.Forcing = g.forcing()
	if g.exposures != nil {
		o.Feedback = g.exposures.Feedback
	}
	handler, err := httpapi.New(g.pipeline, metrics, o, g.reg)
	if err != nil {
		return err
	}
	g.traffic = httpapi.NewServer(handler, httpapi.ServerOptions{
		MaxConnections: c.MaxConnections, MaxHeaderBytes: int(c.MaxHeaderBytes),
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout, TLS: g.callers.http(), Log: g.log.Logger,
	})
	return nil
}

// forcing is the header by which requests choose their variant, and what it may
// hold; empty: they may not.
func (g *gateway) forcing() (header string, f router.Forcing) {
	c := &g.config.Experiments
	f = router.Forcing{Keys: c.ForceKeys(), TokensOnly: !c.AllowForcedVariant}
	if !c.AllowForcedVariant && len(f.Keys) == 0 {
		return "", f
	}
	return c.ForcedVariantHeader, f
}

func (g *gateway) openRepository(context.Context, openOptions) (err error) {
	c := g.config.Models
	o := repository.DefaultOptions(c.Dir)
	o.StateFile, o.Settle, o.Poll = c.StateFile, c.Settle, c.PollInterval
	o.Mode, o.Load = repository.Mode(c.Mode), c.Load
	o.KeepVersions, o.MaxModels, o.LoadTimeout = c.KeepVersions, c.MaxModels, c.LoadTimeout
	o.Scan.MaxBytes = int64(c.MaxFileBytes)
	o.Defaults = modelDefaults(c)
	o.Pinned, o.OnChange = g.world.Pinned, g.world.ModelsChanged
	o.Registerer, o.Log = g.reg, g.log.Logger
	if c.TrialProcess {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("models.trial_process: %w", err)
		}
		o.Trial = trialProcess(exe, g.runtime.Library())
	}
	g.recoverDeployments(&o)
	if g.repository, err = repository.Open(o, g.loader); err != nil {
		return fmt.Errorf("models.dir: %w", err)
	}
	g.catalog.Repository = g.repository
	g.onUndo(func() { _ = g.repository.Close(context.Background()) })
	return g.openDeployments(o)
}

// modelDefaults are what a model's config.yaml need not say.
func modelDefaults(c config.Models) models.Config {
	d := models.DefaultConfig()
	d.MaxBatchSize, d.QueueRows, d.RunTimeout = c.DefaultMaxBatchSize, c.DefaultQueueRows, c.DefaultRunTimeout
	d.Instances, d.Threads = c.DefaultInstances, c.DefaultThreads
	return d
}

func guardOptions(c config.Guard) resilience.Options {
	return resilience.Options{FailureRatio: c.FailureRatio, MinResults: uint32(c.MinResults), ConsecutiveFailures: uint32(c.ConsecutiveFailures),
		Window: c.Window, OpenFor: c.OpenFor, Probes: uint32(c.Probes), MaxConcurrent: uint(c.MaxConcurrent), RetryRatio: c.RetryRatio}
}

// redisOptions is how to reach the Redis of the features.
func (g *gateway) redisOptions() redislink.Options {
	o := redisOptions(g.config.Features.Redis)
	if g.embedded != nil {
		o.Addresses, o.Mode = []string{g.embedded.Addr()}, redislink.Standalone
		o.Username, o.Password, o.TLS.Enabled, o.DB = "", "", false, 0
	}
	return o
}

// redisOptions maps the features.redis section to the connection's options.
func redisOptions(r config.Redis) redislink.Options {
	return redislink.Options{
		Addresses: r.Addresses, Mode: r.Mode, MasterSet: r.MasterSet, DB: r.DB,
		Username: r.Username, Password: r.Password.Reveal(),
		SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword.Reveal(),
		TLS:         redislink.TLS{Enabled: r.TLS.Enabled, CAFile: r.TLS.CAFile, ServerName: r.TLS.ServerName, InsecureSkipVerify: r.TLS.InsecureSkipVerify},
		Connections: r.Connections, DialTimeout: r.DialTimeout, WriteTimeout: r.WriteTimeout, KeepAlive: r.KeepAlive, HealInterval: r.HealInterval,
		ReadBuffer: int(r.ReadBuffer), WriteBuffer: int(r.WriteBuffer),
	}
}

// storeOptions maps the features section to the store's options.
func storeOptions(c *config.Config) features.Options {
	r := c.Features.Redis
	o := features.Options{
		Options: redisOptions(r),
		Workers: r.Workers, MaxBatch: r.MaxBatch, Queue: r.Queue, MaxValueBytes: int(r.MaxValueBytes),
		Copies: features.Copies{Entries: c.Features.Copies.Entries, MaxAge: c.Features.Copies.MaxAge, Refresh: c.Features.Copies.Refresh},
	}
	if !c.Fallback.Copies {
		o.Copies.Entries = 0
	}
	return o
}
