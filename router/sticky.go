package router

import (
	"time"

	"hotpath/abtest"
)

// Sticky keeps which variant of a sticky experiment a unit was given first.
// Package abtest/sticky has it.
type Sticky interface {
	// Recall puts into variants[i] the name of the variant that is kept for the unit
	// ids[i] of experiments[i]; empty where none is, or is known by until. An id may
	// be empty. The names are read only, and do not change.
	Recall(until time.Time, experiments []*abtest.Experiment, ids, variants [][]byte)
	// Remember keeps a variant for a unit that has none yet. It does not wait.
	Remember(e *abtest.Experiment, unit []byte, variant string)
}

// kept is what a request's units have been given before; it is the memory of an
// exchange.
type kept struct {
	experiments []*abtest.Experiment
	ids         [][]byte
	variants    [][]byte
	arena       []byte
}

// Variant implements abtest.Stored.
func (k *kept) Variant(e *abtest.Experiment) []byte {
	for i, known := range k.experiments {
		if known == e {
			return k.variants[i]
		}
	}
	return nil
}

// recall asks the store about the model's sticky experiments.
func (p *Pipeline) recall(x *Exchange, model *Model, r *abtest.Request) {
	sticky := model.plan.Sticky()
	if len(sticky) == 0 || p.options.Sticky == nil {
		return
	}
	k := &x.kept
	k.reset()
	k.experiments = sticky
	for _, e := range sticky {
		// An arena that grows leaves the earlier ids where they were.
		from := len(k.arena)
		k.arena = e.AppendUnit(k.arena, r)
		k.ids, k.variants = append(k.ids, k.arena[from:]), append(k.variants, nil)
	}
	p.options.Sticky.Recall(x.Until, sticky, k.ids, k.variants)
	r.Stored = k
}

// remember has the store keep what chance has just chosen.
func (p *Pipeline) remember(x *Exchange, a *abtest.Assignment) {
	if p.options.Sticky == nil || x.Look || !a.Store() {
		return
	}
	for i, e := range x.kept.experiments {
		if e == a.Experiment {
			p.options.Sticky.Remember(e, x.kept.ids[i], a.Variant.Name())
			return
		}
	}
}

// reset forgets the request. It keeps the memory, unless one request made it large.
func (k *kept) reset() {
	if k.experiments == nil {
		return
	}
	k.experiments = nil
	clear(k.ids)
	clear(k.variants)
	if cap(k.arena) > keepScratch {
		k.arena = nil
	}
	k.ids, k.variants, k.arena = k.ids[:0], k.variants[:0], k.arena[:0]
}
