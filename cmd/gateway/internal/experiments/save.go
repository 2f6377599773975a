package experiments

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"hotpath/models/durable"
	"hotpath/models/strictyaml"
)

func itoa(n int) string { return strconv.Itoa(n) }

// save writes a content and serves it. The order is such that a crash leaves a whole
// file, the old one or the new one, and that what serves is what the file says but
// for the moment between: the new file is written beside the old one and the
// revision prepared; the world takes the plan, or refuses it; the file is put into
// its place; the revision counts.
func (k *Keeper) save(ctx context.Context, c *candidate, expected string, out *Outcome) error {
	if !k.o.World.State().Started {
		return errorf(CodeNotReady, "the models are still being loaded, so that nobody knows yet whether the edit fits them; try again")
	}
	target, err := writable(k.o.File)
	if err != nil {
		return err
	}
	var unlock func()
	k.lend(func() {
		unlock, err = lockFile(ctx, filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+lockName))
	})
	if err != nil {
		return storage(target, err)
	}
	defer unlock()
	k.refresh(c)
	// Another gateway may have saved while we waited.
	if err := k.unchanged(expected); err != nil {
		return err
	}
	staged, err := durable.Stage(target, "."+filepath.Base(target)+temporary, c.source.text)
	if err != nil {
		return storage(target, err)
	}
	defer staged.Abort()
	revision, err := k.history.prepare(revisionOf(c), c.source.text)
	if err != nil {
		return errorf(CodeStorage, "the history cannot be written, and nothing was changed: %w", err)
	}
	if err := k.put(ctx, c, expected, staged); err != nil {
		revision.abandon()
		return err
	}
	k.saw(c.source.text, c.source)
	k.tried.Store(&attempt{source: c.source, at: time.Now()})
	k.report(nil)
	made, err := revision.commit()
	if err != nil {
		out.Warning = "saved, but the history could not be written: " + err.Error()
		k.o.Log.Error("the history of the experiments cannot be written", "dir", k.history.dir, "error", err)
	}
	out.Revision = made.Number
	return nil
}

// put serves a candidate and puts its text into the file's place, or does neither.
func (k *Keeper) put(ctx context.Context, c *candidate, expected string, staged *durable.Staged) error {
	serves, waits := k.serves, k.pending
	// OnPlan hears of it once it is saved: who forgets what a plan does not have must
	// not do so for one that is taken back.
	k.saving = true
	err := k.apply(ctx, c.source, c.author, func() {})
	k.saving = false
	if err != nil {
		k.revert(serves, waits)
		return &Error{Code: CodeBadExperiments, Err: err}
	}
	err = k.unchanged(expected)
	if err == nil {
		if err = staged.Commit(); err != nil {
			err = storage(k.o.File, err)
		}
	}
	if err != nil {
		k.revert(serves, waits)
		return err
	}
	k.settle()
	return nil
}

// unchanged looks once more whether the file is still the one expected: somebody
// may have edited it without our lock, while a model was loaded.
func (k *Keeper) unchanged(expected string) error {
	present, err := strictyaml.ReadFile(k.o.File)
	if err != nil {
		return errorf(CodeStorage, "the experiments file cannot be read: %w", err)
	}
	return k.match(expected, present)
}

// revert has the world go back to what it served and waited for.
func (k *Keeper) revert(serves, waits *candidate) {
	k.serves, k.pending = serves, waits
	k.refresh(serves)
	k.refresh(waits)
	if serves != nil && k.o.World.State().Plan != serves.plan {
		// It served a moment ago: its versions are loaded.
		if err := k.o.World.SetPlan(serves.plan); err != nil {
			k.o.Log.Error("the experiments before an edit that failed cannot serve again", "error", err)
		}
	} else {
		k.o.World.KeepPlan()
	}
	if waits != nil {
		_ = k.o.World.SetPlan(waits.plan) // refused as it was before, and remembered
	}
	k.settle()
}

// refresh gives a candidate the holds that there are now.
func (k *Keeper) refresh(c *candidate) {
	if c == nil {
		return
	}
	if plan, err := c.source.held(k.holds.list()); err == nil && plan.Digest() != c.plan.Digest() {
		c.plan = plan
	}
}

// writable finds the file behind symbolic links, and says why it cannot be saved.
func writable(file string) (target string, err error) {
	if target, err = filepath.EvalSymlinks(file); err != nil {
		return "", errorf(CodeStorage, "the experiments file cannot be found: %w", err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", errorf(CodeStorage, "the experiments file cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o222 == 0 {
		return "", readOnly(target, errors.New("it is marked as read-only"))
	}
	for _, name := range []string{target, filepath.Dir(target)} {
		if err := syscall.Access(name, accessWrite); err != nil {
			return "", readOnly(target, &os.PathError{Op: "write", Path: name, Err: err})
		}
	}
	return target, nil
}

// accessWrite is W_OK of access(2).
const accessWrite = 2

// storage is the error of a write: of a place that is not ours to write, or of a disk.
func storage(file string, err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EBUSY):
		return readOnly(file, err)
	}
	return errorf(CodeStorage, "the experiments file cannot be written, and nothing was changed: %w", err)
}

func readOnly(file string, err error) error {
	return errorf(CodeReadOnly, "%s cannot be written here (%w): edit it where it comes from, such as a Git repository or a ConfigMap, "+
		"and the gateway follows within a second; holds (pause, rollback) work without writing it. A single mounted file cannot be replaced: mount its directory", file, err)
}
