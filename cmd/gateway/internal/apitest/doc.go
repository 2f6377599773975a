// Package apitest holds docs/openapi.yaml against the handlers of both ports:
// what they answer must be what the document says, and the document must say all
// that they answer. It has tests only.
package apitest
