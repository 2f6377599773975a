package abtest

import (
	"cmp"
	"slices"
)

// Place is where a request ends up: what answers it, and for which experiment.
type Place struct {
	// Experiment and Variant are empty where no experiment gives a variant.
	Experiment string `json:"experiment,omitempty"`
	Variant    string `json:"variant,omitempty"`
	// Model, Version and Label are what answers; version 0 without a label is the
	// one that the model serves by default.
	Model   string `json:"model"`
	Version int    `json:"version,omitempty"`
	Label   string `json:"label,omitempty"`
}

// Sample is one of the users that took a Flow, with the reasons before and after.
type Sample struct {
	User   string `json:"user"`
	Before Reason `json:"before"`
	After  Reason `json:"after"`
}

// Flow is how many requests went from one place to another.
type Flow struct {
	From     Place `json:"from"`
	To       Place `json:"to"`
	Requests int   `json:"requests"`
	// Samples are the first users, as many as Compare was asked for.
	Samples []Sample `json:"samples"`
}

// Moves says that the two places differ.
func (f *Flow) Moves() bool { return f.From != f.To }

// Comparison counts what a change of plans does to given requests. It is for one
// goroutine.
type Comparison struct {
	before, after *Plan
	samples       int
	requests      int
	moved         int
	flows         map[[2]Place]*Flow
}

// Compare prepares a comparison that keeps so many samples of each flow.
func Compare(before, after *Plan, samples int) *Comparison {
	return &Comparison{before: before, after: after, samples: samples, flows: map[[2]Place]*Flow{}}
}

// Add assigns a request under both plans.
func (c *Comparison) Add(model string, r *Request) {
	was, is := c.before.Assign(model, r), c.after.Assign(model, r)
	key := [2]Place{was.place(model), is.place(model)}
	f := c.flows[key]
	if f == nil {
		f = &Flow{From: key[0], To: key[1], Samples: []Sample{}}
		c.flows[key] = f
	}
	c.requests++
	if f.Moves() {
		c.moved++
	}
	f.Requests++
	if len(f.Samples) < c.samples {
		f.Samples = append(f.Samples, Sample{string(r.User), was.Reason, is.Reason})
	}
}

// Requests is how many were added.
func (c *Comparison) Requests() int { return c.requests }

// Moved is how many of the requests end up elsewhere.
func (c *Comparison) Moved() int { return c.moved }

// Flows is the matrix of counts without its zeros: those that move before those
// that stay, and the larger before the smaller.
func (c *Comparison) Flows() []Flow {
	flows := make([]Flow, 0, len(c.flows))
	for _, f := range c.flows {
		flows = append(flows, *f)
	}
	slices.SortFunc(flows, func(a, b Flow) int {
		if a.Moves() != b.Moves() {
			if a.Moves() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), a.From.compare(&b.From), a.To.compare(&b.To))
	})
	return flows
}

func (p *Place) compare(o *Place) int {
	return cmp.Or(cmp.Compare(p.Model, o.Model), cmp.Compare(p.Experiment, o.Experiment), cmp.Compare(p.Variant, o.Variant),
		cmp.Compare(p.Version, o.Version), cmp.Compare(p.Label, o.Label))
}

// place is where an assignment leads.
func (a *Assignment) place(model string) Place {
	if a.Variant == nil {
		return Place{Model: model}
	}
	v := a.Variant
	return Place{a.Experiment.name, v.name, v.model, v.version, v.label}
}
