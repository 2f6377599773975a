package router

import (
	"sync"
	"time"

	"hotpath/abtest"
	"hotpath/models"
)

// Stage is a part of a request's way that is timed.
type Stage uint8

// The stages. Queue and Run are the two halves of scoring.
const (
	StageDecode Stage = iota
	StageAssign
	StageFeatures
	StageQueue
	StageRun
	StageEncode
	NumStages
)

var stageNames = [NumStages]string{"decode", "assign", "features", "queue", "run", "encode"}

// String is the stage's name in metrics and in ?explain=true.
func (s Stage) String() string { return stageNames[s] }

// Degraded is a set of the fallbacks that an answer needed.
type Degraded uint8

// The fallbacks, each visible in the answer.
const (
	// DegradedFeatures: the feature store did not answer; copies or defaults were scored.
	DegradedFeatures Degraded = 1 << iota
	// DegradedVariant: the assigned variant's model failed; the experiment's fallback variant answered.
	DegradedVariant
	// DegradedStatic: no model could answer; this is the configured static answer.
	DegradedStatic
)

const numDegraded = 3

var degradedNames = [numDegraded]string{"features", "fallback_variant", "static_answer"}

// Each calls f with the name of every fallback in the set.
func (d Degraded) Each(f func(name string)) {
	for i, name := range degradedNames {
		if d&(1<<i) != 0 {
			f(name)
		}
	}
}

// Names lists the fallbacks of the set. The slice is shared: read it only.
func (d Degraded) Names() []string { return degradedSets[d&(1<<numDegraded-1)] }

// degradedSets are the names of each set.
var degradedSets = func() (sets [1 << numDegraded][]string) {
	for d := range sets {
		Degraded(d).Each(func(name string) { sets[d] = append(sets[d], name) })
	}
	return sets
}()

// Tensors is the part of a request that brings its inputs as whole tensors, as
// the Open Inference Protocol does. Model, RequestID and UserID stand in Request.
type Tensors struct {
	// Version asked for, a number or a label; empty: the current one, or the one
	// that the experiments assign, where the request says whom or what they look at.
	Version []byte
	// Inputs in the order sent, their data checked by models.Tensor.CheckData.
	Inputs []models.Tensor
	// Owner owns what Inputs point into.
	Owner models.Owner
}

// Exchange is one request and all that is found out about it on its way. It is
// pooled; a codec takes it with Pipeline.Begin and gives it back with Finish.
type Exchange struct {
	Request Request
	// Tensors are the inputs for Infer; Predict does not look at them.
	Tensors Tensors
	// Until is the absolute deadline.
	Until time.Time
	// Hurried says that the caller asked for less time than the default: what is
	// late then need not be the downstream's fault.
	Hurried bool
	// Via is what the request is for. Predict and Infer set it, a codec does for
	// Assign.
	Via Via
	// Look says that an assignment is only looked at: it is not counted, observed or
	// kept. It is for Assign.
	Look bool
	// Forced is the variant asked for; nil unless that is allowed. ForcedFrom is
	// the header that it came in, for errors.
	Forced     []byte
	ForcedFrom string

	// Filled by Predict.
	Assignment abtest.Assignment
	// Lane is who answered; it differs from the assigned variant's after a fallback.
	Lane *Lane
	// Variant that answered; nil without an experiment.
	Variant  *abtest.Variant
	Degraded Degraded
	// Origins of the features, in the order of Lane.Features.
	Origins []models.Origin
	Stages  [NumStages]time.Duration
	// NonFinite says that a model asked on the way answered NaN or an infinity.
	NonFinite bool
	// Rows is the size of the batch that the row was scored in.
	Rows int
	// Buffer is the codec's memory for the answer, kept with the exchange.
	Buffer []byte

	job       Job
	tensorJob TensorJob
	ordered   []models.Tensor // scratch: Tensors.Inputs in the model's order
	snapshot  *Snapshot
	asked     *Model // what Assign decided about
	// considered is scratch of Considered and AssignAll.
	considered []abtest.Assignment
	ids        [][]byte
	kept       kept
	unit       []byte // memory of AssignedUnit
	pipeline   *Pipeline
}

// In is the feature vector that was scored; nil before there is one.
func (x *Exchange) In() *models.Row {
	if x.job == nil {
		return nil
	}
	return x.job.In()
}

// Out is the answer, in Lane.Out's layout. It is valid until Finish.
func (x *Exchange) Out() *models.Row {
	if x.Degraded&DegradedStatic != 0 {
		return x.Lane.Static
	}
	return x.job.Out()
}

// Score is the shorthand of a prediction that was answered; false where the model
// has none.
func (x *Exchange) Score() (float64, bool) {
	if x.Lane == nil || x.job == nil && x.Degraded&DegradedStatic == 0 {
		return 0, false
	}
	return shorthand(x.Lane, x.Out())
}

// Outputs is the answer to Infer, in the order of Lane.Signature.Outputs. It is
// valid until Finish.
func (x *Exchange) Outputs() []models.Tensor { return x.tensorJob.Outputs() }

// Attribute looks a targeting attribute up in the request's context.
func (x *Exchange) Attribute(name string) (abtest.Value, bool) { return attribute(&x.Request, name) }

// Unit looks up the id of an entity that experiments may assign.
func (x *Exchange) Unit(name string) []byte { return x.Request.Entity(name) }

// dropJob gives back the job of an attempt.
func (x *Exchange) dropJob() {
	if x.job != nil {
		x.job.Release()
		x.job = nil
	}
	if x.tensorJob != nil {
		x.tensorJob.Release()
		x.tensorJob = nil
	}
}

// reset prepares the exchange for its next use.
func (x *Exchange) reset() {
	x.Request.Reset()
	x.Tensors.reset()
	x.kept.reset()
	clear(x.ordered[:cap(x.ordered)])
	x.Until, x.Hurried = time.Time{}, false
	x.Via, x.Look, x.asked = ViaPredict, false, nil
	if len(x.considered) > 0 {
		clear(x.considered[:cap(x.considered)])
		x.considered = x.considered[:0]
	}
	x.Forced, x.ForcedFrom = nil, ""
	x.Assignment, x.Lane, x.Variant = abtest.Assignment{}, nil, nil
	x.Degraded, x.Rows, x.NonFinite = 0, 0, false
	x.Stages = [NumStages]time.Duration{}
	x.Origins = x.Origins[:0]
	clear(x.ids[:cap(x.ids)])
	if cap(x.Buffer) > keepScratch {
		x.Buffer = nil
	}
}

// reset drops what a request sent, and frees its memory unless a job took it over.
func (t *Tensors) reset() {
	if t.Owner != nil {
		t.Owner.Free()
	}
	clear(t.Inputs[:cap(t.Inputs)])
	t.Version, t.Inputs, t.Owner = nil, t.Inputs[:0], nil
}

// exchanges is the pool, one for the pipeline.
type exchanges struct{ pool sync.Pool }

func (e *exchanges) get() *Exchange { return e.pool.Get().(*Exchange) }
func (e *exchanges) put(x *Exchange) {
	x.reset()
	e.pool.Put(x)
}
