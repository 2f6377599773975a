package promotion

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"hotpath/models/repository"
)

// errSuperseded says that an operator made another version current during the
// watch. The operator has decided: nothing is undone.
var errSuperseded = errors.New("an operator made another version current")

// undo takes back what the failed step and those before did. It acts first and
// writes its journal then: the traffic must not wait for the disk, and a restart in
// between would do the same.
func (d *deployment) undo(failed string, cause error) {
	m, e := d.m, d.e
	reason := failed + ": " + cause.Error()
	if errors.Is(cause, errCancelled) {
		reason = cause.Error() + " during " + failed
	}
	if errors.Is(cause, errSuperseded) {
		m.reveal(e, func(r *record) { r.finish(failed, StepFailed, cause.Error()) })
		m.end(e, RolledBack, reason)
		return
	}
	r := m.reveal(e, func(r *record) {
		r.State, r.Reason = Undoing, reason
		r.finish(failed, StepFailed, cause.Error())
		r.skipRest()
		r.start(UndoStep)
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), switchTimeout)
	defer cancel()
	done, err := m.takeBack(ctx, &r)
	state := StepDone
	if err != nil {
		state = StepFailed
		done = append(done, err.Error())
		reason += "; undoing it: " + err.Error()
	}
	m.reveal(e, func(r *record) { r.finish(UndoStep, state, strings.Join(done, "; ")) })
	m.end(e, endOf(&r, errors.Is(cause, errCancelled)), reason)
}

// endOf is the state in which an undone deployment ends.
func endOf(r *record, cancelled bool) State {
	switch {
	case r.served():
		return RolledBack
	case cancelled:
		return Cancelled
	}
	return Failed
}

// takeBack undoes what a record says. Doing it twice does no harm.
func (m *Manager) takeBack(ctx context.Context, r *record) (done []string, err error) {
	removed := false
	if r.Made {
		if removed, err = m.folders.takeAway(r.ID, r.Model, r.Version); err != nil {
			err = fmt.Errorf("the version's folder: %w", err)
		}
		removed = removed || m.folders.missing(r.Model, r.Version)
	}
	if r.reached(LoadStep) {
		start := time.Now()
		u := r.undo(removed)
		undone := m.o.Repository.Undo(ctx, u)
		switch {
		case undone == nil:
			done = append(done, r.described(removed, time.Since(start)))
		case removed && isConflict(undone):
			// Something needs it still, so its files stay too.
			if back := m.folders.putBack(r.ID, r.Model, r.Version); back == nil {
				removed = false
			}
			fallthrough
		default:
			err = errors.Join(err, undone)
		}
	}
	if cleared := m.folders.clear(r.ID, r.Model, r.MadeModel); cleared != nil {
		err = errors.Join(err, fmt.Errorf("the hidden folder: %w", cleared))
	}
	if r.Request.From == 0 && err == nil {
		done = append(done, "its files are removed")
	}
	return done, err
}

func isConflict(err error) bool {
	var e *repository.Error
	return errors.As(err, &e) && e.Code == repository.CodeConflict
}

// undo is what the repository has to take back. Without a folder of the deployment's
// own there is at most its hold.
func (r *record) undo(removed bool) repository.Undo {
	return repository.Undo{Model: r.Model, Version: r.Version, Released: r.reached(SwitchStep), Back: r.Before,
		Pin: r.Pin, PinnedUpTo: r.PinnedUpTo, Loaded: r.Loaded, Removed: removed || r.Request.From == 0 && !r.Made}
}

// described says what the repository took back.
func (r *record) described(removed bool, took time.Duration) string {
	switch {
	case r.served() && r.Before != 0:
		return fmt.Sprintf("version %d is current again after %s", r.Before, took.Round(10*time.Microsecond))
	case r.Loaded:
		return "the version stays loaded as it was"
	case removed:
		return "the version is unloaded"
	}
	return "the version is unloaded; its files stay"
}

// missing says that there is no folder of a version.
func (f folders) missing(model string, n int) bool {
	_, err := os.Lstat(f.version(model, n))
	return errors.Is(err, fs.ErrNotExist)
}
