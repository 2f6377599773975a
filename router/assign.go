package router

import (
	"bytes"
	"iter"
	"time"

	"hotpath/abtest"
)

// Decision is what an experiment has decided for a request that no model scores.
type Decision struct {
	// Experiment is the one that was asked about, else the one that decided; nil
	// where none did.
	Experiment *abtest.Experiment
	// Variant is what the unit gets of it; nil where it gets none. It is never
	// another one than Predict would serve by.
	Variant *abtest.Variant
	Reason  abtest.Reason
	Bucket  uint16
	// Other is the experiment that decided in the place of the one asked about,
	// which may have a reason to assign by itself; nil where no other did.
	Other *abtest.Experiment
	// Lane is who would answer the request; nil where its model is not loaded, which
	// only flags meet.
	Lane *Lane
}

// Assign settles which variant a request would get from Predict, and scores
// nothing. The experiment, when one is named, says which model is asked about,
// which the request may name as well; otherwise the request does. Where another
// experiment decides than the one named, there is no variant and nobody is exposed.
// A flag always names one, and its model need not be loaded.
func (p *Pipeline) Assign(x *Exchange, experiment []byte) (d Decision, refusal *Error) {
	start := time.Now()
	if x.snapshot = p.acquire(); x.snapshot == nil {
		return d, errNotReady
	}
	named, refusal := x.named(experiment)
	if refusal != nil {
		return d, refusal
	}
	if x.asked = x.snapshot.model(x.Request.Model); x.asked == nil && x.Via == ViaFlag && named != nil {
		x.asked = x.snapshot.unloaded(named.Model())
	}
	if x.asked == nil {
		return d, x.unknownModel()
	}
	if refusal := x.checkEntities(); refusal != nil {
		return d, refusal
	}
	look := x.Look
	x.Look = true // until it is known whether the request gets what is decided
	assigned, refusal := p.assign(x, x.asked, start)
	x.Look = look
	if refusal != nil {
		return d, refusal
	}
	d = x.decision()
	if named != nil && d.Experiment != named {
		d = x.alone(named, d)
		// What the other experiment gives was not asked for, and is not told.
		x.Assignment, x.Variant, assigned = abtest.Assignment{}, nil, nil
	}
	p.show(x, assigned, start)
	return d, nil
}

// named finds the experiment asked about, and lets it choose the model; nil where
// none is named.
func (x *Exchange) named(experiment []byte) (*abtest.Experiment, *Error) {
	if len(experiment) == 0 {
		return nil, nil
	}
	e := x.snapshot.plan.Experiment(string(experiment))
	if e == nil {
		return nil, &Error{Code: UnknownExperiment, Field: "experiment", Message: "there is no experiment named " + quote(experiment[:min(len(experiment), shownName)])}
	}
	if len(x.Request.Model) > 0 && string(x.Request.Model) != e.Model() {
		return nil, &Error{Code: BadRequest, Field: "model", Message: "experiment " + quote([]byte(e.Name())) + " is about model " + quote([]byte(e.Model())) + "; leave the model out"}
	}
	x.Request.Model = append(x.Request.Model[:0:0], e.Model()...)
	if x.Via == ViaFlag && x.forcesElsewhere(e.Model()) {
		x.Forced = nil
	}
	return e, nil
}

// forcesElsewhere says that the variant asked for is of an experiment on another
// model: who tests a flag sends the same header for all of them.
func (x *Exchange) forcesElsewhere(model string) bool {
	name, _, qualified := bytes.Cut(x.Forced, []byte("/"))
	if !qualified {
		return false
	}
	e := x.snapshot.plan.Experiment(string(name))
	return e != nil && e.Model() != model
}

// decision is what the exchange was assigned.
func (x *Exchange) decision() Decision {
	a := &x.Assignment
	return Decision{Experiment: a.Experiment, Variant: a.Variant, Reason: a.Reason, Bucket: a.Bucket, Lane: x.Lane}
}

// alone is what an experiment says by itself, where decided says what its model
// answers by.
func (x *Exchange) alone(e *abtest.Experiment, decided Decision) Decision {
	r := x.Assignable()
	own := e.Explain(&r)
	d := Decision{Experiment: e, Reason: own.Reason, Bucket: own.Bucket, Lane: decided.Lane}
	var considered []abtest.Assignment
	if decided.Reason == abtest.ReasonPaused {
		considered = x.Considered()
	}
	if other := decider(&x.Assignment, considered); other != e {
		d.Other = other
	}
	return d
}

// decider is the experiment that keeps the unit, of those considered: the one that
// gives it a variant, or one that is paused and has no fallback. Nil: none does.
func decider(a *abtest.Assignment, considered []abtest.Assignment) *abtest.Experiment {
	if a.Experiment != nil || a.Reason != abtest.ReasonPaused {
		return a.Experiment
	}
	for i := range considered {
		if considered[i].Reason == abtest.ReasonPaused {
			return considered[i].Experiment
		}
	}
	return nil
}

// show counts and keeps an assignment that its client is told, and lets the observer
// know of it. The arm is nil where there is no variant.
func (p *Pipeline) show(x *Exchange, assigned *arm, start time.Time) {
	if x.Look {
		return
	}
	p.remember(x, &x.Assignment)
	if assigned != nil {
		assigned.metrics.assigned(x.Assignment.Reason)
	}
	p.observed(x, nil, start)
}

// AssignAll decides about every experiment that is not a draft or archived, and gives
// each decision to tell, which keeps none, in no particular order. Like the answers of
// Assign they agree with Predict. An experiment that gives no variant says why by
// itself.
func (p *Pipeline) AssignAll(x *Exchange, tell func(d *Decision)) *Error {
	start := time.Now()
	if x.snapshot = p.acquire(); x.snapshot == nil {
		return errNotReady
	}
	// Before anybody is exposed.
	if len(x.Forced) > 0 && !x.forcesSome(start) {
		return x.unknownVariant()
	}
	for plan, name := range x.snapshot.plansByModel() {
		p.assignModel(x, plan, name, start, tell)
	}
	return nil
}

// plansByModel are the experiments of each model that there are some about.
func (s *Snapshot) plansByModel() iter.Seq2[*abtest.ModelPlan, string] {
	return func(yield func(*abtest.ModelPlan, string) bool) {
		for _, e := range s.plan.Experiments() {
			if plan := s.plan.ModelExperiments(e.Model()); plan.Experiments()[0] == e && !yield(plan, e.Model()) {
				return
			}
		}
	}
}

// forcesSome says whether the variant that the request asks for is one of some model's.
func (x *Exchange) forcesSome(now time.Time) bool {
	r := x.assignable(now)
	for plan := range x.snapshot.plansByModel() {
		if a := plan.Assign(&r); !a.ForcedUnknown {
			return true
		}
	}
	return false
}

// assignModel decides about the experiments on one model.
func (p *Pipeline) assignModel(x *Exchange, plan *abtest.ModelPlan, name string, start time.Time, tell func(d *Decision)) {
	if x.asked = x.snapshot.models[name]; x.asked == nil {
		x.asked = x.snapshot.unloaded(name)
	}
	x.kept.reset()
	r := x.assignable(start)
	p.recall(x, x.asked, &r)
	a := plan.Assign(&r)
	x.Assignment, x.Lane, x.Variant = a, x.asked.current, a.Variant
	var assigned *arm
	if a.Variant != nil {
		assigned = x.snapshot.arms[a.Experiment.Index()][a.Variant.Index()]
		x.Lane = assigned.lane
	}
	x.considered = plan.Explain(x.considered[:0], &r)
	keeps := decider(&a, x.considered)
	var d Decision // one for all, since it escapes
	for i := range x.considered {
		c := &x.considered[i]
		if s := c.Experiment.State(); s == abtest.Draft || s == abtest.Archived {
			continue
		}
		d = Decision{Experiment: c.Experiment, Reason: c.Reason, Bucket: c.Bucket, Other: keeps, Lane: x.Lane}
		switch c.Experiment {
		case a.Experiment:
			d = x.decision()
		case keeps:
			d.Other = nil
		}
		tell(&d)
	}
	p.show(x, assigned, start)
}

// unloaded stands in for a model that experiments are about and that is not loaded:
// flags need none.
func (s *Snapshot) unloaded(name string) *Model {
	return &Model{name: name, plan: s.plan.ModelExperiments(name)}
}

// Considered is what every experiment about the model asked about says by itself, in
// the order of the file, after Assign. It is valid until the exchange's next use.
func (x *Exchange) Considered() []abtest.Assignment {
	if x.asked == nil {
		return nil
	}
	r := x.Assignable()
	x.considered = x.asked.plan.Explain(x.considered[:0], &r)
	return x.considered
}

// Assignable is the request as the experiments see it, for an observer.
func (x *Exchange) Assignable() abtest.Request {
	r := x.assignable(time.Now())
	if len(x.kept.experiments) > 0 {
		r.Stored = &x.kept
	}
	return r
}

// Plan is the experiments that the request was assigned by.
func (x *Exchange) Plan() *abtest.Plan { return x.snapshot.plan }
