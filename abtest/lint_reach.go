package abtest

// reach finds experiments that nobody gets into, but by override or force.
func (l *linter) reach(e *Experiment, satisfiable bool) {
	at := atExperiment(e)
	switch {
	case e.schedule.end <= l.now:
		l.addf(at.field("end"), Warning, "ended", "is past: say state: stopped, so that its range is free and its models can go")
		return
	case !satisfiable:
		l.addf(at.field("targeting"), Error, "never_reached", "no request can meet the condition")
	case e.schedule.share(forever) == 0:
		l.addf(at.field("ramp"), Error, "never_reached", "no step lets anybody in")
	}
	for i := range e.requires {
		l.requirement(at.field("prerequisites").index(i), e, &e.requires[i])
	}
	for _, first := range e.plan.all {
		if first == e {
			break
		}
		if !first.Enabled() || first.layer != nil && first.layer == e.layer {
			continue
		}
		if l.takesAll(first, e) {
			l.addf(at, Error, "never_reached", "experiment %q, which stands before it, takes every unit of model %q: put both into one layer, or this one first", first.name, e.model)
		} else {
			l.addf(at, Info, "shared_units", "experiment %q about the same model stands before it and takes what it enrols: this one's users are the others only; put both into one layer to part them by chance", first.name)
		}
		return // one is enough to know of
	}
}

// takesAll says whether nothing is left for e of what first enrols from now on.
func (l *linter) takesAll(first, e *Experiment) bool {
	s := &first.schedule
	whole := first.layer == nil ||
		first.low == 0 && first.high == Buckets && first.layer.unit == first.unit && first.layer.holdout == nil
	return whole && first.unit == e.unit && first.targeting == nil && len(first.requires) == 0 &&
		s.start <= l.now && s.end == forever && s.share(l.now) == Buckets
}

// requirement finds prerequisites that no unit of the experiment can meet.
func (l *linter) requirement(at place, e *Experiment, r *requirement) {
	on := r.experiment
	switch {
	case on.state != Running:
		l.addf(at.field("experiment"), Error, "never_reached", "experiment %q is %s, so that nobody is in it", on.name, on.state)
	case on.schedule.end <= l.now:
		l.addf(at.field("experiment"), Error, "never_reached", "experiment %q has ended", on.name)
	case on.layer != nil && on.layer == e.layer:
		l.addf(at.field("experiment"), Error, "never_reached", "experiment %q is in layer %q too: its units are never this experiment's", on.name, e.layer.name)
	case on.model == e.model && on.index < e.index:
		l.addf(at.field("experiment"), Error, "never_reached", "experiment %q about the same model stands before this one and keeps its units: move this one up", on.name)
	case on.model == e.model:
		l.addf(at.field("experiment"), Warning, "takes_units", "experiment %q is about the same model: its units in this one get this one's variants, and are missing there", on.name)
	}
	for _, v := range on.variants {
		if r.variants&(1<<v.index) != 0 && v.weight > 0 {
			return
		}
	}
	l.addf(at.field("variants"), Warning, "never_reached", "nobody but listed users has these variants of %q: their weight is 0", on.name)
}
