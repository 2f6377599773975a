// Package jsonscan reads JSON from left to right, once, for decoders that know
// what they expect: jsonwire and oipwire. It accepts RFC 8259 and nothing beside:
// valid UTF-8 without a byte order mark, no lone surrogates, no member name twice
// in one object however it is spelt, no bytes after the value, nesting up to a
// bound.
//
// Its cost is linear in the body whatever the body holds: member names are
// compared with one another only in objects that have few, and go to a hash set
// with a secret seed in others. Nothing is allocated once a Scanner is warm,
// apart from errors.
package jsonscan
