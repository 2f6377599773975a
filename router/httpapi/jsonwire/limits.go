package jsonwire

import (
	"errors"
	"fmt"
)

// Limits bound what one request may hold. The size of the body is bounded by
// whoever reads it.
type Limits struct {
	// Depth is how many objects and arrays may be open at once, the request's
	// own object included.
	Depth int
	// Features, Entities and Context bound the members of those objects.
	Features, Entities, Context int
	// IDBytes bounds user_id, request_id, model and each entity's id.
	IDBytes int
	// KeyBytes bounds the name of a feature, an entity or an attribute.
	KeyBytes int
	// Instances bounds a batch.
	Instances int
}

// DefaultLimits are the limits that the API documents.
func DefaultLimits() Limits {
	return Limits{Depth: 32, Features: 4096, Entities: 64, Context: 256, IDBytes: 256, KeyBytes: 256, Instances: 256}
}

// minDepth is what a tensor in an instance of a batch needs: the body, the
// list, the instance, its features and one array.
const minDepth = 5

// Validate reports every limit that no request could meet.
func (l Limits) Validate() error {
	var errs []error
	check := func(name string, value, least int) {
		if value < least {
			errs = append(errs, fmt.Errorf("limit %s is %d: must be at least %d", name, value, least))
		}
	}
	check("depth", l.Depth, minDepth)
	check("features", l.Features, 1)
	check("entities", l.Entities, 1)
	check("context", l.Context, 1)
	check("id_bytes", l.IDBytes, 1)
	check("key_bytes", l.KeyBytes, 1)
	check("instances", l.Instances, 1)
	return errors.Join(errs...)
}
