package router

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"hotpath/models"
	"hotpath/resilience"
)

// fillFeatures puts the feature vector together in the job's row: defaults, the
// request's own values, then what the store has. A store that does not answer
// degrades the vector to recent copies and then to defaults, or, where the model
// requires its features, fails the request instead of scoring a default.
func (p *Pipeline) fillFeatures(x *Exchange, lane *Lane, start time.Time) *Error {
	row, origins := x.job.In(), x.sizeOrigins(lane.View.Len())
	lane.View.Start(row, origins)
	if err := lane.View.Override(x.Request.Features, row, origins); err != nil {
		return badFeatures(err)
	}
	if lane.View.NeedsStore(origins) {
		x.entityIDs(lane.View.Entities())
		if err := p.fetch(x, lane, start); err != nil {
			lane.View.Recover(x.ids, row, origins)
			if lane.FeaturesRequired && slices.Contains(origins, models.OriginUnavailable) {
				return errFeatures
			}
			x.Degraded |= DegradedFeatures
		}
	}
	return badFeatures(lane.View.Finish(origins))
}

// fetch reads the store under its guard, once more if the connection broke and
// the retry budget allows.
func (p *Pipeline) fetch(x *Exchange, lane *Lane, start time.Time) error {
	until, ours := start.Add(p.options.FeatureBudget), true
	if x.Until.Before(until) {
		until, ours = x.Until, false
	}
	err := p.fetchOnce(x, lane, until, ours)
	if !errors.Is(err, ErrReset) || time.Until(until) < p.options.FeatureBudget/2 {
		return err
	}
	retries := lane.FeatureGuard.Retries()
	if !retries.TryAcquirePermit() {
		return err
	}
	defer retries.ReleasePermit()
	return p.fetchOnce(x, lane, until, ours)
}

// fetchOnce makes one guarded read. ours says that the deadline is the stage's
// budget: a store slower than that is failing, while one slower than a caller's
// own short deadline need not be.
func (p *Pipeline) fetchOnce(x *Exchange, lane *Lane, until time.Time, ours bool) error {
	pass, err := lane.FeatureGuard.Enter()
	if err != nil {
		return err
	}
	// Deferred, so that a panic does not keep a probe's place for ever.
	outcome := resilience.Failure
	defer func() { pass.Leave(outcome) }()
	err = lane.View.Fetch(until, x.ids, x.job.In(), x.Origins)
	switch {
	case err == nil:
		outcome = resilience.Success
	case errors.Is(err, ErrOverloaded), errors.Is(err, ErrDeadline) && !ours:
		outcome = resilience.Ignored
	}
	return err
}

// entityIDs resolves the ids that the view reads: the entity named user is the
// request's user, the others are named in the request's entities.
func (x *Exchange) entityIDs(entities []string) {
	x.ids = x.ids[:0]
	for _, name := range entities {
		id := x.Request.UserID
		if name != userEntity {
			id = x.Request.Entity(name)
		}
		x.ids = append(x.ids, id)
	}
}

// userEntity is the entity whose id is the request's user_id.
const userEntity = "user"

// checkEntities refuses ids that nothing reads: a misspelt entity would be scored
// with defaults.
func (x *Exchange) checkEntities() *Error {
	for i := range x.Request.Entities {
		name := x.Request.Entities[i].Key
		switch {
		case string(name) == userEntity:
			return &Error{Code: BadFeatures, Field: "entities." + userEntity, Message: "is the request's user_id; leave it out"}
		case !x.snapshot.entities[string(name)]:
			return &Error{Code: BadFeatures, Field: "entities." + string(name[:min(len(name), shownName)]), Message: "no model reads features of an entity of this name"}
		}
	}
	return nil
}

// shownName is how much of a caller's name an error repeats, in bytes.
const shownName = 64

// badFeatures turns a stage's complaint about the vector into an answer: what the
// caller can mend is a bad feature; otherwise a feature that has no default is
// missing because the store does not answer.
func badFeatures(err error) *Error {
	if err == nil {
		return nil
	}
	// Not errors.As: a store that does not answer may wrap the field it left open.
	if f, ok := err.(*models.FieldError); ok {
		return &Error{Code: BadFeatures, Field: f.Field, Message: f.Message}
	}
	return errFeatures
}

func quote(b []byte) string { return strconv.Quote(string(b)) }
