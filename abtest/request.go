package abtest

import "encoding/json"

// Kind is the type of an attribute's value.
type Kind uint8

// The types of attributes. The zero Kind equals nothing.
const (
	String Kind = iota + 1
	Number
	Bool
)

// Value is an attribute's value; Kind says which field holds it.
type Value struct {
	Kind Kind
	// Str belongs to the request and is only read during Assign.
	Str  []byte
	Num  float64
	Bool bool
}

// JSONValue reads a string, a number or a boolean of JSON; not ok for anything else.
func JSONValue(text []byte) (v Value, ok bool) {
	var x any
	if json.Unmarshal(text, &x) != nil {
		return Value{}, false
	}
	switch x := x.(type) {
	case string:
		return Value{Kind: String, Str: []byte(x)}, true
	case float64:
		return Value{Kind: Number, Num: x}, true
	case bool:
		return Value{Kind: Bool, Bool: x}, true
	}
	return Value{}, false
}

// Attributes is the context of a request as Assign sees it. Nil has none.
type Attributes interface {
	// Attribute returns the value and whether there is one.
	Attribute(name string) (Value, bool)
}

// Units are the ids that a request brings beside the user's.
type Units interface {
	// Unit returns the id of an entity; empty where the request has none.
	Unit(name string) []byte
}

// Stored is what was put by for the units of this request when they were first
// assigned to sticky experiments. Whoever implements it has read it before: it
// must not block, and need not check what it hands out.
type Stored interface {
	// Variant names the variant put by for the unit under e.StickyKey(); empty
	// where there is none.
	Variant(e *Experiment) []byte
}

// Request is everything beside the plan that an assignment depends on. Assign
// only reads it and keeps nothing of it.
type Request struct {
	// User is the user's id; empty: the request has no user.
	User []byte
	// Units are further ids; may be nil.
	Units Units
	// Attributes are the context; may be nil.
	Attributes Attributes
	// Forced asks for a variant, as "variant" or "experiment/variant"; empty: for
	// none. Set it only for a caller who may force.
	Forced []byte
	// Stored has earlier assignments to sticky experiments; may be nil.
	Stored Stored
	// Now is the time in seconds since 1970. It chooses the step of a ramp and
	// says whether an experiment has started, so a coarse clock will do.
	Now int64
}
