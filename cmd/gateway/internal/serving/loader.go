package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"hotpath/batcher"
	"hotpath/features"
	"hotpath/inference"
	"hotpath/models"
	"hotpath/models/repository"
	"hotpath/resilience"
	"hotpath/router"
)

// Loader makes lanes of model versions: it is the repository's Loader.
type Loader struct {
	Runtime      *inference.Runtime
	Store        *features.Store
	FeatureGuard *resilience.Guard
	ModelGuard   resilience.Options
	// RequireFeatures answers 503 instead of scoring defaults, for every model.
	RequireFeatures bool
	Metrics         *Metrics
	RouterMetrics   *router.Metrics
	Log             *slog.Logger

	// alive counts the lanes whose memory is not freed yet.
	alive sync.WaitGroup
}

// served is what the repository holds: a lane, with one hold on it.
type served struct {
	lane    *router.Lane
	guard   *resilience.Guard
	batcher *batcher.Batcher
	info    Info
}

// Info is what was found out about a version while it was loaded.
type Info struct {
	Signature models.Signature   `json:"signature"`
	Provider  inference.Provider `json:"execution_provider"`
	Features  []string           `json:"features"`
}

// Close gives up the repository's hold; the last request frees the model.
func (s *served) Close() { s.lane.Release() }

// Load makes a version ready: session, contract check, golden rows, warm-up,
// runners, batcher, feature view, guard. ctx is looked at between the steps.
func (l *Loader) Load(ctx context.Context, c repository.Candidate) (repository.Served, error) {
	session, err := l.session(&c)
	if err != nil {
		return nil, err
	}
	s, err := l.prepare(ctx, &c, session)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	l.alive.Add(1)
	s.lane.Hold()
	return s, nil
}

func (l *Loader) session(c *repository.Candidate) (*inference.Session, error) {
	o := inference.SessionOptions{
		Provider: inference.Provider(c.Config.ExecutionProvider), Threads: c.Config.Threads, Outputs: c.Config.Outputs,
		Device: c.Config.CUDA.Device, MemoryLimitMiB: c.Config.CUDA.MemoryLimitMB,
		FallbackToCPU: c.Config.CUDA.OnMissing == models.OnMissingCPU,
	}
	if c.Golden != nil {
		o.Sample = func(layout *models.Layout, r *models.Row) error { return c.Golden.Input(0, layout, r) }
	}
	session, err := l.Runtime.Load(c.Data, o)
	if err != nil {
		return nil, err
	}
	if o.Provider != session.Provider() {
		l.Log.Warn("model runs on another execution provider than configured", "model", c.Model, "version", c.Version,
			"configured", o.Provider, "used", session.Provider())
	}
	return session, nil
}

// prepare builds all that a lane needs around a session.
func (l *Loader) prepare(ctx context.Context, c *repository.Candidate, session *inference.Session) (*served, error) {
	sig := session.Signature()
	if err := c.Problems(c.Config.CheckSignature(&sig)); err != nil {
		return nil, err
	}
	in, out := session.Layouts()
	v, err := l.view(c, in)
	if err != nil {
		return nil, err
	}
	static, hasStatic, err := c.Config.FallbackRow(out)
	if err != nil {
		return nil, err
	}
	runners, err := l.runners(ctx, c, session)
	if err != nil {
		return nil, err
	}
	s, err := l.lane(c, session, v, runners)
	if err != nil {
		closeRunners(runners)
		return nil, err
	}
	if hasStatic {
		s.lane.Static = &static
	}
	return s, nil
}

// view resolves the config's input bindings against the feature schema.
func (l *Loader) view(c *repository.Candidate, in *models.Layout) (*features.View, error) {
	var bindings []models.Binding
	for _, b := range c.Config.Inputs {
		bindings = append(bindings, models.Binding{Port: in.Port(b.Name), Features: b.Features})
	}
	v, err := l.Store.View(in, bindings)
	if err != nil {
		return nil, fmt.Errorf("the inputs cannot be filled: %w", err)
	}
	return v, nil
}

// runners makes and proves the runners. A fixed batch dimension wins over
// max_batch_size, which has a default, but not over batch_sizes.
func (l *Loader) runners(ctx context.Context, c *repository.Candidate, session *inference.Session) ([]*inference.Runner, error) {
	sizes := slices.Clone(c.Config.BatchSizes)
	if fixed := session.FixedBatch(); fixed > 0 && len(sizes) == 0 {
		sizes = []int{fixed}
	}
	if len(sizes) == 0 {
		sizes = inference.BatchSizes(session.Provider(), c.Config.MaxBatchSize)
	}
	var runners []*inference.Runner
	for range c.Config.Instances {
		r, err := session.NewRunner(sizes)
		if err == nil {
			runners = append(runners, r)
			err = verify(ctx, r, c.Golden)
		}
		if err != nil {
			closeRunners(runners)
			return nil, err
		}
	}
	return runners, nil
}

// cancelEvery is the pause between attempts to stop a verification: a Cancel
// between two of its runs stops neither.
const cancelEvery = 10 * time.Millisecond

// verify proves a runner, and stops at the end of ctx: a slow model would
// otherwise be warmed up for minutes after its load was given up.
func verify(ctx context.Context, r *inference.Runner, golden *models.Golden) error {
	verified, stopped := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		tick := time.NewTicker(cancelEvery)
		defer tick.Stop()
		for {
			r.Cancel()
			select {
			case <-verified:
				return
			case <-tick.C:
			}
		}
	})
	err := r.Verify(golden)
	close(verified)
	if !stop() {
		<-stopped
	}
	return errors.Join(err, ctx.Err())
}

func (l *Loader) lane(c *repository.Candidate, session *inference.Session, v *features.View, runners []*inference.Runner) (*served, error) {
	name := fmt.Sprintf("model:%s/%d", c.Model, c.Version)
	options := l.ModelGuard
	// The bulkhead lets a full queue and full batches through, and no more.
	inRuns := len(runners) * runners[0].MaxRows()
	options.MaxConcurrent = uint(c.Config.QueueLimit() + inRuns)
	// The breaker hears of rows. Counted in full batches, one stall, which fails
	// the rows of one run each, is one failure, whatever the batch size.
	options.ConsecutiveFailures = uint32(min(uint64(options.ConsecutiveFailures)*uint64(inRuns), math.MaxUint32))
	guard, err := resilience.New(name, options)
	if err != nil {
		return nil, err
	}
	in, out := session.Layouts()
	metrics, laneMetrics := l.Metrics.version(c.Model, c.Version, l.RouterMetrics)
	var owned []batcher.Runner
	for _, r := range runners {
		owned = append(owned, r)
	}
	b, err := batcher.New(batcher.Options{
		QueueRows: c.Config.QueueLimit(), MaxQueueDelay: c.Config.MaxQueueDelay, RunTimeout: c.Config.RunTimeout,
		Permits: guard.Permits(), Retries: guard.Retries(),
		Stopped: guard.Failures, Observe: metrics.observe,
	}, in, out, owned)
	if err != nil {
		l.Metrics.forget(c.Model, c.Version, l.RouterMetrics)
		return nil, err
	}
	lane := &router.Lane{
		Model: c.Model, Version: c.Version, Signature: session.Signature(), In: in, Out: out, View: view{v},
		FeaturesRequired: l.RequireFeatures || c.Config.Features == models.FeaturesRequired,
		SameInputs:       sameInputs(c, in),
		Scorer:           scorer{b}, FeatureGuard: l.FeatureGuard, ScoreGuard: guard,
		Prediction: prediction(&c.Config, out), Metrics: laneMetrics,
	}
	s := &served{lane: lane, guard: guard, batcher: b, info: Info{Signature: session.Signature(), Provider: session.Provider()}}
	for i := range v.Len() {
		f := v.Feature(i)
		lane.Features = append(lane.Features, router.Feature{Name: f.Name, Port: f.Port, Element: f.Element, Width: f.Width})
		s.info.Features = append(s.info.Features, f.Name)
	}
	lane.Close = func() { l.retire(s, session, runners) }
	return s, nil
}

// retireTimeout is how long a closing version may take to end its last run
// before that is said. It is far more than a healthy run needs; nothing can stop
// one that is stuck, and its memory is freed when it ends, if it does.
const retireTimeout = time.Minute

// retire ends a version that nothing uses any more and frees its memory.
func (l *Loader) retire(s *served, session *inference.Session, runners []*inference.Runner) {
	l.Metrics.forget(s.lane.Model, s.lane.Version, l.RouterMetrics)
	log := l.Log.With("model", s.lane.Model, "version", s.lane.Version)
	ctx, cancel := context.WithTimeout(context.Background(), retireTimeout)
	defer cancel()
	if err := s.batcher.Close(ctx); err != nil {
		log.Error("model version stays in memory until its run ends", "error", err)
		// Not alive.Done: the runtime must not be closed under the run.
		_ = s.batcher.Close(context.Background())
	}
	defer l.alive.Done()
	closeRunners(runners)
	if err := session.Close(); err != nil {
		log.Error("closing a model version", "error", err)
		return
	}
	l.Metrics.retired.Inc()
	log.Info("model version unloaded")
}

// Wait waits until the memory of every lane is freed, or ctx ends. Nothing may
// be loaded any more.
func (l *Loader) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		l.alive.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("model versions with a run that does not end: %w", ctx.Err())
	}
}

func closeRunners(runners []*inference.Runner) {
	for _, r := range runners {
		// Destroying tensors fails only for a runtime that is already gone.
		_ = r.Close()
	}
}

// prediction finds the shorthand's place in the outputs.
func prediction(c *models.Config, out *models.Layout) router.Prediction {
	if c.Prediction.Output == "" {
		return router.Prediction{Port: -1}
	}
	p := router.Prediction{Port: out.Port(c.Prediction.Output)}
	if c.Prediction.Index != nil {
		p.Element = *c.Prediction.Index
	}
	return p
}

// sameInputs is equal for two versions whose input rows are filled alike.
func sameInputs(c *repository.Candidate, in *models.Layout) string {
	var b strings.Builder
	for _, p := range in.Ports {
		fmt.Fprintf(&b, "%s;", p)
	}
	for _, i := range c.Config.Inputs {
		fmt.Fprintf(&b, "|%s=%s", i.Name, strings.Join(i.Features, ","))
	}
	return b.String()
}
