package router

import "hotpath/models"

// Request is one decoded request for a prediction. A codec fills it, the
// pipeline reads it, and it is used again for the next request.
//
// Its bytes belong to others: each slice points either into the body that it
// was decoded from or into Scratch. The HTTP server keeps the body unchanged
// until the handler returns, and the handler waits for the answer, so nothing
// is copied; whoever needs a value for longer (an exposure, a shadow run) must
// copy it. A Request has one owner at a time.
type Request struct {
	// UserID is who the experiments assign and whose features are read.
	UserID []byte
	// Model is the name asked for; empty means the configured default.
	Model []byte
	// RequestID is the caller's own identifier; empty means that it sent none.
	RequestID []byte
	// Features are the request-time values, in the order sent.
	Features []models.Value
	// Entities are further ids by entity name: strings, or integers as text.
	Entities []models.Value
	// Context are the attributes for targeting: scalars only.
	Context []models.Value
	// Scratch is the codec's memory for strings that had escapes in them.
	Scratch []byte
}

// What Reset keeps for the next request: enough for nearly all of them, little
// enough that a pool full of once-large requests stays small.
const (
	keepValues  = 512
	keepScratch = 16 << 10
)

// Reset empties r. It keeps the memory, unless one request made it large, and
// drops every pointer into the body.
func (r *Request) Reset() {
	r.UserID, r.Model, r.RequestID = nil, nil, nil
	r.Features = emptied(r.Features)
	r.Entities = emptied(r.Entities)
	r.Context = emptied(r.Context)
	if cap(r.Scratch) > keepScratch {
		r.Scratch = nil
	}
	r.Scratch = r.Scratch[:0]
}

func emptied(v []models.Value) []models.Value {
	if cap(v) > keepValues {
		return nil
	}
	clear(v)
	return v[:0]
}

// ContextValue finds a targeting attribute by its exact name.
func (r *Request) ContextValue(name string) (models.Value, bool) { return find(r.Context, name) }

// Entity is the id sent for an entity; nil when there is none.
func (r *Request) Entity(name string) []byte {
	v, _ := find(r.Entities, name)
	return v.Raw
}

// find looks through a list: they are short, and few names are ever asked for.
func find(values []models.Value, name string) (models.Value, bool) {
	for i := range values {
		if string(values[i].Key) == name {
			return values[i], true
		}
	}
	return models.Value{}, false
}
