package experiments

import (
	"context"
	"errors"
	"slices"
	"time"

	"hotpath/abtest"
)

// Holds lists the holds, the oldest first.
func (k *Keeper) Holds() []Held { return slices.Clone(k.holds.list()) }

// Hold holds an experiment or a variant back, on top of what the file says, until it
// is released. What is held already stays as it is. The error may be of CodeStorage:
// then it is in force and not written down.
func (k *Keeper) Hold(ctx context.Context, hold abtest.Hold, by Author) error {
	if k.o.File == "" {
		return k.noFile()
	}
	if err := k.lock(ctx); err != nil {
		return err
	}
	defer k.unlock()
	k.settle()
	if err := k.mayHold(hold); err != nil {
		return err
	}
	is := func(h Held) bool { return h.Hold == hold }
	if slices.ContainsFunc(k.holds.list(), is) {
		return nil
	}
	held := Held{hold, by.Who, by.Via, time.Now().UTC(), by.Message}
	err := k.changeHolds(func(all []Held) []Held {
		if slices.ContainsFunc(all, is) {
			return all
		}
		return append(slices.Clone(all), held)
	})
	k.o.Log.Warn("held back", "experiment", hold.Experiment, "variant", hold.Variant, "who", by.Who, "via", by.Via, "message", by.Message)
	return errors.Join(err, k.recordHold(hold, false, by))
}

// mayHold refuses holds that would do nothing.
func (k *Keeper) mayHold(hold abtest.Hold) error {
	e := k.o.World.State().Plan.Experiment(hold.Experiment)
	for _, c := range []*candidate{k.serves, k.pending} {
		if e == nil && c != nil {
			e = c.plan.Experiment(hold.Experiment)
		}
	}
	if e == nil {
		return errorf(CodeUnknownExperiment, "there is no experiment named %.140q", hold.Experiment)
	}
	if len(k.holds.list()) >= maxHolds {
		return errorf(CodeConflict, "there are %d holds, which is the most; resume the experiments that need none any more", maxHolds)
	}
	if hold.Variant == "" {
		return nil
	}
	v := e.Variant(hold.Variant)
	switch {
	case v == nil:
		return errorf(CodeUnknownVariant, "experiment %q has no variant %.140q", e.Name(), hold.Variant)
	case v == e.Control():
		return errorf(CodeConflict, "variant %q is the control of experiment %q, which those held back go to; pause the experiment instead", v.Name(), e.Name())
	case v.Shadow():
		return errorf(CodeConflict, "variant %q of experiment %q is a shadow, which answers nobody; remove it from the file instead", v.Name(), e.Name())
	}
	return nil
}

// Release lets go of every hold of an experiment, and says how many there were.
func (k *Keeper) Release(ctx context.Context, experiment string, by Author) (released int, err error) {
	if k.o.File == "" {
		return 0, k.noFile()
	}
	if err := k.lock(ctx); err != nil {
		return 0, err
	}
	defer k.unlock()
	k.settle()
	of := func(h Held) bool { return h.Experiment == experiment }
	var gone []Held
	if !slices.ContainsFunc(k.holds.list(), of) {
		if k.o.World.State().Plan.Experiment(experiment) == nil {
			return 0, errorf(CodeUnknownExperiment, "there is no experiment named %.140q, and no hold on one", experiment)
		}
		return 0, nil
	}
	err = k.changeHolds(func(all []Held) []Held {
		gone = nil
		return slices.DeleteFunc(slices.Clone(all), func(h Held) bool {
			if of(h) {
				gone = append(gone, h)
			}
			return of(h)
		})
	})
	for _, h := range gone {
		err = errors.Join(err, k.recordHold(h.Hold, true, by))
	}
	k.o.Log.Info("let go of holds", "experiment", experiment, "holds", len(gone), "who", by.Who, "message", by.Message)
	return len(gone), err
}

// changeHolds puts other holds in force and then writes them down: whoever is held
// back must not wait for the disk, and what is listed must be so already.
func (k *Keeper) changeHolds(f func([]Held) []Held) error {
	first := f(k.holds.list())
	k.hold(first)
	err := k.holds.change(f)
	// Another gateway may have written its own meanwhile.
	if all := k.holds.list(); !slices.EqualFunc(all, first, func(a, b Held) bool { return a.Hold == b.Hold }) {
		k.hold(all)
	}
	return err
}

// hold gives the world what it serves, and what it waits for, with these holds. None
// of it names a version that the world has not been asked for before.
func (k *Keeper) hold(all []Held) {
	for _, c := range []*candidate{k.serves, k.pending} {
		if c == nil {
			continue
		}
		plan, err := c.source.held(all)
		if err != nil {
			k.o.Log.Error("a plan with holds does not compile; what serves goes on", "error", err)
			continue
		}
		c.plan = plan
		// Refused is only what was refused without the holds.
		_ = k.o.World.SetPlan(plan)
	}
	k.settle()
}

// recordHold writes a hold into the history: the file is as it was.
func (k *Keeper) recordHold(hold abtest.Hold, released bool, by Author) error {
	r := Revision{At: time.Now().UTC(), Who: by.Who, Via: by.Via, Message: by.Message, Hold: &hold, Released: released}
	text, err := k.heldText(&r)
	if err == nil {
		_, err = k.history.add(r, text)
	}
	if err != nil {
		return errorf(CodeStorage, "it is in force, but the history cannot be written: %w", err)
	}
	return nil
}

// heldText is the content that a hold lies on top of: of what serves, else of what
// waits, else, where the file has never served and is broken, the one before.
func (k *Keeper) heldText(r *Revision) ([]byte, error) {
	c := k.serves
	if c == nil {
		c = k.pending
	}
	if c != nil {
		r.ETag, r.Digest, r.Lists = c.source.etag, c.plan.Digest().String(), c.source.lists.revision()
		return c.source.text, nil
	}
	last, _ := k.history.last()
	r.ETag, r.Digest, r.Lists = last.ETag, k.o.World.State().Plan.Digest().String(), last.Lists
	_, text, _, err := k.history.get(last.Number)
	return text, err
}
