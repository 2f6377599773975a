package features

import (
	"bytes"
	"hash/maphash"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Copies are spread over shards so that requests seldom meet on a lock, which
// is held for a map access and a few pointers.
const (
	copyShards = 16
	// maxCopyBytes: larger replies are not kept. Memory is thus bounded by
	// entries x maxCopyBytes, and is entries x the usual reply in practice.
	maxCopyBytes = 16 << 10
)

// copies keeps recent replies, for the time when the store does not answer. A
// reply is immutable and stands in its own memory, so keeping one is keeping a
// pointer; requests decode it as they decode a fresh one.
type copies struct {
	seed   maphash.Seed
	limit  int // entries per shard
	opts   Copies
	shards [copyShards]copyShard
}

type copyShard struct {
	mu      sync.Mutex
	entries map[uint64]*copyEntry
	lru     copyEntry // ring: lru.older is the newest, lru.newer the oldest
}

// copyEntry is guarded by its shard's mu. The map's key is a hash, so the entry
// says whose it is: another id of the same hash never gets its features.
type copyEntry struct {
	key          uint64
	plan         uint64
	id           []byte
	reply        rueidis.RedisMessage
	at           time.Time
	older, newer *copyEntry
}

// newCopies makes the store of copies; nil when none are to be kept.
func newCopies(o Copies) *copies {
	if o.Entries == 0 {
		return nil
	}
	c := &copies{seed: maphash.MakeSeed(), limit: (o.Entries + copyShards - 1) / copyShards, opts: o}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries = map[uint64]*copyEntry{}
		s.lru.older, s.lru.newer = &s.lru, &s.lru
	}
	return c
}

func (c *copies) key(plan uint64, id []byte) uint64 {
	return maphash.Bytes(c.seed, id) ^ plan
}

// put keeps a reply unless there is one younger than the refresh interval, so
// that a hot entity's memory is not replaced with every request.
func (c *copies) put(plan uint64, id []byte, reply rueidis.RedisMessage, now time.Time) {
	key := c.key(plan, id)
	s := &c.shards[key%copyShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e != nil && e.is(plan, id) && now.Sub(e.at) < c.opts.Refresh {
		return
	}
	if reply.CacheSize() > maxCopyBytes {
		return
	}
	if e == nil {
		e = s.room(c.limit)
		e.key = key
		s.entries[key] = e
	} else {
		e.unlink()
	}
	e.plan, e.id, e.reply, e.at = plan, append(e.id[:0], id...), reply, now
	e.linkAfter(&s.lru)
}

// room is an entry that is in neither map nor ring: a new one, or the oldest.
func (s *copyShard) room(limit int) *copyEntry {
	if len(s.entries) < limit {
		return &copyEntry{}
	}
	e := s.lru.newer
	e.unlink()
	delete(s.entries, e.key)
	return e
}

// get finds a copy that is not too old.
func (c *copies) get(plan uint64, id []byte, now time.Time) (reply rueidis.RedisMessage, found bool) {
	key := c.key(plan, id)
	s := &c.shards[key%copyShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil || !e.is(plan, id) || now.Sub(e.at) > c.opts.MaxAge {
		return reply, false
	}
	return e.reply, true
}

func (e *copyEntry) is(plan uint64, id []byte) bool {
	return e.plan == plan && bytes.Equal(e.id, id)
}

func (e *copyEntry) unlink() {
	e.older.newer, e.newer.older = e.newer, e.older
}

// linkAfter puts e next to the ring's root, as the newest.
func (e *copyEntry) linkAfter(root *copyEntry) {
	e.older, e.newer = root.older, root
	root.older.newer = e
	root.older = e
}
