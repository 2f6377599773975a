// Package redislink keeps a connection to Redis alive for those who read and
// write there within deadlines: the feature store and the store of sticky
// assignments.
//
// A [Link] makes the client late, since a gateway must start without Redis, heals
// its connection in the background, never under the deadline of a request, and
// paces the attempts per address. A [Pipeline] sends the commands of one worker
// under a bound of its own. Every connection is read through a guard that refuses
// replies whose announced sizes would exhaust memory.
//
// Callers do not use the client themselves. They hand their work to a fixed set
// of workers (package resilience/handoff), each with one pipeline outstanding at
// most: a stalled Redis then holds these, whatever the number of callers.
//
// Goroutines of a Link: its keeper, beside those of the client (3 to 4 per
// connection).
package redislink
