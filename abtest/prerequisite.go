package abtest

import "strings"

// requirement is an experiment that a unit must be in.
type requirement struct {
	experiment *Experiment
	variants   uint64 // a bit for each that counts, by index
}

// met says whether the experiments that this one requires have the unit.
func (e *Experiment) met(s *subject) bool {
	for i := range e.requires {
		v, _, r := e.requires[i].experiment.alone(s)
		if v == nil || r == ReasonPaused || e.requires[i].variants&(1<<v.index) == 0 {
			return false
		}
	}
	return true
}

// prerequisites resolves what the experiments require of one another, once all
// of them are compiled.
func (c *compiler) prerequisites(experiments []*Experiment, cfgs []ExperimentConfig) {
	sound := true
	for i, e := range experiments {
		at := place("experiments").index(i).field("prerequisites")
		sound = c.requires(at, e, cfgs[i].Prerequisites) && sound
	}
	if !sound {
		return
	}
	walk := walker{c: c, cost: map[*Experiment]int{}}
	for _, e := range experiments {
		walk.visit(e)
	}
}

// requires reads the prerequisites of one experiment.
func (c *compiler) requires(at place, e *Experiment, cfgs []PrerequisiteConfig) bool {
	before := len(c.problems)
	seen := map[string]bool{}
	for i := range c.limit(at, len(cfgs), MaxRequires) {
		cfg, at := &cfgs[i], at.index(i)
		on := c.byName[cfg.Experiment]
		switch {
		case on == nil:
			c.addf(at.field("experiment"), "%q is not an experiment of this file", cfg.Experiment)
			continue
		case seen[cfg.Experiment]:
			c.addf(at.field("experiment"), "%q is required already", cfg.Experiment)
			continue
		}
		seen[cfg.Experiment] = true
		r := requirement{experiment: on}
		for j, name := range cfg.Variants {
			if v := c.answering(at.field("variants").index(j), on, name); v != nil {
				r.variants |= 1 << v.index
			}
		}
		if len(cfg.Variants) == 0 {
			for _, v := range on.variants {
				if !v.shadow {
					r.variants |= 1 << v.index
				}
			}
		}
		e.requires, e.requiring = append(e.requires, r), true
	}
	return len(c.problems) == before
}

// walker looks for prerequisites that lead back, and counts the decisions that
// one request can cost.
type walker struct {
	c    *compiler
	path []*Experiment
	cost map[*Experiment]int // 0: on the path
}

// visit returns the decisions that the experiment's prerequisites lead to.
func (w *walker) visit(e *Experiment) int {
	if n, seen := w.cost[e]; seen {
		if n == 0 {
			w.cycle(e)
		}
		return n
	}
	w.cost[e] = 0
	w.path = append(w.path, e)
	n := 1
	for _, r := range e.requires {
		n = min(n+w.visit(r.experiment), MaxDecisions+2)
	}
	w.path = w.path[:len(w.path)-1]
	w.cost[e] = n
	if n > MaxDecisions+1 {
		w.c.addf(place("experiments").index(e.index).field("prerequisites"),
			"lead to more than %d decisions about one unit: require fewer experiments, or such as require less", MaxDecisions)
	}
	return n
}

func (w *walker) cycle(e *Experiment) {
	var names []string
	for i := len(w.path) - 1; i >= 0; i-- {
		names = append([]string{w.path[i].name}, names...)
		if w.path[i] == e {
			break
		}
	}
	w.c.addf(place("experiments").index(e.index).field("prerequisites"), "lead back to the experiment itself: %s",
		strings.Join(append(names, e.name), " > "))
}
