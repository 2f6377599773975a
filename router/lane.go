package router

import (
	"sync/atomic"

	"hotpath/models"
	"hotpath/resilience"
)

// Lane is the way of a request through one model version: where its features
// come from, who scores it, and the guards before both. It is immutable and
// shared by the snapshots that serve the version; the last one closes it.
type Lane struct {
	Model   string
	Version int
	// Signature is what the model takes and gives.
	Signature models.Signature
	// In and Out are the layouts of the model's rows; nil where a row has no fixed
	// layout. Such a model answers requests of whole tensors alone.
	In, Out *models.Layout
	// View fills the input rows; nil where there is no layout.
	View View
	// Features describe the vector for ?explain=true, in the view's order.
	Features []Feature
	// FeaturesRequired answers 503 where the store does not answer and there is no
	// recent copy, instead of scoring a default.
	FeaturesRequired bool
	// SameInputs identifies what fills the input row: lanes of equal value fill
	// it alike, so that a shadow can take over a row that is ready.
	SameInputs string

	Scorer Scorer
	// FeatureGuard is nil for a model that reads nothing from the store.
	FeatureGuard *resilience.Guard
	ScoreGuard   *resilience.Guard

	// Prediction is the output answered as the shorthand; Port is -1 for none.
	Prediction Prediction
	// Static is the answer of last resort; nil for none.
	Static *models.Row

	Metrics *LaneMetrics
	// Close ends the lane's scorer and frees its model. It is called once, on a
	// goroutine of its own, when nothing uses the lane any more.
	Close func()

	holds atomic.Int32
}

// Feature is one feature of a vector, as shown to a caller.
type Feature struct {
	Name string
	// Port, Element and Width say where it lies in the input row.
	Port, Element, Width int
}

// Prediction says which element of which output is the shorthand.
type Prediction struct{ Port, Element int }

// Hold adds a holder. A new lane has none; the snapshots that use it hold it,
// and whoever made it should, until a snapshot does.
func (l *Lane) Hold() { l.holds.Add(1) }

// Release gives up one hold; the last one closes the lane in the background,
// since destroying a session can take long.
func (l *Lane) Release() {
	if l.holds.Add(-1) == 0 {
		go l.Close()
	}
}
