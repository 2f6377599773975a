// Package abtest decides which variant of an experiment a unit, usually a user,
// belongs to. It is pure computation: the same plan and request give the same
// answer on every machine, in every release and, by the rules below, in every
// language. Compile turns a Config into an immutable Plan; Assign reads it
// without a lock or an allocation.
//
// # Order of precedence
//
// Several experiments may be about one model. Assign goes through these steps
// and stops at the first that gives a variant:
//
//  1. Forced. The request asked for a variant and the caller let it: "variant"
//     or "experiment/variant". Whoever tests a variant wants to see it whoever
//     they are, so nothing else matters, but the experiment has to be running or
//     paused. A name that leads to no answering variant of such an experiment
//     sets Assignment.ForcedUnknown and is otherwise ignored: a transport can
//     refuse the request, since a tester who mistypes must not take the usual
//     answer for the one asked for. A shadow cannot be forced, it never answers.
//  2. Override. A running experiment, within its start and end, lists the user;
//     of several the first in the file. What is said about one user by name
//     beats chance in every experiment, also in one that stands further up.
//  3. Sticky. A running sticky experiment, within its start and end, for whose
//     unit Request.Stored has a variant that still answers somebody: a weight
//     above 0. Who is in stays in, so that what follows no longer matters.
//  4. Chance. The first experiment in the file with nothing in the way:
//     a. start and end: the time is within them;
//     b. unit: the request has the id that the experiment assigns;
//     c. holdout: neither the global one nor the layer's has the unit;
//     d. prerequisites: each experiment required gives this request, by itself
//     and by these same rules (but force), one of the variants wanted, which a
//     paused one never does;
//     e. layer: the unit's bucket in the layer is in the range;
//     f. targeting: the condition holds;
//     g. ramp: the unit's bucket on the ramp is below the share at the time.
//     The unit's bucket in the experiment then chooses the variant. If the
//     experiment is paused, its fallback variant answers instead, or the model
//     as if there were no experiment; later experiments are not asked, since the
//     unit is to be found where it was when the experiment goes on.
//
// Without a variant the model serves as if there were no experiment, and the
// reason is that of the experiment which came closest: the furthest of a to g,
// else not_running (draft, stopped, archived), else default (no experiment is
// about this model). Of a layer's experiments only the one that owns the unit's
// bucket is asked; where none does, the reason is no_unit, holdout or
// out_of_range. Explain asks each by itself.
//
// Experiments in one layer own disjoint ranges of one set of buckets, so no unit
// is in two of them, whatever their models. Buckets for different purposes come
// from independent hashes: those whom a layer, a ramp or a share lets in are
// split like all others. Experiments outside a layer do not exclude each other,
// but of one model's experiments only the first that enrols a unit counts.
//
// # Time
//
// The package knows no clock. Request.Now chooses the step of a ramp, in seconds
// since 1970: the share is that of the last step at or before it, and 0 before
// the first. The shares of a ramp only grow, and the bucket on the ramp has a
// hash of its own, so that a step lets units in and moves nobody.
//
// # Conditions
//
// A condition is a tree of all, any and not over leaves. A leaf looks at one
// attribute, or at the id of a unit, which is a string; types are not converted.
// Where it is missing every operator fails but exists: false. Strings compare as
// bytes. Versions compare as semver.org says; one or two numbers, leading zeros
// and a v in front are taken, and what is no version fails every operator.
// percent is a bucket below a share; a request without the unit fails it.
//
// The id of a unit is the user's, else the request's entity of that name, else
// the context's value of that name: a string, or an integer between -2^53 and
// 2^53 in decimal digits. An empty id is none.
//
// # Hash
//
// All arithmetic is on unsigned 64-bit integers and wraps. The unit is the bytes
// of its id after JSON unescaping (UTF-8); salts and names are UTF-8; "\0" is
// one zero byte; "+" joins texts.
//
//	fnv1a(bytes): h = 0xcbf29ce484222325; for each byte b: h = (h xor b) * 0x100000001b3
//	fmix64(h):    h ^= h >> 33; h *= 0xff51afd7ed558ccd
//	              h ^= h >> 33; h *= 0xc4ceb9fe1a85ec53; h ^= h >> 33
//	digest(text)       = fmix64(fnv1a(text))
//	bucket(key, unit)  = (fmix64(digest(key) xor digest(unit)) * 10000) >> 64   (128-bit product)
//
//	bucket in an experiment  = bucket("assign\0" + salt, unit)
//	bucket in a layer        = bucket("layer\0" + salt of the layer, unit of the layer)
//	a holdout has the unit   = bucket("holdout\0" + salt of the holdout, its unit) < share in basis points
//	percent holds            = bucket("percent\0" + salt of the condition, its unit) < share in basis points
//	the unit is on the ramp  = bucket("ramp\0" + salt, unit) < share in basis points at the time
//	a shadow scores the unit = bucket("shadow\0" + salt + "\0" + name of the shadow, unit) < sample in basis points
//
// FNV-1a and MurmurHash3's fmix64 are in the public domain and a few lines in any
// language. The unit is digested once however many experiments there are.
//
// # Slots
//
// Which variant owns which of the 10,000 buckets is fixed by a table of slots.
// It depends only on the names and weights of the answering variants whose
// weight is above 0: not on their order, the salt, or what the weights were
// before. Each variant owns exactly its weight: 12.34 percent are 1,234 slots.
//
// Consecutive intervals would be simpler, but raising the first of three
// variants would push the second into the third. No table that is a function of
// the weights can always move the least possible (for three variants, nested
// slots for each one contradict each other), so this one is built to be exact
// where it can and close elsewhere. Each variant draws for each slot a cost from
// its name, as the logarithm of an exponential variate; the table is the one of
// least total cost in which every variant has its number of slots. Without the
// exact counts that would be weighted rendezvous hashing, whose moves nothing
// that knows only the weights can better in the worst case. Two variants: a
// change of x percent moves exactly x percent, always. One variant grows or is
// new and the others shrink in proportion: it takes from each, and besides those
// only some hundredths of a percent of the users move, to keep the counts exact.
// One grows at the cost of one other while k-2 stay as they are: up to (2k-2)/k
// of the least possible.
//
//	log2(x, bits):               # x >= 1; fixed point with that many fractional bits
//	    e = floor(log2 of x); m = x << (63 - e); r = e
//	    repeat bits times:
//	        m = (m * m) >> 63                    # 128-bit product
//	        r = 2 * r
//	        if m >= 2^64: m = m >> 1; r = r + 1
//	    return r
//
//	cost(name, s):               # s = 0 .. 9999
//	    h = fmix64(digest("slot\0" + name) + s * 0x9e3779b97f4a7c15)
//	    i = h >> 48
//	    g = log2(17 * 2^32 - log2(2 * i + 1, 32), 16)
//	    return g * 2^20 + (h mod 2^20)
//
//	slots(variants):             # sorted by the bytes of the name; n = weight in basis points > 0
//	    for s in 0 .. 9999:
//	        owner[s] = the v with the least cost(v, s) - log2(n[v], 16) * 2^20, on a tie the first
//	    while some v owns more than n[v] slots:
//	        edge(u, v) = min over s with owner[s] = u of cost(v, s) - cost(u, s), via its first s
//	        path = the shortest path over edges from any v that owns too many
//	               to the nearest that owns too few, on a tie the first
//	        along the path each step u, v: owner[via(u, v)] = v
//	    return owner
//
// The loop keeps the table the cheapest for its counts (successive shortest
// paths), so any solver of the assignment problem finds the same table: with 20
// bits of noise in every cost, two tables do not cost the same in practice. The
// Go code starts from biases that are nearer the counts, to shorten the loop.
//
// # Control, metrics, guardrails
//
// An experiment's control is what its other variants are compared with, and where
// their units go when they are withdrawn. Metrics name the outcomes that a readout
// compares, guardrails the bounds that withdraw a variant. This package only checks
// them and hands them out: no assignment depends on them, and so they are no part
// of a plan's digest. A canary that the file leaves unguarded gets the guardrails
// of guardCanaries.
//
// # Holds
//
// A Hold is what a guardrail or an operator put on top of the file, without a
// change of the file. A held variant's slots are dealt as if it were not held, and
// then all of them are the control's: exactly its own units move, they all go to
// the control, and they come back when the hold is lifted. (A file in which the
// weight is moved to the control says nearly the same, but with three variants or
// more the table for these weights moves some of the others' units too.) An offline
// job takes the file's own table and reads the control for what is held.
//
// Everything else follows from the weight being 0: a stored sticky assignment to a
// held variant is not valid, experiments that require the variant lose its units,
// and who is listed for it or forces it still gets it. A fallback that is held is
// the control instead.
//
// testdata/vectors.json holds vectors for all of this. testdata/reference.py is a
// second implementation that an offline job may take as it is, and
// testdata/assign.sql has the hashes, layers, holdouts and ramps in SQL.
package abtest
