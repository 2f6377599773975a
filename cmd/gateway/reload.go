package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/config"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
)

// experiments keeps the serving experiments equal to their file. A file that
// cannot be read, is not valid, or names model versions that cannot be loaded
// changes nothing: the experiments before it go on, and the reasons are logged,
// counted and shown.
type experiments struct {
	options    config.Experiments
	world      *serving.World
	repository *repository.Repository // set before the first reload
	log        *slog.Logger
	reloads    *prometheus.CounterVec

	// reloading makes reloads follow one another; digest, of the file as it was
	// tried last, belongs to the one in progress.
	reloading sync.Mutex
	digest    [sha256.Size]byte
	// tried is for those who look: they must not wait for a reload, which may be
	// loading a model.
	tried atomic.Pointer[attempt]
}

// attempt is one reading of the file.
type attempt struct {
	data []byte
	at   time.Time
	// err is why the file could not be read or is not valid. Whether a valid one
	// serves is the world's to say: it can begin to later, when the models that it
	// names arrive.
	err error
}

// loadTimeout bounds the loading of versions that a new file names.
const loadTimeout = time.Minute

// newExperiments reads the file for the first time. A broken one is an error:
// nothing serves yet that could go on.
func newExperiments(o config.Experiments, w *serving.World, log *slog.Logger, reg prometheus.Registerer) (*experiments, error) {
	e := &experiments{options: o, world: w, log: log,
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_experiments_reloads_total",
			Help: "Times the experiments file was read, by result."}, []string{"result"}),
	}
	e.tried.Store(&attempt{})
	// Both results exist from the start, so that the first refusal is an increase.
	e.reloads.WithLabelValues(reloadOK)
	e.reloads.WithLabelValues(reloadRefused)
	serves := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotpath_experiments_last_reload_ok",
		Help: "1 if the experiments that serve are those of the file, 0 if they are not."}, func() float64 {
		if _, err := e.last(); err != nil {
			return 0
		}
		return 1
	})
	for _, c := range []prometheus.Collector{e.reloads, serves} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	if o.File == "" {
		return e, nil
	}
	data, err := readSmallFile(o.File)
	if err != nil {
		return nil, fmt.Errorf("experiments.file: %w", err)
	}
	plan, err := compileExperiments(o.File, data)
	if err != nil {
		return nil, err
	}
	e.digest = sha256.Sum256(data)
	e.tried.Store(&attempt{data: data, at: time.Now()})
	return e, w.SetPlan(plan)
}

// The results of a reload.
const (
	reloadOK      = "ok"
	reloadRefused = "refused"
)

// compileExperiments reads an experiments file. Its error holds every problem
// with its line.
func compileExperiments(file string, data []byte) (*abtest.Plan, error) {
	var c abtest.Config
	if err := strictyaml.Decode(file, data, &c); err != nil {
		return nil, err
	}
	if c.Experiments == nil {
		return nil, strictyaml.At(file, data, "experiments", "is missing: an empty file switches nothing off; write `experiments: []` for that")
	}
	plan, err := abtest.Compile(c)
	return plan, locate(file, data, err)
}

// locate adds the lines of the file to the problems of a plan.
func locate(file string, data []byte, err error) error {
	var problems abtest.Problems
	if !errors.As(err, &problems) {
		return err
	}
	var located strictyaml.Problems
	for _, p := range problems {
		located = append(located, strictyaml.At(file, data, p.Path, p.Message))
	}
	return located.Err()
}

// watch reads the file again when it changed, and it and the model repository
// when asked, until ctx ends. The
// content is compared, not the time of the change, so that a file replaced by
// rename, through a symbolic link or in place is seen alike.
func (e *experiments) watch(ctx context.Context, ask <-chan struct{}) {
	tick := time.NewTicker(e.options.ReloadInterval)
	defer tick.Stop()
	for {
		force := false
		select {
		case <-ctx.Done():
			return
		case <-ask:
			force = true
			e.repository.Rescan()
		case <-tick.C:
		}
		if e.options.File != "" {
			// The outcome is logged and kept for whoever looks.
			_ = e.reload(ctx, force)
		}
	}
}

// reload makes the file's experiments serve. Without force it does nothing when
// the file is as it was. The error says why it was refused.
func (e *experiments) reload(ctx context.Context, force bool) error {
	if e.options.File == "" {
		return errors.New("no experiments file is configured (experiments.file)")
	}
	e.reloading.Lock()
	defer e.reloading.Unlock()
	data, err := readSmallFile(e.options.File)
	digest := sha256.Sum256(data)
	if err != nil {
		// Marks the failure itself as seen, so that it is reported once.
		digest = sha256.Sum256([]byte(err.Error()))
	}
	if !force && digest == e.digest {
		return e.tried.Load().err
	}
	e.digest = digest
	var plan *abtest.Plan
	if err == nil {
		plan, err = compileExperiments(e.options.File, data)
	}
	e.tried.Store(&attempt{data: data, at: time.Now(), err: err})
	if err == nil {
		err = e.apply(ctx, data, plan)
	} else {
		e.world.KeepPlan()
	}
	e.report(err)
	return err
}

// apply makes a plan serve, after loading the model versions that it names and
// that are not loaded.
func (e *experiments) apply(ctx context.Context, data []byte, plan *abtest.Plan) error {
	if err := e.world.SetPlan(plan); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	var failed []error
	for _, ref := range e.world.Missing(plan) {
		if err := e.repository.Load(ctx, ref.Model, ref.Version); err != nil {
			failed = append(failed, err)
		}
	}
	if err := e.world.SetPlan(plan); err != nil {
		return errors.Join(append([]error{locate(e.options.File, data, err)}, failed...)...)
	}
	return nil
}

func (e *experiments) report(err error) {
	if err != nil {
		e.reloads.WithLabelValues(reloadRefused).Inc()
		e.log.Error("experiments refused; those before go on serving", "file", e.options.File, "error", err)
		return
	}
	e.reloads.WithLabelValues(reloadOK).Inc()
	e.log.Info("experiments serve", "file", e.options.File, "digest", e.world.State().Plan.Digest().String())
}

// last says when the file was tried last, and why it does not serve; nil when it does.
func (e *experiments) last() (at time.Time, err error) {
	tried := e.tried.Load()
	if tried.err != nil {
		return tried.at, tried.err
	}
	return tried.at, locate(e.options.File, tried.data, e.world.State().PlanErr)
}
