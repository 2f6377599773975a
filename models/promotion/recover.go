package promotion

import (
	"errors"
	"fmt"
	"time"

	"hotpath/models/repository"
)

// Recovered is what a process found of the deployments before it.
type Recovered struct {
	// Undone are for the repository's Options.
	Undone []repository.Undo

	records []record
	// ended are the IDs of those that were in progress.
	ended []string
}

// Recover undoes in the repository's directory what deployments left behind that
// a stop of the process cut short; doc.go has the table. It is called before the
// repository is opened, with Undone among its options, and New ends them after.
// The error names journals that cannot be used and folders that cannot be
// removed; what could be done has been.
func Recover(dir, repositoryDir string) (Recovered, error) {
	records, err := journal{dir}.read()
	out := Recovered{records: records}
	f := folders{repositoryDir}
	errs := []error{err}
	for i := range out.records {
		r := &out.records[i]
		if r.State.Ended() {
			continue
		}
		out.ended = append(out.ended, r.ID)
		if r.State == Running && r.over(WatchStep) {
			r.close(Done, "")
			errs = append(errs, f.clear(r.ID, r.Model, false))
			continue
		}
		errs = append(errs, r.recover(f, &out))
	}
	return out, errors.Join(errs...)
}

// recover undoes one deployment.
func (r *record) recover(f folders, out *Recovered) (err error) {
	removed := false
	if r.Made {
		if removed, err = f.takeAway(r.ID, r.Model, r.Version); err != nil {
			err = fmt.Errorf("deployment %s: %w", r.ID, err)
		}
		removed = removed || f.missing(r.Model, r.Version)
	}
	if r.reached(LoadStep) {
		out.Undone = append(out.Undone, r.undo(removed))
	}
	err = errors.Join(err, f.clear(r.ID, r.Model, r.MadeModel))
	at, reason := r.cut()
	if r.Reason != "" {
		reason = r.Reason + "; " + reason
	}
	r.finish(at, StepFailed, "the gateway was stopped")
	r.skipRest()
	r.start(UndoStep)
	r.finish(UndoStep, StepDone, "undone at the next start")
	state := Failed
	if r.reached(SwitchStep) {
		state = RolledBack
	}
	r.close(state, reason)
	return err
}

// cut finds the step that the stop cut short.
func (r *record) cut() (step, reason string) {
	step = StageStep
	for _, s := range r.Steps {
		if s.StartedAt != nil {
			step = s.Name
		}
	}
	return step, "the gateway was stopped during " + step + "; undone at the next start"
}

func (r *record) close(s State, reason string) {
	now := time.Now()
	r.State, r.Reason, r.EndedAt = s, reason, &now
}
