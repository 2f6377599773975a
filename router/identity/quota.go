package identity

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Quota bounds how often a caller may ask.
type Quota struct {
	RequestsPerSecond float64 `yaml:"requests_per_second" json:"requests_per_second" doc:"Requests a second, on average; 0: no bound."`
	Burst             int     `yaml:"burst" json:"burst,omitzero" doc:"Requests that may come at once; 0: those of a second."`
}

// maxRate keeps the time between two requests above a nanosecond.
const maxRate = 1e6

// Problem says what is wrong with the quota, and at which of its keys.
func (q Quota) Problem() (key, message string) {
	switch {
	case !(q.RequestsPerSecond >= 0 && q.RequestsPerSecond <= maxRate):
		return "requests_per_second", "is outside 0 to 1000000"
	case q.Burst < 0 || q.Burst > maxRate:
		return "burst", "is outside 0 to 1000000"
	case q.Burst > 0 && q.RequestsPerSecond == 0:
		return "burst", "is without requests_per_second"
	}
	return "", ""
}

// bucket is a token bucket in the form of the generic cell rate algorithm: instead of
// tokens it keeps the time at which it is full again, which is one word, so that
// requests of one caller on many cores need no lock.
type bucket struct {
	start    time.Time
	interval int64 // nanoseconds that one request takes
	room     int64 // nanoseconds that may be used in advance
	full     atomic.Int64
}

func newBucket(q Quota, start time.Time) *bucket {
	interval := int64(float64(time.Second) / q.RequestsPerSecond)
	burst := q.Burst
	if burst == 0 {
		burst = int(math.Ceil(q.RequestsPerSecond))
	}
	b := &bucket{start: start, interval: interval, room: int64(burst) * interval}
	b.full.Store(math.MinInt64 / 2) // a request may have come before the bucket
	return b
}

// take counts a request, or says how long until one may come.
func (b *bucket) take(now time.Time) (wait time.Duration) {
	at := int64(now.Sub(b.start))
	for {
		full := b.full.Load()
		next := max(full, at) + b.interval
		if over := next - at - b.room; over > 0 {
			return time.Duration(over)
		}
		if b.full.CompareAndSwap(full, next) {
			return 0
		}
	}
}

// idle says that a bucket is as good as a new one.
func (b *bucket) idle(now time.Time) bool { return b.full.Load() <= int64(now.Sub(b.start)) }

// quotaShards keeps callers of different names from waiting for one another.
const quotaShards = 16

// Quotas are the buckets of callers that nobody has listed: by address, or by the name
// in a token. Their number is bounded: past it a bucket that is full again makes
// room, and where there is none, newcomers share one.
type Quotas[K comparable] struct {
	quota  Quota
	each   int // buckets of a shard
	seed   maphash.Seed
	shards [quotaShards]quotaShard[K]
}

type quotaShard[K comparable] struct {
	mu      sync.Mutex
	buckets map[K]*bucket
	shared  *bucket
	swept   time.Time
}

// sweepEvery is how often a full shard is looked through for room.
const sweepEvery = time.Second

// NewQuotas makes room for a number of callers with the same quota, which is not 0.
func NewQuotas[K comparable](q Quota, entries int) *Quotas[K] {
	s := &Quotas[K]{quota: q, each: max(entries/quotaShards, 1), seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].buckets = map[K]*bucket{}
		s.shards[i].shared = newBucket(q, time.Now())
	}
	return s
}

// of is the bucket of a caller.
func (s *Quotas[K]) of(key K) *bucket { return s.at(key, time.Now()) }

func (s *Quotas[K]) at(key K, now time.Time) *bucket {
	shard := &s.shards[maphash.Comparable(s.seed, key)%quotaShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if b := shard.buckets[key]; b != nil {
		return b
	}
	if len(shard.buckets) >= s.each && now.Sub(shard.swept) >= sweepEvery {
		shard.swept = now
		for k, b := range shard.buckets {
			if b.idle(now) {
				delete(shard.buckets, k)
			}
		}
	}
	if len(shard.buckets) >= s.each {
		return shard.shared
	}
	b := newBucket(s.quota, now)
	shard.buckets[key] = b
	return b
}
