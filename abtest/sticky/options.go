package sticky

import (
	"errors"
	"fmt"
	"time"

	"hotpath/resilience"
	"hotpath/resilience/redislink"
)

// Options of a Store. DefaultOptions gives every default; Validate names every
// value that is out of range.
type Options struct {
	Redis redislink.Options
	// Prefix of the keys.
	Prefix string
	// TTL of what is stored. It is renewed when it is read, at most once in a tenth
	// of it.
	TTL time.Duration
	// Budget is the most time that Recall waits for Redis.
	Budget time.Duration
	// Entries kept in memory; the least recently used go first.
	Entries int
	// AbsentFor is how long memory keeps that nothing is stored for a unit.
	AbsentFor time.Duration

	// Workers read; each has at most one pipeline outstanding.
	Workers int
	// MaxBatch is the most units that share one pipeline.
	MaxBatch int
	// Queue is how many units may wait for a reader; more are not asked about.
	Queue int
	// Writes is how many units may wait to be written; more are dropped.
	Writes int
}

// DefaultOptions are those of a local Redis.
func DefaultOptions() Options {
	return Options{
		Redis: redislink.DefaultOptions(), Prefix: "hotpath:sticky", TTL: 30 * 24 * time.Hour, Budget: 5 * time.Millisecond,
		Entries: 100_000, AbsentFor: 5 * time.Second, Workers: 2, MaxBatch: 128, Queue: 4096, Writes: 8192,
	}
}

// GuardOptions suit the guard of a Store with default options.
func GuardOptions() resilience.Options {
	return resilience.Options{FailureRatio: 0.5, MinResults: 20, Window: time.Second, OpenFor: time.Second, Probes: 3, MaxConcurrent: 1024}
}

const (
	maxPrefix = 128
	// maxUnit: longer ids are not stored, in bytes.
	maxUnit = 512
)

// Validate reports every option that is out of range.
func (o Options) Validate() error {
	errs := []error{o.Redis.Validate()}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Prefix == "" || len(o.Prefix) > maxPrefix {
		bad("prefix: %q is not of 1 to %d bytes", o.Prefix, maxPrefix)
	}
	for _, n := range []struct {
		name             string
		value, low, high int
	}{
		{"entries", o.Entries, cacheShards, 100_000_000}, {"workers", o.Workers, 1, 64},
		{"max_batch", o.MaxBatch, 1, 4096}, {"queue", o.Queue, 1, 1 << 20}, {"writes", o.Writes, 1, 1 << 20},
	} {
		if n.value < n.low || n.value > n.high {
			bad("%s: %d is not in %d..%d", n.name, n.value, n.low, n.high)
		}
	}
	for _, d := range []struct {
		name             string
		value, low, high time.Duration
	}{
		{"ttl", o.TTL, time.Second, 10 * 365 * 24 * time.Hour}, {"budget", o.Budget, 100 * time.Microsecond, time.Second},
		{"absent_for", o.AbsentFor, 10 * time.Millisecond, time.Hour},
	} {
		if d.value < d.low || d.value > d.high {
			bad("%s: %s is not in %s..%s", d.name, d.value, d.low, d.high)
		}
	}
	return errors.Join(errs...)
}
