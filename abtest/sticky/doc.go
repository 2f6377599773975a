// Package sticky keeps in Redis which variant of a sticky experiment a unit was
// given first, for package router.
//
// # What is stored
//
// Key "<prefix>:<experiment>:<salt's hash>:<unit>", the middle two of which are
// [abtest.Experiment.StickyKey] and the last the unit's bytes as they are; value
// the variant's name; with a time to live. A new salt changes the key: what was
// stored under the old one is not found again and expires, so that there is no
// command to forget an experiment. To forget one unit, delete its keys: who has
// them in memory notices at the next renewal.
//
// Commands: GETRANGE and PTTL to read, SET NX PX to write, PEXPIRE to renew, each
// about one key, so that any Redis 6.2 or later does, and a cluster. (SET with NX and
// GET together would need 7.0; GET would take in whatever somebody put there.)
//
// # Nobody waits
//
// Recall looks into memory first. What it does not find there it asks of the
// readers, a fixed set of workers that send what many callers ask in one pipeline,
// and it waits no longer than Options.Budget. Without an answer the hash decides:
// the experiment is as if it were not sticky. A breaker keeps everybody from waiting
// for a Redis that does not answer. Remember puts the variant into memory and into a
// bounded queue; one writer sends it. What finds the queue full or Redis away is
// dropped and counted, and tried again when the unit comes back.
//
// # Who wins
//
// Of several gateways that give a unit a variant at the same time the first to write
// wins; the others learn of it with the answer to their write. A stored name that is
// no variant of the experiment (any more) is replaced by the unit's next assignment.
// A variant of weight 0 keeps its units: they are dealt anew while it is withdrawn,
// and have it back when it returns.
//
// Goroutines of a Store: Options.Workers readers, the writer, and those of its
// connection (package redislink).
package sticky
