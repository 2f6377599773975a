package repository

import (
	"context"
	"maps"
	"slices"
	"time"
)

// A deployment proves a version before it serves. It holds the version's number
// before the folder is there, has it loaded beside the others, and ends the hold
// by Release or Undo. A held version is loaded and kept, and never elected: not by
// being the highest, not as what Rollback goes to. Requests and experiments that
// name it get it all the same.

// Hold keeps a version from being elected until Release or Undo, whether it is on
// disk already or not. It is saved with the other decisions before it returns.
// Errors are *Error.
func (r *Repository) Hold(ctx context.Context, model string, version int) error {
	return r.do(ctx, verbHold, model, version)
}

// Release ends the hold of a version that is loaded and makes it current, like
// Promote. Errors are *Error.
func (r *Repository) Release(ctx context.Context, model string, version int) error {
	return r.do(ctx, verbRelease, model, version)
}

// Undo says how to end the hold of a version that shall not serve, or to take
// back its Release.
type Undo struct {
	Model   string
	Version int
	// Released says that Release was asked for. If the version is current, Back
	// is so again, unless that is 0: nothing served before. Pin and PinnedUpTo, of
	// ModelStatus, are then what they were before.
	Released        bool
	Back            int
	Pin, PinnedUpTo int
	// Loaded says that the version was loaded before its hold, and stays so.
	// Removed says that its folder has been taken away. With neither the version
	// stays on disk and is unloaded until Load or Promote.
	Loaded, Removed bool
}

// Undo ends a hold without an election. Where an experiment needs the version it
// stays loaded, older versions serve on, and the error has CodeConflict. Doing it
// twice does no harm. Errors are *Error.
func (r *Repository) Undo(ctx context.Context, u Undo) error {
	return r.ask(request{verb: verbUndo, ctx: ctx, model: u.Model, version: u.Version, undo: u})
}

func (o *owner) hold(m *model, n int) error {
	set := o.set.Models[m.name]
	switch {
	case set != nil && set.Current == n:
		return fail(CodeConflict, m.name, n, "it is the current version")
	case o.decisions(m.name).Off:
		return fail(CodeConflict, m.name, n, "the whole model is unloaded; load a version of it first")
	case !o.decisions(m.name).free(n):
		return fail(CodeConflict, m.name, n, "a deployment holds it already")
	}
	o.change(m.name, func(d *decisions) { d.Held = add(d.Held, n) })
	if o.o.StateFile != "" && o.unsaved {
		o.change(m.name, func(d *decisions) { d.Held = remove(d.Held, n) })
		return fail(CodeConflict, m.name, n, "the hold cannot be saved: %s is not writable", o.o.StateFile)
	}
	return nil
}

// release makes a held version current: one of the set, or the first of a model.
func (o *owner) release(m *model, n int) error {
	set := o.set.Models[m.name]
	if set.Version(n) != nil {
		return o.promote(m, n)
	}
	l := m.unset(n)
	if l == nil {
		return fail(CodeConflict, m.name, n, "it is not loaded any more")
	}
	next := set.with(l)
	next.moveTo(n, next.Current, m.electable(o.decisions(m.name)))
	if err := o.pin(m, next); err != nil {
		return err
	}
	m.fresh = slices.DeleteFunc(m.fresh, func(other *Loaded) bool { return other == l })
	return nil
}

func (o *owner) undo(m *model, u Undo) error {
	if !u.Released && o.decisions(m.name).free(u.Version) {
		return nil // there is no hold: the version is not the deployment's
	}
	if set := o.set.Models[m.name]; u.Released && set != nil && set.Current == u.Version {
		if err := o.goBack(m, u); err != nil {
			return err
		}
	}
	if u.Loaded {
		o.change(m.name, func(d *decisions) { d.Held = remove(d.Held, u.Version) })
		return nil
	}
	if err := o.takeOut(m, u.Version); err != nil {
		// It stays loaded: a pin keeps it from being elected instead of the hold.
		o.change(m.name, func(d *decisions) {
			d.Held = remove(d.Held, u.Version)
			if current := o.set.Models[m.name].Current; current != u.Version {
				d.Pin, d.UpTo = current, max(u.Version, d.UpTo, slices.Max(slices.Collect(maps.Keys(m.versions))))
			}
		})
		return err
	}
	o.change(m.name, func(d *decisions) { d.end(u) })
	if v := m.versions[u.Version]; v != nil && u.Removed {
		v.onDisk, v.missing = false, time.Now()
	}
	o.wakeIn(o.o.Debounce)
	o.plan(m)
	o.prune(m)
	return nil
}

// end removes the hold of a version that is not loaded any more.
func (d *decisions) end(u Undo) {
	d.Held, d.Loaded = remove(d.Held, u.Version), remove(d.Loaded, u.Version)
	if !u.Removed {
		d.Unloaded = add(d.Unloaded, u.Version)
	}
}

// goBack makes the version current that was before a Release, with the pin that
// there was.
func (o *owner) goBack(m *model, u Undo) error {
	set := o.set.Models[m.name]
	switch {
	case u.Back == 0:
		return nil // taking it out leaves what else is loaded
	case set.Version(u.Back) == nil:
		return fail(CodeConflict, m.name, u.Back, "it was to be current again and is not loaded; promote a version by its number")
	}
	next := *set
	next.Current = u.Back
	next.Previous = next.highest(u.Back, func(n int) bool { return n != u.Version && o.decisions(m.name).free(n) })
	if err := o.commit(m.name, &next); err != nil {
		return fail(CodeConflict, m.name, u.Back, "%w", err)
	}
	o.log.Info("model version promoted", "model", m.name, "version", next.Current, "previous", next.Previous, "taken_back", u.Version)
	o.change(m.name, func(d *decisions) {
		d.Pin, d.UpTo = u.Pin, u.PinnedUpTo
		if u.Loaded && d.Pin == 0 && u.Version > u.Back {
			d.Pin, d.UpTo = u.Back, u.Version // it stays, and must not be elected
		}
	})
	return nil
}

// takeOut unloads a version, unless an experiment needs it.
func (o *owner) takeOut(m *model, n int) error {
	if slices.Contains(o.pinned(m.name), n) {
		return fail(CodeConflict, m.name, n, "an experiment needs it")
	}
	if l := m.unset(n); l != nil {
		m.fresh = slices.DeleteFunc(m.fresh, func(other *Loaded) bool { return other == l })
		l.Served.Close()
	}
	if v := m.versions[n]; v != nil {
		o.disown(m, v)
	}
	set := o.set.Models[m.name]
	if set.Version(n) != nil {
		next := set.without(n)
		o.elect(m, next)
		if err := o.commit(m.name, next); err != nil {
			return fail(CodeConflict, m.name, n, "%w", err)
		}
	}
	if v := m.versions[n]; v != nil {
		v.tried = stamp{}
	}
	return nil
}

// disown gives up on a load of the version: what it brings must not be elected.
func (o *owner) disown(m *model, v *version) {
	if v.job == nil {
		return
	}
	o.queue = slices.DeleteFunc(o.queue, func(j *load) bool { return j == v.job })
	v.job.abandoned, v.job = true, nil
	o.answer(v, fail(CodeConflict, m.name, v.number, "its deployment was undone while it was loading"))
}

// undoAtStart ends the holds of deployments that the last process did not end,
// before anything is loaded.
func (o *owner) undoAtStart(all []Undo) {
	for _, u := range all {
		if o.o.StateFile != "" && !u.Released && o.decisions(u.Model).free(u.Version) {
			continue
		}
		o.change(u.Model, func(d *decisions) {
			if u.Released {
				d.Pin, d.UpTo = u.Pin, u.PinnedUpTo
			}
			if u.Loaded {
				d.Held = remove(d.Held, u.Version)
				if u.Released && d.Pin == 0 && u.Version > u.Back {
					d.Pin, d.UpTo = u.Back, u.Version
				}
				return
			}
			d.end(u)
		})
	}
	// No deployment is in progress when a process starts. A hold that nobody knows
	// of must neither last for ever nor end in an election.
	for name, d := range o.saved {
		for _, n := range d.Held {
			o.log.Warn("a model version was held by a deployment that nobody knows; it is unloaded", "model", name, "version", n)
			o.change(name, func(d *decisions) { d.end(Undo{Version: n}) })
		}
	}
}

// Read reads and checks a version's files as a load does, and loads nothing. Of
// the options it uses Dir, Defaults and Scan.
func Read(o Options, model string, version int) (*Candidate, error) {
	return (&load{model: model, version: version, settled: true}).read(&Repository{o: o})
}
