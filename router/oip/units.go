package oip

import "bytes"

// The prefixes of request parameters that bring what experiments look at beside the
// user: an entity's id, and an attribute of the context.
const (
	entityPrefix  = "entity."
	contextPrefix = "context."
)

// EntityName is the entity whose id a parameter of that name brings; not ok for other
// parameters.
func EntityName(parameter []byte) (name []byte, ok bool) {
	return bytes.CutPrefix(parameter, []byte(entityPrefix))
}

// AttributeName is the attribute that a parameter of that name brings; not ok for
// other parameters.
func AttributeName(parameter []byte) (name []byte, ok bool) {
	return bytes.CutPrefix(parameter, []byte(contextPrefix))
}
