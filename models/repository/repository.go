package repository

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"

	"hotpath/models"
	"hotpath/models/onnxscan"
)

// Loader makes a version ready to serve: sessions, contract check, golden rows,
// warm-up. It is called from up to Options.Parallel goroutines. It must return
// when ctx ends; one that does not keeps its slot. It may keep c.Data.
type Loader interface {
	Load(ctx context.Context, c Candidate) (Served, error)
}

// Served is a version that can serve. Close is called once, from the
// repository's goroutine, possibly while requests use the version: it must not
// block but release the repository's reference.
type Served interface{ Close() }

// Sized is a Served that knows about how much memory it takes.
type Sized interface{ MemoryBytes() int64 }

// Candidate is a version's files, read once and checked.
type Candidate struct {
	Model   string
	Version int
	Config  models.Config
	// Data is model.onnx, a private copy, and SHA256 its hash in hex.
	Data   []byte
	SHA256 string
	// Scan is what the file says about itself.
	Scan *onnxscan.Summary
	// Golden is nil when the version has none.
	Golden *models.Golden
	// ConfigFiles are the config.yaml files that Config was made of: the model's,
	// the version's, both or none.
	ConfigFiles []string

	dir    string // of the repository
	layers []layer
}

// Options configure a Repository. Start from DefaultOptions.
type Options struct {
	Dir string
	// StateFile keeps pins, unloads and labels over a restart; "" keeps them in
	// memory.
	StateFile string
	// Defaults are the config of a model as far as its config.yaml is silent.
	Defaults models.Config
	// Mode says when what is on disk is loaded, and Load which models are at start
	// in ModeExplicit; AllModels stands for all.
	Mode Mode
	Load []string
	// All loads every version, whatever policies say.
	All bool
	// Poll is how often the directory is read although no change was notified.
	Poll time.Duration
	// Settle is how long files must be unchanged before they are read.
	Settle time.Duration
	// Debounce is how long after a notification the directory is read.
	Debounce     time.Duration
	KeepVersions int
	Parallel     int
	MaxModels    int
	// LoadTimeout bounds trial and load of one version.
	LoadTimeout time.Duration
	Scan        onnxscan.Limits
	// Trial loads a file where a crash does no harm, before Load; nil: none.
	Trial func(ctx context.Context, data []byte) error
	// Pinned names versions that must stay loaded; nil: none. It is called often,
	// from the repository's goroutine: it must be quick.
	Pinned func(model string) []int
	// OnChange receives every new set, one at a time, from the repository's
	// goroutine, and must not call back into the repository. An error undoes
	// the change. nil: none.
	OnChange func(*Set) error
	// Undone are deployments that the last process did not end; what they did is
	// undone before anything is loaded.
	Undone     []Undo
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// DefaultOptions are those of a repository at dir.
func DefaultOptions(dir string) Options {
	return Options{
		Dir: dir, Defaults: models.DefaultConfig(), Mode: ModeWatch,
		Poll: 10 * time.Second, Settle: time.Second, Debounce: 50 * time.Millisecond,
		KeepVersions: 2, Parallel: 2, MaxModels: 200, LoadTimeout: 2 * time.Minute,
		Scan: onnxscan.DefaultLimits(), Log: slog.New(slog.DiscardHandler),
	}
}

// Validate reports every option that is out of bounds.
func (o *Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("repository: "+format, args...))
		}
	}
	check(o.Dir != "", "Dir is empty")
	check(o.Mode == ModeWatch || o.Mode == ModePoll || o.Mode == ModeExplicit, "Mode %q is not one of %s, %s, %s", o.Mode, ModeWatch, ModePoll, ModeExplicit)
	check(len(o.Load) == 0 || o.Mode == ModeExplicit, "Load is for mode %s alone", ModeExplicit)
	for _, name := range o.Load {
		check(name == AllModels || CheckModelName(name) == nil, "Load: %v", CheckModelName(name))
	}
	check(o.Poll > 0, "Poll %v must be positive", o.Poll)
	check(o.Settle > 0, "Settle %v must be positive", o.Settle)
	check(o.Debounce > 0, "Debounce %v must be positive", o.Debounce)
	check(o.KeepVersions >= 1, "KeepVersions %d must be at least 1", o.KeepVersions)
	check(o.Parallel >= 1, "Parallel %d must be at least 1", o.Parallel)
	check(o.MaxModels >= 1, "MaxModels %d must be at least 1", o.MaxModels)
	check(o.LoadTimeout > 0, "LoadTimeout %v must be positive", o.LoadTimeout)
	check(o.Scan.MaxBytes > 0 && o.Scan.MaxNodes > 0 && o.Scan.MaxDepth > 0, "Scan has a limit of 0")
	check(o.Log != nil, "Log is nil")
	for _, p := range o.Defaults.Validate() {
		check(false, "Defaults: %s", p)
	}
	return errors.Join(errs...)
}

// Repository is an open model repository. Its methods may be called from any
// goroutine.
type Repository struct {
	o       Options
	loader  Loader
	metrics *metrics
	status  atomic.Pointer[Status]

	requests chan request
	nudges   chan struct{} // holds one
	trees    chan *tree
	results  chan *load
	started  chan struct{}
	done     chan struct{} // closed by the owner when it is through
	cancel   context.CancelFunc
	closing  sync.Once
}

// Open starts watching a directory and loading what it holds. It fails only if
// the options are wrong or the directory cannot be opened: bad models are
// reported by List. It does not wait for loads; Started does.
func Open(o Options, loader Loader) (*Repository, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("repository: %w", err)
	}
	root.Close()
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("repository: %w", err)
	}
	watcher := newWatcher(&o)
	ctx, cancel := context.WithCancel(context.Background())
	r := &Repository{
		o: o, loader: loader, metrics: m, cancel: cancel,
		requests: make(chan request), nudges: make(chan struct{}, 1), trees: make(chan *tree), results: make(chan *load),
		started: make(chan struct{}), done: make(chan struct{}),
	}
	owner := newOwner(r, ctx, watcher)
	owner.publish()
	go owner.run()
	return r, nil
}

// newWatcher is nil without notifications: polling finds changes too.
func newWatcher(o *Options) *fsnotify.Watcher {
	if o.Mode != ModeWatch {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		o.Log.Warn("no change notifications; changes are found by polling alone", "error", err, "poll", o.Poll)
		return nil
	}
	return w
}

// Started is closed once everything that was there at Open has been loaded or refused.
func (r *Repository) Started() <-chan struct{} { return r.started }

// Close ends watching and loading and closes every version still held; nothing
// may route to them any more. It waits until all goroutines have ended or ctx
// ends; then a load that does not heed its context is left behind. OnChange is
// not called.
func (r *Repository) Close(ctx context.Context) error {
	r.closing.Do(r.cancel)
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("repository: a load in progress has not ended: %w", ctx.Err())
	}
}
