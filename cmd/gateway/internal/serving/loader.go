package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
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
	alive  sync.WaitGroup
	memory meter
}

// served is what the repository holds: a lane, with one hold on it.
type served struct {
	lane    *router.Lane
	guard   *resilience.Guard
	batcher *batcher.Batcher
	runs    *runCounters
	info    Info
}

// Info is what was found out about a version while it was loaded.
type Info struct {
	Signature models.Signature   `json:"signature"`
	Provider  inference.Provider `json:"execution_provider"`
	Features  []string           `json:"features"`
	// MemoryBytes is an estimate: what C's allocator handed out while session and
	// runners were made, other models' runs in that time included (or the file's
	// size, where another version was loaded at the same time), and the runners'
	// frames. What runs need while they last, and GPU memory, is not in it.
	MemoryBytes int64 `json:"memory_bytes"`
}

// Close gives up the repository's hold; the last request frees the model.
func (s *served) Close() { s.lane.Release() }

// Load makes a version ready: session, contract check, golden rows, warm-up,
// runners, batcher, feature view, guard. ctx is looked at between the steps.
func (l *Loader) Load(ctx context.Context, c repository.Candidate) (repository.Served, error) {
	p := &preparation{Candidate: &c}
	var s *served
	var err error
	prepare := func() { s, err = l.prepare(ctx, p) }
	if c.Config.ExecutionProvider == models.ProviderCUDA {
		// It keeps memory for each thread that used it: not for one that ends.
		prepare()
	} else {
		inBackground(prepare)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	l.alive.Add(1)
	s.lane.Hold()
	return s, nil
}

// preparation is a version on its way to a lane.
type preparation struct {
	*repository.Candidate
	session *inference.Session
	view    *features.View // nil where rows have no fixed size
	runners []runner
	memory  int64
}

// close frees what was made for a version that is not served.
func (p *preparation) close() error {
	closeRunners(p.runners)
	if p.session == nil {
		return nil
	}
	return p.session.Close()
}

// load makes the session.
func (l *Loader) load(ctx context.Context, p *preparation) error {
	c := p.Candidate
	o := inference.SessionOptions{
		Provider: inference.Provider(c.Config.ExecutionProvider), Threads: c.Config.Threads, Outputs: c.Config.Outputs,
		Device: c.Config.CUDA.Device, MemoryLimitMiB: c.Config.CUDA.MemoryLimitMB,
		FallbackToCPU: c.Config.CUDA.OnMissing == models.OnMissingCPU,
		Unbatched:     c.Config.MaxBatchSize == 0, PadBatch: c.Config.PadBatch, Shapes: c.Config.Shapes(),
	}
	if c.Golden != nil {
		o.Sample = func(sig *models.Signature) ([]models.Tensor, error) { return c.Golden.Tensors(0, sig) }
	}
	var err error
	p.memory, err = l.memory.measure(int64(len(c.Data)), func() (err error) {
		p.session, err = l.Runtime.Load(ctx, c.Data, o)
		return err
	})
	if err != nil {
		return err
	}
	if o.Provider != p.session.Provider() {
		l.Log.Warn("model runs on another execution provider than configured", "model", c.Model, "version", c.Version,
			"configured", o.Provider, "used", p.session.Provider())
	}
	return nil
}

// prepare builds all that a lane needs.
func (l *Loader) prepare(ctx context.Context, p *preparation) (*served, error) {
	if err := l.load(ctx, p); err != nil {
		return nil, err
	}
	sig := p.session.Signature()
	if err := p.Problems(p.Config.CheckSignature(&sig)); err != nil {
		return nil, err
	}
	in, out := p.session.Layouts()
	var static models.Row
	var hasStatic bool
	var err error
	if in != nil {
		if p.view, err = l.view(p.Candidate, in); err != nil {
			return nil, err
		}
		if static, hasStatic, err = p.Config.FallbackRow(out); err != nil {
			return nil, err
		}
	}
	if err := l.makeRunners(ctx, p); err != nil {
		return nil, err
	}
	s, err := l.lane(p)
	if err != nil {
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
		if len(b.Features) == 0 {
			continue // only its shape is given
		}
		bindings = append(bindings, models.Binding{Port: in.Port(b.Name), Features: b.Features})
	}
	v, err := l.Store.View(in, bindings)
	if err != nil {
		return nil, fmt.Errorf("the inputs cannot be filled: %w", err)
	}
	return v, nil
}

func (l *Loader) lane(p *preparation) (*served, error) {
	c := p.Candidate
	options := l.ModelGuard
	// The bulkhead lets a full queue and full batches through, and no more.
	inRuns := len(p.runners) * p.runners[0].MaxRows()
	options.MaxConcurrent = uint(c.Config.QueueLimit() + inRuns)
	// The breaker hears of rows. Counted in full batches, one stall, which fails
	// the rows of one run each, is one failure, whatever the batch size.
	options.ConsecutiveFailures = uint32(min(uint64(options.ConsecutiveFailures)*uint64(inRuns), math.MaxUint32))
	guard, err := resilience.New(fmt.Sprintf("model:%s/%d", c.Model, c.Version), options)
	if err != nil {
		return nil, err
	}
	metrics, laneMetrics := l.Metrics.version(c.Model, c.Version, l.RouterMetrics)
	b, err := p.batcher(batcher.Options{
		QueueRows: c.Config.QueueLimit(), MaxQueueDelay: c.Config.MaxQueueDelay, RunTimeout: c.Config.RunTimeout,
		Permits: guard.Permits(), Retries: guard.Retries(),
		Stopped: guard.Failures, Observe: metrics.observe,
	})
	if err != nil {
		l.Metrics.forget(c.Model, c.Version, l.RouterMetrics)
		return nil, err
	}
	in, out := p.session.Layouts()
	lane := &router.Lane{
		Model: c.Model, Version: c.Version, Signature: p.session.Signature(), In: in, Out: out,
		FeaturesRequired: l.RequireFeatures || c.Config.Features == models.FeaturesRequired,
		Scorer:           scorer{b}, FeatureGuard: l.FeatureGuard, ScoreGuard: guard,
		Prediction: router.Prediction{Port: -1}, Metrics: laneMetrics,
	}
	s := &served{lane: lane, guard: guard, batcher: b, runs: metrics.runs,
		info: Info{Signature: lane.Signature, Provider: p.session.Provider(), MemoryBytes: p.memory}}
	if p.view != nil {
		s.fillFrom(p.view)
		lane.SameInputs, lane.Prediction = sameInputs(c, in), prediction(&c.Config, out)
	}
	lane.Close = func() { l.retire(s, p) }
	return s, nil
}

// fillFrom says where the features of the lane's rows come from.
func (s *served) fillFrom(v *features.View) {
	s.lane.View = view{v}
	for i := range v.Len() {
		f := v.Feature(i)
		s.lane.Features = append(s.lane.Features, router.Feature{Name: f.Name, Port: f.Port, Element: f.Element, Width: f.Width})
		s.info.Features = append(s.info.Features, f.Name)
	}
}

// retireTimeout is how long a closing version may take to end its last run
// before that is said. It is far more than a healthy run needs; nothing can stop
// one that is stuck, and its memory is freed when it ends, if it does.
const retireTimeout = time.Minute

// retire ends a version that nothing uses any more and frees its memory.
func (l *Loader) retire(s *served, p *preparation) {
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
	if err := p.close(); err != nil {
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
