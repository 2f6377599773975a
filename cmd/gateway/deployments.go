package main

import (
	"context"
	"path/filepath"

	"hotpath/cmd/gateway/internal/config"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/models"
	"hotpath/models/promotion"
	"hotpath/models/repository"
)

// maxConfigBytes is the largest config.yaml that the repository reads.
const maxConfigBytes = 1 << 20

// journalDir is where the deployments' journals are.
func journalDir(c config.Models) string {
	switch {
	case c.Promotion.Dir != "":
		return c.Promotion.Dir
	case c.StateFile != "":
		return filepath.Join(filepath.Dir(c.StateFile), "deployments")
	}
	return filepath.Join(c.Dir, ".deployments")
}

// recoverDeployments undoes what the last process left half done, before the
// repository is opened. That it cannot is said and keeps nothing from serving.
func (g *gateway) recoverDeployments(o *repository.Options) {
	var err error
	if g.recovered, err = promotion.Recover(journalDir(g.config.Models), o.Dir); err != nil {
		g.log.Error("deployments of the last process could not be undone entirely", "error", err)
	}
	o.Undone = g.recovered.Undone
}

// openDeployments is called once the repository is open; read are its options.
func (g *gateway) openDeployments(read repository.Options) (err error) {
	c := g.config.Models
	shadow := guardOptions(g.config.Resilience.Model)
	shadow.MaxConcurrent, shadow.ConsecutiveFailures = uint(g.config.Resilience.Shadow.MaxConcurrent), 0
	p := &serving.Promotion{World: g.world, Metrics: g.loader.Metrics, Read: read, Guard: shadow,
		Bind: func(ctx context.Context, c repository.Candidate) error {
			_, err := bindingCheck{&g.schemaConfig}.Load(ctx, c)
			return err
		}}
	g.deployments, err = promotion.New(promotion.Options{
		Dir: journalDir(c), RepositoryDir: c.Dir, History: c.Promotion.History,
		Limits: map[string]int64{promotion.ModelFile: int64(c.MaxFileBytes), promotion.ConfigFile: maxConfigBytes, promotion.GoldenFile: models.MaxGoldenBytes},
		// A trial comes before a load, and each may take the time that is allowed.
		StepTimeout: 2 * c.LoadTimeout, ShadowTimeout: c.Promotion.ShadowTimeout,
		Repository: g.repository, Checker: p, Traffic: p, Registerer: g.reg, Log: g.log.Logger,
	}, g.recovered)
	if err == nil {
		g.onUndo(func() { _ = g.deployments.Close(context.Background()) })
	}
	return err
}

// deploymentDefaults are for what a request does not say.
func deploymentDefaults(c config.Promotion) promotion.Request {
	return promotion.Request{Agreement: c.Agreement, Tolerance: c.Tolerance, WatchWindow: promotion.Duration(c.WatchWindow),
		MaxErrorRate: c.MaxErrorRate, MaxLatencyRatio: c.MaxLatencyRatio}
}
