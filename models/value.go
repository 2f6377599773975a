package models

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	KindNull Kind = iota
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

var kindNames = [...]string{"null", "a bool", "a number", "a string", "an array", "an object"}

// String names the kind as an error message would: "a number".
func (k Kind) String() string { return kindNames[k] }

// Value is one member of a JSON object of the request, already checked for
// syntax but not yet converted, since its type is known only once the model is.
// Its bytes belong to the request and die with it.
type Value struct {
	// Key is the member's name, unescaped.
	Key  []byte
	Kind Kind
	// Raw is the unescaped content of a string, otherwise the JSON text: a
	// number's digits, "true", or a whole array with its brackets.
	Raw []byte
}

// FieldError is bad input that the caller can mend: it names the field.
type FieldError struct {
	Field   string
	Message string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}
