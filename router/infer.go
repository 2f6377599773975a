package router

import (
	"errors"
	"strconv"
	"time"

	"hotpath/models"
	"hotpath/resilience"
	"hotpath/resilience/handoff"
)

// Infer takes a request of whole tensors through assignment and scoring. It reads
// no features: the inputs are the request's. After nil the answer is in Outputs.
//
// Where the request names a user, an entity or an attribute, and no version, the
// experiments on the model assign it to a variant as they do in Predict; the static
// answer and shadows do not apply.
func (p *Pipeline) Infer(x *Exchange) *Error {
	start := time.Now()
	x.Via = ViaInfer
	model, err := p.enter(x)
	if err != nil {
		return err
	}
	assigned, err := p.chooseLane(x, model, start)
	if err != nil {
		return err
	}
	x.Stages[StageAssign] = time.Since(start)
	err = x.infer(x.Lane)
	if err != nil && assigned != nil {
		err = p.inferFallback(x, err)
	}
	x.Lane.Metrics.observe(x, err, start)
	p.observed(x, err, start)
	if err == nil {
		p.offerTensorMirror(x)
	}
	if assigned != nil {
		assigned.metrics.assigned(x.Assignment.Reason)
	}
	return err
}

// chooseLane settles who answers: the version asked for, the variant assigned,
// or the current version. The arm is nil where no experiment decided.
func (p *Pipeline) chooseLane(x *Exchange, model *Model, start time.Time) (*arm, *Error) {
	if len(x.Tensors.Version) > 0 {
		if x.Lane = model.version(x.Tensors.Version); x.Lane == nil {
			return nil, &Error{Code: UnknownModel, Field: "version",
				Message: "model " + strconv.Quote(model.name) + " has no version or label " + quote(x.Tensors.Version[:min(len(x.Tensors.Version), shownName)]) + " loaded"}
		}
		return nil, nil
	}
	if len(x.Request.UserID) == 0 && len(x.Request.Entities) == 0 && len(x.Request.Context) == 0 {
		x.Lane = model.current
		return nil, nil
	}
	if refusal := x.checkEntities(); refusal != nil {
		return nil, refusal
	}
	return p.assign(x, model, start)
}

// infer makes one attempt at one lane.
func (x *Exchange) infer(lane *Lane) (refusal *Error) {
	if !time.Now().Before(x.Until) {
		return errDeadline
	}
	var rows int
	var err error
	if x.ordered, rows, err = lane.Signature.CheckTensors(x.Tensors.Inputs, x.ordered[:0]); err != nil {
		var field *models.FieldError
		errors.As(err, &field)
		return &Error{Code: BadRequest, Field: "inputs." + field.Field, Message: field.Message}
	}
	pass, err := lane.ScoreGuard.Enter()
	if err != nil {
		return errBreakerOpen
	}
	// Deferred, so that a panic does not keep a probe's place for ever.
	outcome := resilience.Failure
	defer func() { pass.Leave(outcome) }()
	x.dropJob()
	x.tensorJob = lane.Scorer.AcquireTensors()
	owner := x.Tensors.share()
	if err := x.tensorJob.Score(x.ordered, rows, owner, x.Until, handoff.Normal); err != nil {
		refusal, outcome = scoreError(err, lane, x.Hurried)
		if refusal == errRow {
			refusal = errTensors
		}
		return refusal
	}
	outcome = resilience.Success
	x.Stages[StageQueue], x.Stages[StageRun], x.Rows = x.tensorJob.Timing()
	if nonFiniteTensors(x.tensorJob.Outputs()) {
		x.NonFinite = true
		lane.Metrics.nonfinite.Inc()
	}
	return nil
}

// inferFallback asks the experiment's fallback variant where the assigned one's
// model failed. A fallback that takes other inputs does not help.
func (p *Pipeline) inferFallback(x *Exchange, err *Error) *Error {
	if !modelFailed(err) {
		return err
	}
	v, lane := p.fallbackVariant(x)
	if v == nil || x.infer(lane) != nil {
		return err
	}
	x.Lane, x.Variant = lane, v
	x.Degraded |= DegradedVariant
	return nil
}

// version finds a loaded version by number or label; nil when there is none.
func (m *Model) version(name []byte) *Lane {
	n, ok := m.labels[string(name)]
	if !ok {
		var err error
		if n, err = strconv.Atoi(string(name)); err != nil {
			return nil
		}
	}
	for _, l := range m.versions {
		if l.Version == n {
			return l
		}
	}
	return nil
}

// nonFiniteTensors says whether an answer holds a NaN or an infinity. It is given
// all the same, since a tensor can carry it; the count is for those who watch.
func nonFiniteTensors(tensors []models.Tensor) bool {
	for i := range tensors {
		if models.NonFiniteData(tensors[i].DType, tensors[i].Data) {
			return true
		}
	}
	return false
}
