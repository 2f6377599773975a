package features

import (
	"hash/fnv"
	"strings"
	"time"

	"hotpath/models"
)

// View knows how the features of one model version fill its input row. It is
// immutable and shared by all requests; the rows and origins that it works on
// belong to one request each.
type View struct {
	store    *Store
	slots    []slot
	plans    []plan
	names    map[string]int // name, qualified or bare → first slot, or ambiguous
	template models.Row     // every default
	entities []string
}

// ambiguous marks a bare name that two entities share.
const ambiguous = -1

// slot is one feature's place in the row.
type slot struct {
	name  string // qualified
	field string // as errors name it: "features." + name
	kind  kind
	dtype models.DType
	port  int
	elem  int   // first element within the port's row
	width int   // elements
	shape []int // of a JSON array that fills it
	size  int   // bytes of one element; 1 for strings
	off   int   // of the first element: in Row.Data, or in Row.Strings

	plan       int // the entity read that fills it; -1 = request-only
	same       int // next slot that the same stored field fills; -1 ends
	next       int // next slot of the same name; -1 ends
	hasDefault bool
	canSend    bool // a request may send it
	failOn     policies
	maxAge     time.Duration
}

// plan is the read of one entity: one HMGET.
type plan struct {
	entity *entity
	// fields of the HMGET; when stamped, the first is the timestamp.
	fields  []string
	stamped bool
	first   []int // by field: the first slot that it fills; -1 for the timestamp
	slots   []int // all slots that it fills
	// hash identifies entity and fields, so that versions of a model that read
	// the same fields share recent copies.
	hash uint64
}

// FeatureInfo describes feature i of a view.
type FeatureInfo struct {
	// Name is qualified for stored features: user.age.
	Name string
	// Entity is empty for a request-only feature.
	Entity string
	// Port and Element say where its first element lies, Width how many follow.
	Port, Element, Width int
	DType                models.DType
}

// Len is the number of features, and of origins that a request needs.
func (v *View) Len() int { return len(v.slots) }

// Entities are those that the view reads, in the order in which Fetch takes ids.
// The caller must not change it.
func (v *View) Entities() []string { return v.entities }

// Feature describes feature i. Its values are in the row, from Element of Port on.
func (v *View) Feature(i int) FeatureInfo {
	s := &v.slots[i]
	info := FeatureInfo{Name: s.name, Port: s.port, Element: s.elem, Width: s.width, DType: s.dtype}
	if s.plan >= 0 {
		info.Entity = v.plans[s.plan].entity.name
	}
	return info
}

// Start fills the row with every default and marks every feature unset.
func (v *View) Start(row *models.Row, origins []models.Origin) {
	row.CopyFrom(&v.template)
	clear(origins)
}

// NeedsStore says whether any feature is left that the store could fill.
func (v *View) NeedsStore(origins []models.Origin) bool {
	for i := range v.slots {
		if origins[i] == models.OriginUnset && v.slots[i].plan >= 0 {
			return true
		}
	}
	return false
}

// Finish ends the vector: it gives the features that nothing filled their
// default's origin, counts where values came from, and applies the policies.
//
// A *models.FieldError (422) names the first feature whose policy is error, or
// the first request-only feature without default that was not sent. An
// ErrUnavailable names a feature that has no default while the store is away.
func (v *View) Finish(origins []models.Origin) error {
	var counts [models.NumOrigins]int
	var err error
	for i := range v.slots {
		s := &v.slots[i]
		o := origins[i]
		if o == models.OriginUnset {
			o = s.unfilled()
			origins[i] = o
		}
		counts[o]++
		if err == nil && o.Defaulted() {
			err = s.judge(o)
		}
	}
	for o, n := range counts {
		if n > 0 {
			v.store.metrics.values[o].Add(float64(n))
		}
	}
	return err
}

// unfilled is the origin of a feature that nothing has filled: of one that the
// store should have had, or of one that only requests bring.
func (s *slot) unfilled() models.Origin {
	switch {
	case s.plan >= 0:
		return models.OriginUnavailable
	case s.hasDefault:
		return models.OriginDefault
	}
	return models.OriginMissing
}

// judge applies the policy for a default's origin.
func (s *slot) judge(o models.Origin) error {
	var message string
	switch {
	case o == models.OriginMissing && s.plan < 0:
		message = "is required: send it in features"
	case o == models.OriginMissing && s.failOn&failMissing != 0:
		message = "is not in the store (on_missing: error)"
	case o == models.OriginStale && s.failOn&failStale != 0:
		message = "is older in the store than its max_age of " + s.maxAge.String() + " (on_stale: error)"
	case o == models.OriginInvalid && s.failOn&failInvalid != 0:
		message = "has an invalid value in the store (on_invalid: error)"
	case o == models.OriginUnavailable && !s.hasDefault:
		return &fetchError{ErrUnavailable, &models.FieldError{Field: s.field, Message: "has no default"}}
	default:
		return nil
	}
	return &models.FieldError{Field: s.field, Message: message}
}

// restore gives a slot its default back after a value was refused half way.
func (v *View) restore(s *slot, row *models.Row) {
	if s.kind == kindString {
		for e := range s.width {
			row.SetString(s.off+e, []byte(v.template.StringAt(s.off+e)))
		}
		return
	}
	n := s.width * s.size
	copy(row.Data[s.off:s.off+n], v.template.Data[s.off:])
}

// seal computes the hash of a plan when its fields are complete.
func (p *plan) seal() {
	h := fnv.New64a()
	h.Write([]byte(p.entity.prefix + "\x00" + p.entity.suffix + "\x00" + strings.Join(p.fields, "\x00")))
	p.hash = h.Sum64()
}
