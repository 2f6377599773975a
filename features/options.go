package features

import (
	"errors"
	"fmt"
	"time"

	"hotpath/resilience/redislink"
)

// The ways to reach Redis.
const (
	Standalone = redislink.Standalone
	Sentinel   = redislink.Sentinel
	Cluster    = redislink.Cluster
)

// Options of a Store. DefaultOptions gives every default; Validate names every
// value that is out of range.
type Options struct {
	redislink.Options

	// Workers fetch, each with at most one pipeline outstanding.
	Workers int
	// MaxBatch is the most requests that share one pipeline.
	MaxBatch int
	// Queue is how many requests may wait for a worker; more are refused.
	Queue int

	// MaxValueBytes: longer stored values are invalid.
	MaxValueBytes int
	// Copies are used while the store does not answer.
	Copies Copies
}

// TLS of the connections to Redis and to the sentinels.
type TLS = redislink.TLS

// Copies bounds the recent copies kept in memory.
type Copies struct {
	// Entries are entity reads; the least recently used goes first; 0: none.
	Entries int
	// MaxAge: older copies are not used.
	MaxAge time.Duration
	// Refresh: a copy younger than this is not replaced.
	Refresh time.Duration
}

// DefaultOptions are those of the test profile and of a local Redis.
//
// Of a Redis that takes most of the budget, as one in another zone does, each
// worker keeps those waiting who come while all are busy: with 4 of them, 15 ms in
// a budget of 20 ms lost nearly every answer at 1,000 requests a second. More cost
// nothing where Redis is near.
func DefaultOptions() Options {
	return Options{
		Options: redislink.DefaultOptions(),
		Workers: 16, MaxBatch: 128, Queue: 1024, MaxValueBytes: 64 << 10,
		Copies: Copies{Entries: 10_000, MaxAge: 10 * time.Minute, Refresh: time.Second},
	}
}

// Validate reports every option that is out of range.
func (o Options) Validate() error {
	errs := []error{o.Options.Validate()}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, n := range []struct {
		name       string
		value, low int
		high       int
	}{
		{"workers", o.Workers, 1, 64}, {"max_batch", o.MaxBatch, 1, 4096}, {"queue", o.Queue, 1, 1 << 20},
		{"max_value_bytes", o.MaxValueBytes, 64, 16 << 20}, {"recent_copies.entries", o.Copies.Entries, 0, 10_000_000},
	} {
		if n.value < n.low || n.value > n.high {
			bad("%s: %d is not in %d..%d", n.name, n.value, n.low, n.high)
		}
	}
	if o.Copies.Entries > 0 && (o.Copies.MaxAge <= 0 || o.Copies.Refresh <= 0) {
		bad("recent_copies: max_age and refresh must be positive, or entries 0 to keep none")
	}
	return errors.Join(errs...)
}

// link are the options of the connection.
func (o Options) link() redislink.Options {
	o.WrapArrays = true
	return o.Options
}
