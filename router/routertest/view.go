package routertest

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"hotpath/models"
)

// Layout is the input and the output of every fake model: the runner gives its
// input back, so an answer shows which version made it and of what.
var layoutPorts = []models.Port{
	{Name: "id", DType: models.Int64},
	{Name: "version", DType: models.Int64},
	{Name: "x", DType: models.Float64, Shape: []int{2}},
}

// Layout makes the layout of a fake model's rows, in and out.
func Layout() *models.Layout { return models.NewLayout(layoutPorts) }

// The features of a FakeView, in its order. id and amount come with the request;
// age is the user's and score the merchant's, in the store.
const (
	featureID = iota
	featureAge
	featureScore
	numFeatures
)

var featureNames = [numFeatures]string{"id", "user.age", "merchant.score"}

// entityOf is the entity of each feature; empty for one of the request's.
var entityOf = [numFeatures]string{featureAge: "user", featureScore: "merchant"}

// FakeView stands in for a view of package features. Its store knows every
// entity: a stored feature is the length of the entity's id. The fields are set
// before the first use.
type FakeView struct {
	// Version is written into every row.
	Version int
	// OnFetch, if set, is called by each Fetch; its error is Fetch's.
	OnFetch func(until time.Time, ids [][]byte) error
	// OnFinish, if set, is called by each Finish; its error is Finish's.
	OnFinish func() error
	// Trace, if set, is told of every call by the method's name.
	Trace func(call string)
	// Copies gives every stored feature a recent copy: 99.
	Copies bool
	// RequestOnly leaves the store out.
	RequestOnly bool

	layout   *models.Layout
	entities []string
}

func (v *FakeView) trace(call string) {
	if v.Trace != nil {
		v.Trace(call)
	}
}

// Len is the number of features.
func (v *FakeView) Len() int { return numFeatures }

// Entities are those of the stored features.
func (v *FakeView) Entities() []string { return v.entities }

// Start writes the version and the defaults: -1.
func (v *FakeView) Start(row *models.Row, origins []models.Origin) {
	v.trace("start")
	row.PutInt64(v.layout.Offset[1], int64(v.Version))
	for f := range numFeatures {
		v.put(row, f, -1)
		origins[f] = models.OriginUnset
	}
}

func (v *FakeView) put(row *models.Row, feature int, value float64) {
	if feature == featureID {
		row.PutInt64(v.layout.Offset[0], int64(value))
		return
	}
	row.PutFloat64(v.layout.Offset[2]+8*(feature-featureAge), value)
}

// Override takes numbers only, and knows a stored feature by its short name too.
func (v *FakeView) Override(values []models.Value, row *models.Row, origins []models.Origin) error {
	v.trace("override")
	for _, value := range values {
		name := string(value.Key)
		f := slices.IndexFunc(featureNames[:], func(full string) bool { return full == name || full == "user."+name || full == "merchant."+name })
		if f < 0 {
			return &models.FieldError{Field: "features." + name, Message: "is not a feature of this model"}
		}
		n, err := strconv.ParseFloat(string(value.Raw), 64)
		if value.Kind != models.KindNumber || err != nil {
			return &models.FieldError{Field: "features." + name, Message: "must be a number, got " + value.Kind.String()}
		}
		v.put(row, f, n)
		origins[f] = models.OriginRequest
	}
	return nil
}

// NeedsStore says whether a stored feature is unset.
func (v *FakeView) NeedsStore(origins []models.Origin) bool {
	v.trace("needs")
	return !v.RequestOnly && (origins[featureAge] == models.OriginUnset || origins[featureScore] == models.OriginUnset)
}

// Fetch fills in the stored features of the entities that have an id.
func (v *FakeView) Fetch(until time.Time, ids [][]byte, row *models.Row, origins []models.Origin) error {
	v.trace("fetch")
	if v.OnFetch != nil {
		if err := v.OnFetch(until, ids); err != nil {
			return err
		}
	}
	for i, f := range []int{featureAge, featureScore} {
		if origins[f] == models.OriginUnset && ids[i] != nil {
			v.put(row, f, float64(len(ids[i])))
			origins[f] = models.OriginStore
		}
	}
	return nil
}

// Recover marks what is unset as a copy, or as the default of a store that did
// not answer.
func (v *FakeView) Recover(_ [][]byte, row *models.Row, origins []models.Origin) (copies int) {
	v.trace("recover")
	for f := range origins {
		switch {
		case origins[f] != models.OriginUnset || entityOf[f] == "":
		case v.Copies:
			v.put(row, f, 99)
			origins[f] = models.OriginCopy
			copies++
		default:
			origins[f] = models.OriginUnavailable
		}
	}
	return copies
}

// Finish marks what is unset as missing.
func (v *FakeView) Finish(origins []models.Origin) error {
	v.trace("finish")
	if v.OnFinish != nil {
		if err := v.OnFinish(); err != nil {
			return err
		}
	}
	for f := range origins {
		if origins[f] == models.OriginUnset {
			origins[f] = models.OriginMissing
		}
	}
	return nil
}

// Trace collects calls.
type Trace struct {
	mu    sync.Mutex
	calls []string
}

// Add is a FakeView's Trace.
func (t *Trace) Add(call string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, call)
}

// Take gives the calls so far and forgets them.
func (t *Trace) Take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	calls := t.calls
	t.calls = nil
	return calls
}
