package experiments

import (
	"cmp"
	"slices"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
)

// The bounds of what a preview is asked.
const (
	maxPreviewUsers = 100_000
	// maxDecisions takes some three seconds, in which nothing else can be changed: no
	// guardrail holds a variant back.
	maxDecisions   = 5_000_000
	maxSamples     = 100
	defaultSamples = 3
	maxFlows       = 1000
)

// Subjects are the requests that a preview decides about.
type Subjects struct {
	// Users are ids; without any, the sample of the traffic is taken.
	Users []string
	// Model is what the users ask for; empty: each model that an experiment is about.
	Model string
	// Entities and Context are what each user's request brings.
	Entities, Context []models.Value
	// Samples is how many users each flow names; 0: three.
	Samples int
}

// NoSamples names no users.
const NoSamples = -1

// The sources of a preview.
const (
	SourceTraffic = "traffic"
	SourceIDs     = "ids"
)

// Preview is what a change does to given requests: who moves from where to where.
type Preview struct {
	// Requests were decided under both plans; of them Moved end up elsewhere.
	Requests int `json:"requests"`
	Moved    int `json:"moved"`
	// Source is traffic or ids.
	Source string `json:"source"`
	// From and To are when the oldest and the newest request of the traffic came.
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
	// At is the time for which was decided.
	At     time.Time      `json:"at"`
	Models []ModelPreview `json:"models"`
	// Flows are those that move before those that stay, the larger first.
	Flows []abtest.Flow `json:"flows"`
	// OmittedFlows is how many more there are.
	OmittedFlows int `json:"omitted_flows,omitempty"`
}

// ModelPreview counts the requests about one model.
type ModelPreview struct {
	Model    string `json:"model"`
	Requests int    `json:"requests"`
	Moved    int    `json:"moved"`
}

// check refuses what would take too long.
func (s Subjects) check() error {
	switch {
	case len(s.Users) > maxPreviewUsers:
		return errorf(CodeBadRequest, "there are %d users, at most %d can be previewed at once", len(s.Users), maxPreviewUsers)
	case s.Samples > maxSamples:
		return errorf(CodeBadRequest, "samples is %d, at most %d users can be named of each flow", s.Samples, maxSamples)
	}
	return nil
}

// fits refuses users of whom too much is asked.
func (s Subjects) fits(before, after *abtest.Plan) error {
	if s.Model != "" || len(s.Users) == 0 {
		return nil
	}
	if n := len(modelsOf(before, after)); n*len(s.Users) > maxDecisions {
		return errorf(CodeBadRequest, "%d users and %d models are %d decisions, at most %d are made at once: name a model, or fewer users", len(s.Users), n, n*len(s.Users), maxDecisions)
	}
	return nil
}

// comparisons are one for each model that requests are about.
type comparisons struct {
	before, after *abtest.Plan
	samples       int
	byModel       map[string]*abtest.Comparison
}

func (c *comparisons) add(model string, r *abtest.Request) {
	one := c.byModel[model]
	if one == nil {
		one = abtest.Compare(c.before, c.after, c.samples)
		c.byModel[model] = one
	}
	one.Add(model, r)
}

// preview decides the same requests at the same time under both plans.
func (k *Keeper) preview(before, after *abtest.Plan, s Subjects) *Preview {
	c := &comparisons{before: before, after: after, samples: max(s.Samples, 0), byModel: map[string]*abtest.Comparison{}}
	if s.Samples == 0 {
		c.samples = defaultSamples
	}
	now := time.Now()
	p := &Preview{Source: SourceTraffic, At: now.UTC().Truncate(time.Second)}
	if len(s.Users) > 0 {
		p.Source = SourceIDs
		s.addTo(c, now)
	} else if all := k.sample.read(); len(all) > 0 {
		for i := range all {
			c.add(all[i].model, all[i].assignable(now))
		}
		p.From, p.To = new(time.Unix(0, all[0].at).UTC()), new(time.Unix(0, all[len(all)-1].at).UTC())
	}
	p.fill(c)
	return p
}

// addTo decides for every user, and about every model in question.
func (s Subjects) addTo(c *comparisons, now time.Time) {
	asked := []string{s.Model}
	if s.Model == "" {
		asked = modelsOf(c.before, c.after)
	}
	x := &router.Exchange{Request: router.Request{Entities: s.Entities, Context: s.Context}}
	for _, model := range asked {
		for _, user := range s.Users {
			c.add(model, &abtest.Request{User: []byte(user), Units: x, Attributes: x, Now: now.Unix()})
		}
	}
}

// modelsOf lists the models that experiments are about.
func modelsOf(plans ...*abtest.Plan) []string {
	var names []string
	for _, p := range plans {
		for _, e := range p.Experiments() {
			names = append(names, e.Model())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fill counts by model, and lays the flows of all models together: no two models
// share one, since a place names the model or an experiment about it.
func (p *Preview) fill(c *comparisons) {
	p.Models, p.Flows = []ModelPreview{}, []abtest.Flow{}
	for model, one := range c.byModel {
		p.Models = append(p.Models, ModelPreview{model, one.Requests(), one.Moved()})
		p.Requests += one.Requests()
		p.Moved += one.Moved()
	}
	slices.SortFunc(p.Models, func(a, b ModelPreview) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Model, b.Model))
	})
	for _, m := range p.Models {
		p.Flows = append(p.Flows, c.byModel[m.Model].Flows()...)
	}
	slices.SortStableFunc(p.Flows, func(a, b abtest.Flow) int {
		if a.Moves() != b.Moves() {
			if a.Moves() {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Requests, a.Requests)
	})
	if len(p.Flows) > maxFlows {
		p.OmittedFlows = len(p.Flows) - maxFlows
		p.Flows = p.Flows[:maxFlows]
	}
}
