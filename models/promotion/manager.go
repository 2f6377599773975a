package promotion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotpath/models/repository"
)

// Repository is what a deployment does to the model repository.
type Repository interface {
	List() *repository.Status
	Hold(ctx context.Context, model string, version int) error
	Load(ctx context.Context, model string, version int) error
	Release(ctx context.Context, model string, version int) error
	Undo(ctx context.Context, u repository.Undo) error
}

// Checker looks at a version's files before they are anywhere near to serving.
type Checker interface {
	// Check reads the files of a version as the repository will; dir is laid out
	// like the repository's directory, or is that.
	Check(ctx context.Context, dir, model string, version int) (Candidate, error)
}

// Candidate is a version whose files are in order.
type Candidate interface {
	SHA256() string
	// Summary says what it is, for people.
	Summary() string
	// Trial loads it where a crash does no harm; ErrNoTrial where that is not wanted.
	Trial(ctx context.Context) error
	// Contract lists how it differs from the version that serves, as far as the
	// file tells. The error is one that no permission lifts.
	Contract() (differences []string, err error)
}

// Traffic sees the requests of loaded versions.
type Traffic interface {
	// Differences compares the inputs and outputs of two loaded versions.
	Differences(model string, from, to int) ([]string, error)
	// Mirror begins to compare a version with the current one on copies of live
	// requests, up to limit if that is above 0.
	Mirror(model string, version int, tolerance float64, limit int) (Mirror, error)
	// Health reads a loaded version's counters.
	Health(model string, version int) (Health, error)
}

// Mirror is a comparison in progress.
type Mirror interface {
	Report() Comparison
	Stop()
}

// Options of a Manager.
type Options struct {
	// Dir keeps the journals, RepositoryDir is the repository's own directory.
	Dir, RepositoryDir string
	// History is how many deployments that have ended are kept.
	History int
	// Limits are the largest sizes of ModelFile, ConfigFile and GoldenFile.
	Limits map[string]int64
	// StepTimeout bounds trial and load, ShadowTimeout a shadow by requests.
	StepTimeout, ShadowTimeout time.Duration
	Repository                 Repository
	Checker                    Checker
	Traffic                    Traffic
	Registerer                 prometheus.Registerer
	Log                        *slog.Logger
}

// maxRunning bounds the deployments in progress: one of each of so many models.
const maxRunning = 16

// Manager runs deployments. Its methods may be called from any goroutine.
type Manager struct {
	o       Options
	journal journal
	folders folders
	metrics *metrics

	running sync.WaitGroup
	ctx     context.Context // ends at Close
	stop    context.CancelCauseFunc

	mu sync.Mutex // of what follows and of the entries' fields
	// entries are all that is kept, the oldest first; active is the one in
	// progress of a model.
	entries []*entry
	active  map[string]*entry
	closed  bool
}

// entry is one deployment.
type entry struct {
	record  record
	changed chan struct{} // closed with the next change
	cancel  context.CancelCauseFunc
	// progress, of the running step, is shown and not kept.
	progress string
}

// Reasons for a context to end.
var (
	errClosing   = errors.New("the gateway is stopping")
	errCancelled = errors.New("cancelled by an operator")
)

// New makes a manager over what Recover found. The deployments that it had to
// undo have ended now, since the repository is open.
func New(o Options, r Recovered) (*Manager, error) {
	m := &Manager{o: o, journal: journal{o.Dir}, folders: folders{o.RepositoryDir}, active: map[string]*entry{}}
	var err error
	if m.metrics, err = newMetrics(o.Registerer); err != nil {
		return nil, err
	}
	m.ctx, m.stop = context.WithCancelCause(context.Background())
	for i := range r.records {
		rec := &r.records[i]
		if slices.Contains(r.ended, rec.ID) {
			if err := m.journal.write(rec); err != nil {
				o.Log.Error("a deployment's end could not be recorded", "id", rec.ID, "error", err)
			}
			o.Log.Warn("a deployment that was in progress at the last stop has ended", "id", rec.ID, "model", rec.Model,
				"version", rec.Version, "state", rec.State, "reason", rec.Reason)
		}
		m.entries = append(m.entries, &entry{record: *rec, changed: make(chan struct{})})
	}
	m.prune()
	return m, nil
}

// Close stops the deployments in progress where they are; the next start undoes
// them. It waits for their goroutines, or until ctx ends.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.stop(errClosing)
	done := make(chan struct{})
	go func() {
		m.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("deployments: a step has not ended: %w", ctx.Err())
	}
}

// Deploy begins a deployment and waits until its files have arrived. files is nil
// for a version of the repository. A key that came with the same request before
// gives that deployment, and fresh is false. Errors are *Error or the repository's.
func (m *Manager) Deploy(ctx context.Context, model string, r Request, key string, files Files) (s Saga, fresh bool, err error) {
	if err := errors.Join(repository.CheckModelName(model), r.validate(), checkKey(key)); err != nil {
		return Saga{}, false, fail(CodeBadRequest, "%w", err)
	}
	if (r.From != 0) == (files != nil) {
		return Saga{}, false, fail(CodeBadRequest, "send the model's files, or name a version of the repository by from: one of both")
	}
	if e := m.byKey(model, key); e != nil {
		s, err := m.again(ctx, e, model, r, files)
		return s, false, err
	}
	e, err := m.begin(ctx, model, r, key)
	if err != nil {
		return Saga{}, false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer context.AfterFunc(m.ctx, func() { cancel(errClosing) })()
	err = m.stage(ctx, e, files)
	if err == nil {
		err = m.launch(e)
	}
	if err != nil {
		m.abandonUpload(e, err)
		return Saga{}, false, err
	}
	return m.show(e), true, nil
}

// launch begins the steps after the first. Close does not wait for uploads, whose
// pace is the client's: one that ends after it is abandoned.
func (m *Manager) launch(e *entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fail(CodeClosed, "%w", errClosing)
	}
	m.running.Go(func() { m.run(e) })
	return nil
}

// begin makes the entry of a new deployment and writes its journal.
func (m *Manager) begin(ctx context.Context, model string, r Request, key string) (*entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, fail(CodeClosed, "%w", errClosing)
	}
	if other := m.active[model]; other != nil {
		return nil, fail(CodeConflict, "deployment %s of model %q is in progress: wait for its end, or cancel it", other.record.ID, model)
	}
	if len(m.active) >= maxRunning {
		return nil, fail(CodeConflict, "%d deployments are in progress, which is the most; wait for one to end", maxRunning)
	}
	rec := record{Saga: Saga{ID: newID(), Model: model, State: Running, Request: r, Key: key, CreatedAt: time.Now()}}
	if err := m.choose(&rec); err != nil {
		return nil, err
	}
	for _, name := range stepNames {
		rec.Steps = append(rec.Steps, Step{Name: name, State: StepPending})
	}
	rec.start(StageStep)
	if err := m.journal.write(&rec); err != nil {
		return nil, fail(CodeStorage, "the journal of the deployment cannot be written: %w", err)
	}
	e := &entry{record: rec, changed: make(chan struct{})}
	m.entries, m.active[model] = append(m.entries, e), e
	m.metrics.running.Inc()
	m.o.Log.Info("deployment begins", "id", rec.ID, "model", model, "version", rec.Version, "before", rec.Before)
	return e, nil
}

// stage is the first step: the files arrive.
func (m *Manager) stage(ctx context.Context, e *entry, files Files) error {
	s := staged{}
	detail := "the version is in the repository"
	if files != nil {
		var err error
		if s, err = m.receive(ctx, m.folders.arriving(&e.record), files); err != nil {
			return err
		}
		if want := e.record.Request.SHA256; want != "" && want != s.sum[ModelFile] {
			return fail(CodeBadModel, "%s has SHA-256 %s, not %s as was said: the upload is damaged or another file", ModelFile, s.sum[ModelFile], want)
		}
		if err := m.folders.seal(&e.record, s); err != nil {
			return fail(CodeStorage, "models.dir cannot be written: %w", err)
		}
		detail = fmt.Sprintf("%d bytes in %d files, SHA-256 %s", s.size, len(s.sum), s.sum[ModelFile])
	}
	return m.change(e, func(r *record) {
		r.SHA256, r.Size, r.Digest = s.sum[ModelFile], s.size, digestOf(r.Model, r.Request, s)
		r.finish(StageStep, StepDone, detail)
	})
}

// abandonUpload ends a deployment whose files did not arrive.
func (m *Manager) abandonUpload(e *entry, err error) {
	if cleared := m.folders.clear(e.record.ID, e.record.Model, false); cleared != nil {
		m.o.Log.Error("the files of a deployment could not be removed", "id", e.record.ID, "error", cleared)
	}
	m.reveal(e, func(r *record) {
		r.finish(StageStep, StepFailed, err.Error())
		r.skipRest()
	})
	m.end(e, Failed, "stage: "+err.Error())
}
