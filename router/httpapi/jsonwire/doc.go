// Package jsonwire is the JSON of POST /predict: a decoder for exactly that
// request and append functions for its answer. It deals in bytes; HTTP is
// somebody else's.
//
// # Decoding
//
// The body is read once, from left to right, without reflection and without
// allocating once a Decoder and a Request are warm. What it accepts is RFC 8259
// and nothing beside: valid UTF-8 without a byte order mark, no lone
// surrogates, no member name twice in one object however it is spelt, no bytes
// after the value, nesting up to a bound. Names are case-exact and members that
// the API does not know are refused, because a misspelt optional member would
// otherwise be ignored in silence.
//
// Values keep their JSON text: their type is known only once the model is.
//
// Two kinds of mistakes are told apart. A body that is not such JSON is
// "bad_json": nothing in it can be trusted. A body that is, but does not say
// what the API wants, is "bad_request". The difference matters to a batch: a
// syntax error refuses all of it, whereas an instance that asks for something
// wrong is refused alone and its neighbours are answered.
//
// # Cost
//
// Decoding is linear in the body whatever the body holds: member names are
// compared with one another only in objects that have few, and go to a hash set
// with a secret seed in others. The error path may allocate; a refused instance
// costs one error however much is wrong with it.
//
// # Encoding
//
// Append functions in the manner of strconv: they add to dst and return it.
// Numbers are the shortest text that reads back as the same value of the
// tensor's own type, in the notation of ECMAScript, as encoding/json has it.
// JSON has no NaN and no infinity: the functions that could meet one say so by
// ok=false.
package jsonwire
