package repository

import (
	"context"
	"maps"
	"math"
	"slices"
)

type verb uint8

const (
	verbLoad verb = iota
	verbUnload
	verbPromote
	verbRollback
	verbHold
	verbRelease
	verbUndo
	verbLabel
	verbLoadModel
)

// mayBringModel says that the operation may be about a model that is not known yet.
func (v verb) mayBringModel() bool {
	return v == verbLoad || v == verbPromote || v == verbLabel || v == verbHold || v == verbUndo
}

// needsVersion says that version 0 means nothing to the operation.
func (v verb) needsVersion() bool {
	return v == verbPromote || v == verbHold || v == verbRelease || v == verbUndo
}

// request is an operation on its way to the owner.
type request struct {
	verb    verb
	ctx     context.Context
	model   string
	version int
	label   string     // of verbLabel
	after   uint64     // of verbLoadModel: it waits for a later reading of the directory
	undo    Undo       // of verbUndo
	reply   chan error // holds one, so that the owner never waits
}

// List is a picture of the repository. It never waits for an operation or load.
func (r *Repository) List() *Status { return r.status.Load() }

// Rescan makes the repository read its directory and ask Options.Pinned now
// rather than at the next poll. It does not wait.
func (r *Repository) Rescan() {
	select {
	case r.nudges <- struct{}{}:
	default: // one is on its way already
	}
}

// Load looks at a version's files now, whether they are settled or were refused
// before, and waits until they are loaded or refused. Version 0 is LoadModel.
// A version higher than the current one is promoted as usual. When ctx ends first,
// the load goes on. Errors are *Error.
func (r *Repository) Load(ctx context.Context, model string, version int) error {
	if version == 0 {
		return r.LoadModel(ctx, model)
	}
	return r.do(ctx, verbLoad, model, version)
}

// Unload takes a version out until Load or Promote; version 0 takes out the
// whole model. The current version is not unloaded alone. Errors are *Error.
func (r *Repository) Unload(ctx context.Context, model string, version int) error {
	return r.do(ctx, verbUnload, model, version)
}

// Promote makes a version current, loading it if need be. Versions known by now
// are not promoted by themselves any more. When ctx ends before the version is
// loaded, it is loaded but not promoted. Errors are *Error.
func (r *Repository) Promote(ctx context.Context, model string, version int) error {
	return r.do(ctx, verbPromote, model, version)
}

// Rollback makes the previous version current, at once, and pins it like
// Promote. The previous version is then one below it, so that rolling back twice
// does not bring back what was rolled back first. Errors are *Error.
func (r *Repository) Rollback(ctx context.Context, model string) error {
	return r.do(ctx, verbRollback, model, 0)
}

func (r *Repository) do(ctx context.Context, v verb, model string, version int) error {
	return r.ask(request{verb: v, ctx: ctx, model: model, version: version})
}

// ask gives a request to the owner and waits for the answer.
func (r *Repository) ask(req request) error {
	ctx, model, version := req.ctx, req.model, req.version
	if err := CheckModelName(model); err != nil {
		return fail(CodeBadRequest, model, 0, "%w", err)
	}
	if version < 0 || version > MaxVersion || version == 0 && req.verb.needsVersion() {
		return fail(CodeBadRequest, model, version, "version %d is outside 1 to %d", version, MaxVersion)
	}
	req.reply = make(chan error, 1)
	late := func() error {
		return fail(CodeDeadline, model, version, "the operation was not over in time: %w", ctx.Err())
	}
	closed := func() error { return fail(CodeClosed, model, version, "the repository is closed") }
	select {
	case r.requests <- req:
	case <-ctx.Done():
		return late()
	case <-r.done:
		return closed()
	}
	select {
	case err := <-req.reply:
		return err
	case <-ctx.Done():
		return late()
	case <-r.done:
		return closed()
	}
}

// handle carries out an operation, or leaves it waiting for a load.
func (o *owner) handle(req request) {
	if req.ctx.Err() != nil {
		return // the caller has left
	}
	if (req.verb == verbPromote || req.verb == verbUnload || req.verb == verbLabel) && !o.decisions(req.model).free(req.version) {
		o.reply(req, fail(CodeConflict, req.model, req.version, "a deployment holds it: wait for its end, or cancel it; see `gateway models deployments`"))
		return
	}
	if req.verb == verbLoadModel {
		o.askForModel(req)
		return
	}
	m := o.models[req.model]
	if m == nil {
		if !req.verb.mayBringModel() || req.version == 0 || len(o.models) >= o.o.MaxModels {
			o.reply(req, fail(CodeUnknownModel, req.model, req.version, "there is no such model in %s", o.o.Dir))
			return
		}
		m = o.model(req.model) // perhaps it has just been copied; forgotten if not
	}
	switch req.verb {
	case verbLoad:
		o.demand(m, req)
	case verbPromote:
		if o.set.Models[m.name].Version(req.version) != nil {
			o.reply(req, o.promote(m, req.version))
		} else {
			o.demand(m, req)
		}
	case verbLabel:
		if req.version == 0 || o.set.Models[m.name].Version(req.version) != nil {
			o.reply(req, o.setLabel(m, req.label, req.version))
		} else {
			o.demand(m, req)
		}
	case verbRollback:
		o.reply(req, o.rollback(m))
	case verbUnload:
		o.reply(req, o.unload(m, req.version))
	case verbHold:
		o.reply(req, o.hold(m, req.version))
		o.forget(m)
	case verbRelease:
		o.reply(req, o.release(m, req.version))
	case verbUndo:
		o.reply(req, o.undo(m, req.undo))
		o.forget(m)
	}
}

// demand queues a load of a version's files as they are, before those that nobody
// waits for.
func (o *owner) demand(m *model, req request) {
	v := m.version(req.version)
	v.waiters = append(v.waiters, req)
	if v.job != nil {
		if i := slices.Index(o.queue, v.job); i >= 0 {
			o.queue = slices.Delete(o.queue, i, i+1)
		} else {
			return // it is running; its outcome is the answer
		}
	}
	o.enqueue(m, v, true)
	// Behind those that others wait for: the last to ask must not come first for
	// ever.
	first := slices.IndexFunc(o.queue, func(j *load) bool { return j == v.job || len(o.model(j.model).version(j.version).waiters) == 0 })
	o.queue = slices.Insert(o.queue[:len(o.queue)-1], first, v.job)
}

// replyTo answers those who wait for a version that is in the set.
func (o *owner) replyTo(m *model, v *version) {
	free, unset := o.decisions(m.name).free(v.number), m.unset(v.number) != nil
	if len(v.waiters) == 0 || v.job != nil || unset && free {
		return
	}
	if o.set.Models[m.name].Version(v.number) == nil && !unset {
		err := error(fail(CodeConflict, m.name, v.number, "it was not loaded"))
		if v.refusal != nil {
			err = fail(v.refusal.code, m.name, v.number, "%w", v.refusal.err)
		}
		o.answer(v, err)
		return
	}
	waiters := v.waiters
	v.waiters = nil
	o.change(m.name, func(d *decisions) {
		if !free {
			return
		}
		d.unloaded(v.number, false)
		// A label keeps its version by itself, and lets it go.
		byName := slices.ContainsFunc(waiters, func(w request) bool { return w.verb != verbLabel })
		if byName && (o.o.Mode == ModeExplicit || !o.wanted(m)[v.number]) {
			d.Loaded = add(d.Loaded, v.number)
		}
	})
	for _, w := range waiters {
		var err error
		switch {
		case w.ctx.Err() != nil:
		case w.verb == verbPromote:
			err = o.promote(m, v.number)
		case w.verb == verbLabel:
			err = o.setLabel(m, w.label, v.number)
		}
		o.reply(w, err)
	}
	o.plan(m) // a model that was off has more to load
}

// answer gives everyone who waits for the version the same answer.
func (o *owner) answer(v *version, err error) {
	for _, w := range v.waiters {
		o.reply(w, err)
	}
	v.waiters = nil
}

func (o *owner) reply(req request, err error) { o.answers = append(o.answers, answer{req.reply, err}) }

// promote makes a loaded version current.
func (o *owner) promote(m *model, n int) error {
	set := o.set.Models[m.name]
	next := *set
	next.moveTo(n, set.Current, m.electable(o.decisions(m.name)))
	return o.pin(m, &next)
}

func (o *owner) rollback(m *model) error {
	set := o.set.Models[m.name]
	switch {
	case set == nil:
		return fail(CodeConflict, m.name, 0, "no version is loaded")
	case set.Previous == 0:
		return fail(CodeConflict, m.name, 0, "no version to go back to is loaded; promote one by its number")
	}
	next := *set
	next.Current = set.Previous
	next.Previous = next.highest(next.Current, m.electable(o.decisions(m.name)))
	return o.pin(m, &next)
}

// pin commits an operator's choice of the current version and remembers it.
func (o *owner) pin(m *model, next *ModelSet) error {
	if err := o.commit(m.name, next); err != nil {
		return fail(CodeConflict, m.name, next.Current, "%w", err)
	}
	o.change(m.name, func(d *decisions) {
		d.unloaded(next.Current, false)
		d.Held = remove(d.Held, next.Current)
		d.Pin, d.UpTo = next.Current, slices.Max(slices.Collect(maps.Keys(m.versions)))
		if d.Pin == d.UpTo && m.highest(next, d) == d.Pin {
			d.Pin, d.UpTo = 0, 0
		}
	})
	o.log.Info("model version promoted", "model", m.name, "version", next.Current, "previous", next.Previous)
	o.plan(m)
	o.prune(m)
	return nil
}

func (o *owner) unload(m *model, n int) error {
	set := o.set.Models[m.name]
	switch {
	case n == 0:
		if err := o.commit(m.name, set.none()); err != nil {
			return fail(CodeConflict, m.name, 0, "%w", err)
		}
		o.change(m.name, func(d *decisions) { *d = decisions{Off: true, Held: d.Held} })
		o.forgetFresh(m)
		return nil
	case m.versions[n] == nil:
		return fail(CodeUnknownVersion, m.name, n, "there is no such version")
	case set != nil && set.Current == n:
		return fail(CodeConflict, m.name, n, "it is the current version; promote another one first, or unload the whole model")
	case slices.Contains(o.pinned(m.name), n):
		return fail(CodeConflict, m.name, n, "an experiment needs it")
	case o.labelOf(m, n) != "":
		return fail(CodeConflict, m.name, n, "label %s names it; move the label first", o.labelOf(m, n))
	}
	if set.Version(n) != nil {
		next := set.without(n)
		o.elect(m, next)
		if err := o.commit(m.name, next); err != nil {
			return fail(CodeConflict, m.name, n, "%w", err)
		}
		m.versions[n].tried = stamp{}
	}
	o.change(m.name, func(d *decisions) { d.unloaded(n, true) })
	return nil
}

// none is a set without versions; nil stays nil.
func (m *ModelSet) none() *ModelSet {
	if m == nil {
		return nil
	}
	return &ModelSet{}
}

// forgetFresh closes what was loaded for a model that is not wanted any more.
func (o *owner) forgetFresh(m *model) {
	for _, l := range m.fresh {
		l.Served.Close()
	}
	m.fresh = nil
	for _, v := range m.versions {
		v.tried = stamp{}
	}
}

// noLimit is above every version.
const noLimit = math.MaxInt
