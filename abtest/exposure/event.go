package exposure

import (
	"fmt"

	"hotpath/abtest"
)

// Via is how a unit came to be assigned.
type Via uint8

// The ways.
const (
	// Predict and Infer were answered by a model.
	Predict Via = iota
	Infer
	// Assign and Flag told the client its variant, and no model ran.
	Assign
	Flag
)

var viaNames = [...]string{"predict", "infer", "assign", "flag"}

// String is the name in the log.
func (v Via) String() string {
	if int(v) < len(viaNames) {
		return viaNames[v]
	}
	return fmt.Sprintf("via(%d)", uint8(v))
}

// Event is one answer, or failure to answer, of a request that an experiment gave
// a variant. Log.Record copies its bytes and keeps its strings, which must be what
// strings are: unchanging.
type Event struct {
	// At is when the request was answered, in nanoseconds since 1970.
	At        int64
	RequestID []byte
	// Unit is the id that was assigned, UnitName what it is of, such as user.
	Unit     []byte
	UnitName string

	Experiment string
	// Assigned is the variant that the unit belongs to, Served the one that
	// answered: another one after a fallback, empty where none did.
	Assigned, Served string
	Reason           abtest.Reason
	Bucket           uint16
	// Model and Version answered, or were to.
	Model   string
	Version int
	// Plan is the digest of the experiments, Generation the snapshot's number.
	Plan       abtest.Digest
	Generation uint64

	Via Via
	// Code is ok or the error that was answered.
	Code string
	// Degraded are the fallbacks that the answer needed, as in the answer; nil: none.
	// The log keeps four.
	Degraded []string
	// LatencyNS is the time in the pipeline, in nanoseconds; 0: no model ran.
	LatencyNS int64
	// Score is the prediction shorthand, where HasScore.
	Score    float64
	HasScore bool
	// NonFinite: the model answered a NaN or an infinity.
	NonFinite bool
}

// Feedback is an outcome that somebody reports about a unit: a click, a purchase,
// a label. Log.Feedback copies its bytes.
type Feedback struct {
	// At is when it happened, in nanoseconds since 1970.
	At int64
	// ID makes repeated reports of the outcome count once; empty: each counts.
	ID []byte
	// RequestID names the answer that led to it. Without one, UnitName and Unit
	// name the unit; UnitName empty: user.
	RequestID, UnitName, Unit []byte
	// Experiment limits it to one; empty: every experiment that the unit is in.
	Experiment []byte
	Outcome    []byte
	// Value is 1 where none was sent. It is finite.
	Value float64
}
