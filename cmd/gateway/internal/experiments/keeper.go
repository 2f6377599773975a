package experiments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/serving"
	"hotpath/models/strictyaml"
)

// World is what a Keeper needs of a *serving.World.
type World interface {
	SetPlan(*abtest.Plan) error
	KeepPlan()
	State() serving.State
	Missing(*abtest.Plan) []serving.Ref
}

// Options of a Keeper.
type Options struct {
	// File is the experiments file; empty: there is none, and nothing can be saved.
	File string
	// DataDir keeps the history and the holds; empty: they are kept in memory.
	DataDir string
	// ReloadInterval is how often the file is looked at.
	ReloadInterval time.Duration
	// SampleRequests is how many requests of the traffic are kept for previews; 0:
	// the default.
	SampleRequests int
	World          World
	// Load loads a version that a new file names and that is not loaded.
	Load func(ctx context.Context, model string, version int) error
	// Rescan has the model repository read again; it is called before the file is
	// read on request.
	Rescan func()
	// OnPlan hears of every plan that begins to serve, and of the first one before
	// it does.
	OnPlan     func(*abtest.Plan)
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Keeper keeps the serving experiments equal to their file. A file that cannot be
// read, is not valid, or names model versions that cannot be loaded changes nothing:
// the experiments before it go on, and the reasons are logged, counted and shown.
type Keeper struct {
	o       Options
	history *history
	holds   *holds
	sample  *TrafficSample
	reloads *prometheus.CounterVec
	took    prometheus.Histogram

	// editing and changing hold one token each: who takes one out may change what
	// follows, until putting it back. Edits and reloads take both, editing first, and
	// lend changing out while they load models or wait for another gateway: nothing
	// may keep a variant from being held back.
	editing chan struct{}
	read    reading
	seen    seen

	changing chan struct{}
	// serves is what the world was given and took, pending what it was given and
	// could not take so far; nil where there is none.
	serves, pending *candidate
	told            *abtest.Plan // to OnPlan
	saving          bool         // what serves may be taken back yet

	// tried is for those who look: they must not wait for a reload, which may be
	// loading a model.
	tried atomic.Pointer[attempt]
}

// seen is the file as it was looked at last.
type seen struct {
	etag  string            // or why it could not be read
	files map[string]string // list files that it names
	lists string            // their state
}

// candidate is what the world is asked to serve.
type candidate struct {
	source *source
	plan   *abtest.Plan // of the source, with holds
	author Author
}

// attempt is one reading of the file.
type attempt struct {
	source *source // nil with err
	at     time.Time
	// err is why the file could not be read or is not valid. Whether a valid one
	// serves is the world's to say: it can begin to later, when the models that it
	// names arrive.
	err error
}

// loadTimeout bounds the loading of versions that a new file names.
const loadTimeout = time.Minute

// The results of a reload.
const (
	reloadOK      = "ok"
	reloadRefused = "refused"
)

// Open reads the file for the first time. A broken one is an error: nothing serves
// yet that could go on.
func Open(o Options) (*Keeper, error) {
	k := &Keeper{o: o, editing: make(chan struct{}, 1), changing: make(chan struct{}, 1), holds: openHolds(o.DataDir), sample: newTrafficSample(o.SampleRequests)}
	k.editing <- struct{}{}
	k.changing <- struct{}{}
	k.tried.Store(&attempt{})
	if err := k.register(); err != nil {
		return nil, err
	}
	if o.File == "" {
		var err error
		k.history, err = openHistory("", o.Log.Warn)
		return k, err
	}
	target := behindLinks(o.File)
	data, err := strictyaml.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("experiments.file: %w", err)
	}
	src, err := k.read.read(o.File, filepath.Dir(target), data)
	if err != nil {
		return nil, err
	}
	if err := k.openData(); err != nil {
		return nil, fmt.Errorf("experiments.data_dir: %w", err)
	}
	if err := k.begin(src); err != nil {
		return nil, err
	}
	k.read.pausing(new(pacer).pause) // from now on requests are served
	return k, nil
}

// openData opens what is kept beside the file.
func (k *Keeper) openData() (err error) {
	dir := ""
	if k.o.DataDir == "" {
		k.o.Log.Warn("the history of the experiments and holds on them are kept in memory only, and lost with the process; set experiments.data_dir")
	} else {
		dir = filepath.Join(k.o.DataDir, "history")
	}
	if k.history, err = openHistory(dir, k.o.Log.Warn); err != nil {
		return err
	}
	return k.holds.read()
}

// begin gives the world its first plan and writes down what changed while nobody
// looked.
func (k *Keeper) begin(src *source) error {
	plan, err := src.held(k.holds.list())
	if err != nil {
		return err
	}
	k.history.recover(src.etag)
	author := Author{Who: "gateway", Via: ViaStart, Message: "the file as the gateway found it at its first start"}
	if _, before := k.history.last(); before {
		author = Author{Who: fileAuthor, Via: ViaFile, Message: "changed while this gateway did not run"}
	}
	k.saw(src.text, src)
	k.tried.Store(&attempt{source: src, at: time.Now()})
	k.pending = &candidate{src, plan, author}
	if err := k.o.World.SetPlan(plan); err != nil {
		return err
	}
	k.record(k.pending)
	k.tell(plan)
	return nil
}

func (k *Keeper) register() error {
	k.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotpath_experiments_reloads_total",
		Help: "Times the experiments file was read, by result."}, []string{"result"})
	// Both results exist from the start, so that the first refusal is an increase.
	k.reloads.WithLabelValues(reloadOK)
	k.reloads.WithLabelValues(reloadRefused)
	k.took = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotpath_experiments_reload_seconds",
		Help:    "Time from finding the experiments file or its lists changed to serving or refusing them, model loads included.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}})
	serves := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotpath_experiments_last_reload_ok",
		Help: "1 if the experiments that serve are those of the file, 0 if they are not."}, func() float64 {
		if _, err := k.Last(); err != nil {
			return 0
		}
		return 1
	})
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotpath_experiments_holds",
		Help: "Variants and experiments that a guardrail or an operator holds back."}, func() float64 { return float64(len(k.Holds())) })
	large := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hotpath_experiments_sample_too_large_total",
		Help: "Requests that the sample for previews left out for their size."}, func() float64 { return float64(k.sample.large.Load()) })
	var errs []error
	for _, c := range []prometheus.Collector{k.reloads, k.took, serves, held, large} {
		errs = append(errs, k.o.Registerer.Register(c))
	}
	return errors.Join(errs...)
}

// lock waits for the right to change what serves.
func (k *Keeper) lock(ctx context.Context) error { return take(ctx, k.changing) }

func (k *Keeper) unlock() { k.changing <- struct{}{} }

// beginEdit waits for the right to edit.
func (k *Keeper) beginEdit(ctx context.Context) error {
	if err := take(ctx, k.editing); err != nil {
		return err
	}
	err := k.lock(ctx)
	if err != nil {
		k.editing <- struct{}{}
	}
	return err
}

func (k *Keeper) endEdit() {
	k.unlock()
	k.editing <- struct{}{}
}

// lend lets holds be set and released while an edit waits for something.
func (k *Keeper) lend(wait func()) {
	saving := k.saving
	k.saving = false
	k.unlock()
	defer func() {
		<-k.changing
		k.saving = saving
	}()
	wait()
}

// take waits for a token.
func take(ctx context.Context, token chan struct{}) error {
	select {
	case <-token:
		return nil
	default:
	}
	select {
	case <-token:
		return nil
	case <-ctx.Done():
		return waited(ctx, "the change before it was done")
	}
}

// tell has OnPlan hear of a plan once.
func (k *Keeper) tell(plan *abtest.Plan) {
	if plan != k.told && !k.saving && k.o.OnPlan != nil {
		k.told = plan
		k.o.OnPlan(plan)
	}
}

// Sample is the sample of the traffic that previews look at.
func (k *Keeper) Sample() *TrafficSample { return k.sample }
