package promotion

import (
	"context"
	"slices"
	"time"
)

// start, finish and skipRest edit the steps of a record.
func (r *record) start(name string) {
	now := time.Now()
	if r.step(name) == nil {
		r.Steps = append(r.Steps, Step{Name: name})
	}
	t := r.step(name)
	t.State, t.StartedAt, t.EndedAt = StepRunning, &now, nil
}

func (r *record) finish(name string, state StepState, detail string) {
	now := time.Now()
	t := r.step(name)
	t.State, t.EndedAt, t.Detail = state, &now, detail
}

// skipRest marks the steps that will not come.
func (r *record) skipRest() {
	for i := range r.Steps {
		if r.Steps[i].State == StepPending {
			r.Steps[i].State = StepSkipped
		}
	}
}

// change edits a deployment, writes its journal, and then shows it. On an error
// nothing has changed.
func (m *Manager) change(e *entry, edit func(*record)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := e.record
	next.Saga = next.Saga.clone()
	edit(&next)
	if err := m.journal.write(&next); err != nil {
		return fail(CodeStorage, "the journal of the deployment cannot be written: %w", err)
	}
	e.record, e.progress = next, ""
	e.tellLocked()
	return nil
}

// reveal edits and shows a deployment; its journal is written with the next change.
func (m *Manager) reveal(e *entry, edit func(*record)) record {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := e.record
	next.Saga = next.Saga.clone()
	edit(&next)
	e.record, e.progress = next, ""
	e.tellLocked()
	return next
}

// say shows how the running step is going.
func (m *Manager) say(e *entry, progress string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.progress != progress {
		e.progress = progress
		e.tellLocked()
	}
}

func (e *entry) tellLocked() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// end makes a deployment's last state its own. A journal that cannot be written
// any more does not keep it from ending: the next start undoes it again, which
// does no harm to what is undone, and says so.
func (m *Manager) end(e *entry, state State, reason string) {
	now := time.Now()
	last := func(r *record) {
		r.State, r.Reason, r.EndedAt = state, reason, &now
		delete(m.active, r.Model) // before anybody is told of the end
	}
	if err := m.change(e, last); err != nil {
		m.o.Log.Error("a deployment's end could not be recorded", "id", e.record.ID, "error", err)
		m.reveal(e, last)
	}
	m.prune()
	m.metrics.running.Dec()
	m.metrics.ended.WithLabelValues(string(state)).Inc()
	log := m.o.Log.With("id", e.record.ID, "model", e.record.Model, "version", e.record.Version, "state", state)
	if state == Done {
		log.Info("deployment ended")
	} else {
		log.Warn("deployment ended", "reason", reason)
	}
}

// prune forgets the oldest deployments beyond the history.
func (m *Manager) prune() {
	m.mu.Lock()
	defer m.mu.Unlock()
	over := -m.o.History
	for _, e := range m.entries {
		if e.record.State.Ended() {
			over++
		}
	}
	m.entries = slices.DeleteFunc(m.entries, func(e *entry) bool {
		if over <= 0 || !e.record.State.Ended() {
			return false
		}
		over--
		if err := m.journal.remove(e.record.ID); err != nil {
			m.o.Log.Warn("an old deployment's journal could not be removed", "id", e.record.ID, "error", err)
		}
		return true
	})
}

func (m *Manager) show(e *entry) Saga {
	m.mu.Lock()
	defer m.mu.Unlock()
	return e.showLocked()
}

func (e *entry) showLocked() Saga {
	s := e.record.Saga.clone()
	for i := range s.Steps {
		if s.Steps[i].State == StepRunning && e.progress != "" {
			s.Steps[i].Detail = e.progress
		}
	}
	return s
}

// List shows the deployments that are kept, the newest first; model "" is all.
func (m *Manager) List(model string) []Saga {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []Saga{}
	for _, e := range slices.Backward(m.entries) {
		if model == "" || e.record.Model == model {
			all = append(all, e.showLocked())
		}
	}
	return all
}

func (m *Manager) find(id string) (*entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.record.ID == id {
			return e, nil
		}
	}
	return nil, fail(CodeUnknownDeployment, "there is no deployment %.80q; see GET /admin/deployments", id)
}

// Get shows one deployment.
func (m *Manager) Get(id string) (Saga, error) {
	e, err := m.find(id)
	if err != nil {
		return Saga{}, err
	}
	return m.show(e), nil
}

// Watch calls each with the deployment as it is, and after every change, until it
// has ended, ctx ends or each gives an error. Changes in quick succession may be
// shown as one.
func (m *Manager) Watch(ctx context.Context, id string, each func(Saga) error) error {
	e, err := m.find(id)
	if err != nil {
		return err
	}
	for {
		m.mu.Lock()
		s, changed := e.showLocked(), e.changed
		m.mu.Unlock()
		if err := each(s); err != nil || s.State.Ended() {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.ctx.Done():
			return fail(CodeClosed, "%w", errClosing)
		}
	}
}

// Cancel undoes a deployment in progress and waits until that is done, or ctx ends.
func (m *Manager) Cancel(ctx context.Context, id string) (Saga, error) {
	e, err := m.find(id)
	if err != nil {
		return Saga{}, err
	}
	m.mu.Lock()
	state, cancel := e.record.State, e.cancel
	m.mu.Unlock()
	switch {
	case state.Ended():
		return Saga{}, fail(CodeConflict, "deployment %s has ended: it is %s", id, state)
	case cancel == nil:
		return Saga{}, fail(CodeConflict, "the files of deployment %s are still arriving: end the upload instead", id)
	}
	cancel(errCancelled)
	var last Saga
	err = m.Watch(ctx, id, func(s Saga) error { last = s; return nil })
	if ctx.Err() != nil {
		err = nil // it goes on; what is known by now is the answer
	}
	return last, err
}
