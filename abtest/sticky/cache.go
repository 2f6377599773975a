package sticky

import (
	"hash/maphash"
	"sync"
	"unique"
)

// cacheShards spread the entries, so that requests seldom meet on a lock, which is
// held for a map access and a few words.
const cacheShards = 32

// state is what memory knows of a unit of an experiment.
type state uint8

const (
	// unread: nothing.
	unread state = iota
	// absent: Redis has nothing.
	absent
	// pending: the unit was given a variant here, which is not stored yet.
	pending
	// stored: Redis has the variant.
	stored
	// unknown: Redis has something that is no variant of the experiment.
	unknown
	// foreign: Redis has a key of another type there, which is not ours to touch.
	foreign
)

// moment is a time in nanoseconds since the store was opened.
type moment int64

// fact is what is known until a moment. In a pending and in a stored fact there
// is a name, and from due on Redis is to be told of it: written, or renewed.
type fact struct {
	state      state
	name       unique.Handle[string]
	until, due moment
}

// cacheKey stands for an experiment and a unit: 128 bits of a hash that nobody
// outside can aim at, so that entries need not hold the ids.
type cacheKey struct{ low, high uint64 }

// cache is bounded memory of facts. Each shard is a clock: the hand goes round and
// evicts what was not used since it came by.
type cache struct {
	seeds  [4]maphash.Seed
	limit  int // entries per shard
	shards [cacheShards]shard
}

type shard struct {
	mu      sync.Mutex
	index   map[cacheKey]uint32 // into entries
	entries []entry
	hand    int
}

type entry struct {
	key  cacheKey
	used bool
	fact
}

func newCache(entries int) *cache {
	c := &cache{limit: entries / cacheShards}
	for i := range c.seeds {
		c.seeds[i] = maphash.MakeSeed()
	}
	for i := range c.shards {
		c.shards[i].index = map[cacheKey]uint32{}
	}
	return c
}

func (c *cache) key(stickyKey string, unit []byte) cacheKey {
	return cacheKey{maphash.String(c.seeds[0], stickyKey) ^ maphash.Bytes(c.seeds[1], unit),
		maphash.String(c.seeds[2], stickyKey) ^ maphash.Bytes(c.seeds[3], unit)}
}

func (c *cache) shard(k cacheKey) *shard { return &c.shards[k.low%cacheShards] }

// get finds what is known now. Where Redis is to be told of it, due is true for one
// caller, and again only after the pause.
func (c *cache) get(k cacheKey, now, pause moment) (f fact, due bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.live(k, now)
	if e == nil {
		return fact{}, false
	}
	e.used = true
	if e.name != (unique.Handle[string]{}) && now >= e.due {
		e.due, due = now+pause, true
	}
	return e.fact, due
}

// put keeps what Redis answered. That it has nothing does not take away what is to
// be written there: the answer may be the older of the two.
func (c *cache) put(k cacheKey, f fact, now moment) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.live(k, now)
	if e != nil && e.state == pending && f.state == absent {
		return
	}
	s.set(k, f, c.limit)
}

// change lets f see what is known now, unread where nothing is, and keeps what it
// returns if it says so.
func (c *cache) change(k cacheKey, now moment, f func(known fact) (fact, bool)) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	var known fact
	if e := s.live(k, now); e != nil {
		known = e.fact
	}
	if next, changed := f(known); changed {
		s.set(k, next, c.limit)
	}
}

// len is the number of entries, those that are out of date included.
func (c *cache) len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

// live finds an entry that is not out of date.
func (s *shard) live(k cacheKey, now moment) *entry {
	at, known := s.index[k]
	if !known || now >= s.entries[at].until {
		return nil
	}
	return &s.entries[at]
}

// set puts a fact into the key's entry, a new one, or one that the hand finds.
func (s *shard) set(k cacheKey, f fact, limit int) {
	at, known := s.index[k]
	switch {
	case known:
	case len(s.entries) < limit:
		at = uint32(len(s.entries))
		s.entries = append(s.entries, entry{})
	default:
		at = s.sweep()
		delete(s.index, s.entries[at].key)
	}
	s.index[k] = at
	// A unit without a variant goes first, unless it comes again.
	s.entries[at] = entry{key: k, used: f.state == pending || f.state == stored, fact: f}
}

// reach is how many entries the hand passes at most: a bound on the time that the
// lock is held.
const reach = 64

// sweep moves the hand to the entry that goes next.
func (s *shard) sweep() (at uint32) {
	for range reach {
		at = uint32(s.hand)
		s.hand = (s.hand + 1) % len(s.entries)
		e := &s.entries[at]
		if !e.used {
			break
		}
		e.used = false
	}
	return at
}
