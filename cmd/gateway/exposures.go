package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"hotpath/abtest/exposure"
	"hotpath/abtest/exposure/jsonl"
	"hotpath/abtest/readout"
	"hotpath/abtest/sticky"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/resilience"
)

// openExposures makes what stands behind the experiments: the log of exposures with
// the readout that follows it, and the store of sticky assignments. Without an
// experiments file there is none of it.
func (g *gateway) openExposures(context.Context, openOptions) (err error) {
	c := g.config.Experiments
	if c.File == "" {
		return nil
	}
	if g.readout, err = readout.New(readout.Options{Units: c.Readout.Units, Requests: c.Readout.Requests, Alpha: c.Readout.Alpha, Seed: rand.Uint64(), Reg: g.reg}); err != nil {
		return fmt.Errorf("experiments.readout: %w", err)
	}
	o := exposure.Options{Queue: c.Exposures.Queue, Window: c.Exposures.Window, Units: c.Exposures.Units, Requests: c.Readout.Requests,
		Followers: []exposure.Follower{g.readout}, Log: g.log.Logger}
	if c.DataDir != "" {
		sink, err := jsonl.Open(jsonl.Options{Dir: g.exposureDir(), MaxBytes: int64(c.Exposures.MaxFileBytes), MaxAge: c.Exposures.MaxFileAge,
			Keep: c.Exposures.KeepFiles, Compress: c.Exposures.Compress})
		if err != nil {
			return fmt.Errorf("experiments.exposures: %w", err)
		}
		o.Sinks = append(o.Sinks, sink)
	}
	if g.exposures, err = exposure.Open(o, g.reg); err != nil {
		return errors.Join(err, closeSinks(o.Sinks))
	}
	g.onUndo(func() { _ = g.exposures.Close(context.Background()) })
	g.observer = &serving.Observer{Log: g.exposures}
	return g.openSticky()
}

func closeSinks(sinks []exposure.Sink) error {
	var errs []error
	for _, s := range sinks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// exposureDir keeps the files of the log.
func (g *gateway) exposureDir() string {
	return filepath.Join(g.config.Experiments.DataDir, "exposures")
}

// openSticky makes the store of sticky assignments, in the Redis of the features.
func (g *gateway) openSticky() (err error) {
	c := g.config.Experiments.Sticky
	guard := sticky.GuardOptions()
	guard.MaxConcurrent = uint(c.MaxConcurrent)
	if g.stickyGuard, err = resilience.New("sticky", guard); err != nil {
		return err
	}
	o := sticky.DefaultOptions()
	o.Redis, o.Prefix, o.TTL, o.Budget, o.AbsentFor = g.redisOptions(), c.Prefix, c.TTL, c.Budget, c.AbsentFor
	o.Entries, o.Workers, o.Queue, o.Writes = c.Entries, c.Workers, c.Queue, c.Queue
	if g.sticky, err = sticky.New(o, g.stickyGuard, g.reg); err != nil {
		return fmt.Errorf("experiments.sticky: %w", err)
	}
	g.onUndo(func() { _ = g.sticky.Close(context.Background()) })
	return nil
}

// openExperiments reads the experiments file, and what was logged of it before.
func (g *gateway) openExperiments(ctx context.Context, _ openOptions) (err error) {
	c := g.config.Experiments
	o := experiments.Options{File: c.File, DataDir: c.DataDir, ReloadInterval: c.ReloadInterval, SampleRequests: c.TrafficSample,
		World: g.world, Log: g.log.Logger, Registerer: g.reg,
		Load: func(ctx context.Context, model string, version int) error {
			return g.repository.Load(ctx, model, version)
		},
		Rescan: func() { g.repository.Rescan() }}
	if g.readout != nil {
		o.OnPlan = g.readout.SetPlan
	}
	if g.experiments, err = experiments.Open(o); err != nil {
		return err
	}
	if g.observer == nil {
		return nil
	}
	g.observer.Sample = g.experiments.Sample()
	if err := g.replayExposures(ctx); err != nil {
		return err
	}
	g.readout.Live(g.experiments.Resumed())
	return nil
}

// replayExposures tells the readout what was logged before this process began.
func (g *gateway) replayExposures(ctx context.Context) error {
	c := g.config.Experiments
	if c.DataDir == "" || c.Readout.ReplayBytes == 0 {
		return nil
	}
	if _, err := os.Stat(g.exposureDir()); errors.Is(err, fs.ErrNotExist) {
		return nil // this is the first start
	}
	read, err := jsonl.ReadFiles(ctx, []string{g.exposureDir()}, int64(c.Readout.ReplayBytes), g.readout)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		g.log.Error("the readout begins without what was logged before", "dir", g.exposureDir(), "error", err)
	} else if read.Files > 0 {
		g.log.Info("the readout goes on with what was logged before", "files", read.Files, "exposures", read.Exposures, "feedback", read.Feedback,
			"truncated", read.Truncated, "torn", read.Torn, "unknown", read.Unknown+read.Malformed)
	}
	return nil
}

// flushGrace is what there is to write down what was accepted, also where one request
// that did not end has used up the time of the others.
const flushGrace = time.Second

// closeExposures ends what openExposures made, once nothing is assigned any more.
func (g *gateway) closeExposures(ctx context.Context) error {
	if g.exposures == nil {
		return nil
	}
	if until, ok := ctx.Deadline(); ok && time.Until(until) < flushGrace {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
		defer cancel()
	}
	return errors.Join(g.exposures.Close(ctx), g.sticky.Close(ctx))
}
