package router

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/resilience"
	"hotpath/resilience/handoff"
)

// Options of a Pipeline.
type Options struct {
	// MaxInFlight bounds the requests between Begin and Finish.
	MaxInFlight int
	// FeatureBudget is the most time that the feature stage may take.
	FeatureBudget time.Duration
	// VariantFallback and StaticFallback switch these rungs of the ladder on.
	VariantFallback bool
	StaticFallback  bool
	Shadow          ShadowOptions
	// Sticky keeps what was assigned once; nil: nothing is kept.
	Sticky Sticky
	// Observer hears of every request that was assigned; nil: nobody does.
	Observer Observer
}

// Pipeline takes requests through the stages. It is safe for concurrent use.
type Pipeline struct {
	options   Options
	metrics   *Metrics
	snapshot  atomic.Pointer[Snapshot]
	inFlight  atomic.Int64
	draining  atomic.Bool
	exchanges exchanges
	shadows   *shadows
	mirrors   atomic.Pointer[mirrors] // nil while there are none
}

// New makes a pipeline without a snapshot: it answers not_ready until Swap. It
// starts the shadow workers, which Close ends.
func New(o Options, m *Metrics) (*Pipeline, error) {
	switch {
	case o.MaxInFlight < 1:
		return nil, errors.New("server.max_in_flight must be at least 1")
	case o.FeatureBudget <= 0:
		return nil, errors.New("features.budget must be positive")
	}
	p := &Pipeline{options: o, metrics: m}
	p.exchanges.pool.New = func() any { return &Exchange{pipeline: p} }
	p.shadows = newShadows(p, o.Shadow)
	return p, nil
}

// Begin admits a request, or refuses it before anything of it is parsed: a
// refusal must cost less than an answer. Every admitted exchange ends in Finish.
func (p *Pipeline) Begin() (*Exchange, *Error) {
	if n := p.inFlight.Add(1); n > int64(p.options.MaxInFlight) {
		p.inFlight.Add(-1)
		return nil, errOverloaded
	}
	if p.draining.Load() {
		p.inFlight.Add(-1)
		return nil, errDraining
	}
	return p.exchanges.get(), nil
}

// Refusing says why every request is refused at the moment; nil when it is not.
func (p *Pipeline) Refusing() *Error {
	switch {
	case p.draining.Load():
		return errDraining
	case p.inFlight.Load() >= int64(p.options.MaxInFlight):
		return errOverloaded
	case p.snapshot.Load() == nil:
		return errNotReady
	}
	return nil
}

// Finish ends an exchange; nothing of it may be used after.
func (p *Pipeline) Finish(x *Exchange) {
	x.dropJob()
	if x.snapshot != nil {
		x.snapshot.release()
		x.snapshot = nil
	}
	p.exchanges.put(x)
	p.inFlight.Add(-1)
}

// Predict takes the decoded request through assignment, features and scoring.
// After nil the answer is in the exchange.
func (p *Pipeline) Predict(x *Exchange) *Error {
	start := time.Now()
	model, err := p.enter(x)
	if err != nil {
		return err
	}
	if err := x.checkEntities(); err != nil {
		return err
	}
	assigned, err := p.assign(x, model, start)
	if err != nil {
		return err
	}
	now := time.Now()
	x.Stages[StageAssign] = now.Sub(start)
	err = p.serve(x, x.Lane, now)
	if err != nil {
		err = p.fallBack(x, err)
	}
	p.record(x, assigned, err, start)
	return err
}

// enter gives the request the current snapshot and finds the model that it asks for.
func (p *Pipeline) enter(x *Exchange) (*Model, *Error) {
	if x.snapshot = p.acquire(); x.snapshot == nil {
		return nil, errNotReady
	}
	model := x.snapshot.model(x.Request.Model)
	if model == nil {
		return nil, x.unknownModel()
	}
	return model, nil
}

// assign lets the experiments on the model settle who answers: a variant, or else
// the current version. The arm is nil where no experiment decided.
func (p *Pipeline) assign(x *Exchange, model *Model, now time.Time) (*arm, *Error) {
	r := x.assignable(now)
	p.recall(x, model, &r)
	a := model.plan.Assign(&r)
	if a.ForcedUnknown {
		return nil, x.unknownVariant()
	}
	x.Assignment, x.Lane = a, model.current
	p.remember(x, &a)
	if a.Variant == nil {
		return nil, nil
	}
	assigned := x.snapshot.arms[a.Experiment.Index()][a.Variant.Index()]
	x.Lane, x.Variant = assigned.lane, a.Variant
	return assigned, nil
}

// serve makes one attempt at one lane: features, then score.
func (p *Pipeline) serve(x *Exchange, lane *Lane, start time.Time) *Error {
	if !start.Before(x.Until) {
		return errDeadline
	}
	if lane.In == nil {
		return errNeedsTensors
	}
	x.dropJob()
	x.job = lane.Scorer.Acquire()
	if err := p.fillFeatures(x, lane, start); err != nil {
		return err
	}
	now := time.Now()
	x.Stages[StageFeatures] = now.Sub(start)
	return x.score(lane)
}

// score asks the lane's model for the answer, under its guard.
func (x *Exchange) score(lane *Lane) (refusal *Error) {
	pass, err := lane.ScoreGuard.Enter()
	if err != nil {
		return errBreakerOpen
	}
	// Deferred, so that a panic does not keep a probe's place for ever.
	outcome := resilience.Failure
	defer func() { pass.Leave(outcome) }()
	if err = x.job.Score(x.Until, handoff.Normal); err != nil {
		refusal, outcome = scoreError(err, lane, x.Hurried)
		return refusal
	}
	// An answer that cannot be given must never look like a score; the fallbacks
	// apply. It says nothing to the breaker: one caller's values can cause it, and
	// must not take the model from everybody.
	if port := lane.Out.NonFinite(x.job.Out()); port >= 0 {
		outcome = resilience.Ignored
		x.NonFinite = true
		lane.Metrics.nonfinite.Inc()
		return nonFinite(lane, port)
	}
	outcome = resilience.Success
	x.Stages[StageQueue], x.Stages[StageRun], x.Rows = x.job.Timing()
	return nil
}

func nonFinite(lane *Lane, port int) *Error {
	return &Error{Code: Internal, Message: "the model answered NaN or an infinity in output " + strconv.Quote(lane.Out.Ports[port].Name)}
}

// scoreError says what the client hears of a failed score, and what the breaker
// does: only what the model did counts against the model. A run that was too
// slow for a hurried caller was not too slow: else anybody could open the
// breaker with deadlines of a millisecond.
func scoreError(err error, lane *Lane, hurried bool) (*Error, resilience.Outcome) {
	switch {
	case errors.Is(err, ErrUnfinished) && hurried:
		return errDeadline, resilience.Ignored
	case errors.Is(err, ErrOverloaded):
		e := *errModelOverloaded
		e.RetryAfter = lane.Scorer.RetryAfter()
		return &e, resilience.Ignored
	case errors.Is(err, ErrDeadline):
		return errDeadline, resilience.Ignored
	case errors.Is(err, ErrUnfinished):
		return errDeadline, resilience.Failure
	case errors.Is(err, ErrStuck):
		return errModelStuck, resilience.Ignored
	case errors.Is(err, ErrTimeout):
		return errModelTimeout, resilience.Failure
	case errors.Is(err, ErrRow):
		return errRow, resilience.Ignored
	case errors.Is(err, ErrClosed):
		return errModelClosed, resilience.Ignored
	}
	return errModelFailed, resilience.Failure
}

// fallBack goes down the ladder after the lane of the assigned variant failed:
// the experiment's fallback variant, then the static answer.
func (p *Pipeline) fallBack(x *Exchange, err *Error) *Error {
	if !modelFailed(err) {
		return err
	}
	if v, lane := p.fallbackVariant(x); v != nil {
		x.Degraded = 0
		if p.serve(x, lane, time.Now()) == nil {
			x.Lane, x.Variant = lane, v
			x.Degraded |= DegradedVariant
			return nil
		}
	}
	if p.options.StaticFallback && x.Lane.Static != nil {
		// The vector of an attempt that failed did not make this answer, and may
		// be another lane's.
		x.dropJob()
		x.Degraded = DegradedStatic
		return nil
	}
	return err
}

// modelFailed says whether another model may help: an overloaded model, a spent
// deadline or bad input is not a failed model and stays an error.
func modelFailed(err *Error) bool {
	switch err.Code {
	case BreakerOpen, ModelUnavailable, Internal:
		return true
	}
	return false
}

// fallbackVariant is who answers in the place of the assigned variant; nil where
// nobody does.
func (p *Pipeline) fallbackVariant(x *Exchange) (*abtest.Variant, *Lane) {
	e := x.Assignment.Experiment
	if !p.options.VariantFallback || e == nil {
		return nil, nil
	}
	v := e.Fallback()
	if v == nil || v == x.Assignment.Variant {
		return nil, nil
	}
	return v, x.snapshot.arms[e.Index()][v.Index()].lane
}

// acquire takes a hold on the current snapshot; nil before the first Swap. A
// snapshot can lose its last hold between the load and the hold, but only when
// it has just been replaced: then the next load finds its successor.
func (p *Pipeline) acquire() *Snapshot {
	for {
		s := p.snapshot.Load()
		if s == nil || s.tryHold() {
			return s
		}
	}
}

// Swap makes next the world of every request from now on. The old snapshot is
// freed by the last request that uses it; its Drained tells when.
func (p *Pipeline) Swap(next *Snapshot) (prev *Snapshot) {
	prev = p.snapshot.Swap(next)
	p.metrics.keepArms(next.plan)
	if prev != nil {
		prev.release()
	}
	return prev
}

// Drain refuses every request from now on; those admitted go on.
func (p *Pipeline) Drain() { p.draining.Store(true) }

// Draining says whether Drain was called.
func (p *Pipeline) Draining() bool { return p.draining.Load() }

// InFlight is the number of requests between Begin and Finish.
func (p *Pipeline) InFlight() int64 { return p.inFlight.Load() }

// Close ends the shadow workers and lets the last snapshot go.
func (p *Pipeline) Close() {
	p.shadows.close()
	if s := p.snapshot.Swap(nil); s != nil {
		s.release()
	}
}

func (x *Exchange) unknownModel() *Error {
	if len(x.Request.Model) == 0 {
		return &Error{Code: UnknownModel, Field: "model", Message: "the request names no model and there is no default (models.default)"}
	}
	return &Error{Code: UnknownModel, Field: "model", Message: "no model named " + quote(x.Request.Model) + " is loaded"}
}

func (x *Exchange) unknownVariant() *Error {
	return &Error{Code: BadRequest, Field: x.ForcedFrom, Message: "no experiment of the model has a variant " +
		quote(x.Forced[:min(len(x.Forced), shownForced)]) + " that answers"}
}

// shownForced is how much of an unknown variant's name an error repeats, in bytes.
const shownForced = 64

// record counts what came out, and offers the request to the shadows.
func (p *Pipeline) record(x *Exchange, assigned *arm, err *Error, start time.Time) {
	x.Lane.Metrics.observe(x, err, start)
	p.observed(x, err, start)
	if err == nil && x.Degraded&DegradedStatic == 0 {
		p.offerMirror(x)
	}
	if assigned == nil {
		return
	}
	assigned.metrics.assigned(x.Assignment.Reason)
	if err == nil && x.Degraded&DegradedStatic == 0 && len(x.Assignment.Experiment.Shadows()) > 0 {
		p.shadows.offer(x)
	}
}

// sizeOrigins gives the exchange's origins the length of a lane's vector.
func (x *Exchange) sizeOrigins(n int) []models.Origin {
	if cap(x.Origins) < n {
		x.Origins = make([]models.Origin, n)
	}
	x.Origins = x.Origins[:n]
	return x.Origins
}
