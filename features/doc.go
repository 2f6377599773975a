// Package features turns entity ids and request-time values into the input row
// of a model.
//
// A [Schema] is compiled from features.yaml, a [Store] owns the connection to
// Redis and the fetch workers, and a [View], compiled once per model version,
// knows which feature lands at which byte of the row. One request runs
//
//	view.Start(row, origins)                  defaults, nothing set
//	view.Override(values, row, origins)       request-time values
//	view.Fetch(until, ids, row, origins)      one pipeline to Redis, unset slots only
//	view.Recover(ids, row, origins)           only after Fetch failed: recent copies
//	view.Finish(origins)                      policies, metrics
//
// The row is usable after each step: what no step filled holds its declared
// default, and origins says for every feature where its value came from.
//
// # Who blocks
//
// Requests never touch the connection. They hand their ids to a fixed set of
// workers and wait for {answer, deadline}. A worker takes what is queued, sends
// it as one pipeline and waits for the replies under its own bound; it never
// has more than one pipeline outstanding. So a stalled Redis holds Workers
// goroutines, whatever the number of requests, and each request leaves at its
// own deadline.
//
// Goroutines of a Store: Workers + 1 (the keeper of the connection), beside
// those of the Redis client (3 to 4 per connection).
//
// # Replies
//
// The reply of a hash read is parsed by the requester, out of one block of
// memory: package redislink hands the array over to the client as a single string,
// which costs one allocation instead of one per field.
package features
