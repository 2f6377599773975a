package token

import (
	"crypto/sha256"
	"sync"

	"hotpath/router/identity"
)

// verified is what a token turned out to be.
type verified struct {
	caller *identity.Caller
	until  int64 // seconds since 1970
}

// cacheShards keeps requests with different tokens from waiting for one another.
const cacheShards = 16

// cache keeps tokens that were verified, by their SHA-256.
type cache struct {
	each   int
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu sync.RWMutex
	m  map[[sha256.Size]byte]verified
}

func newCache(entries int) *cache {
	c := &cache{each: max(entries/cacheShards, 1)}
	for i := range c.shards {
		c.shards[i].m = map[[sha256.Size]byte]verified{}
	}
	return c
}

func (c *cache) shard(sum [sha256.Size]byte) *cacheShard { return &c.shards[sum[0]%cacheShards] }

func (c *cache) get(sum [sha256.Size]byte) (verified, bool) {
	s := c.shard(sum)
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.m[sum]
	return v, ok
}

// put remembers a token. A shard that is full forgets those that have ended, and half
// of the others where there are none: which ones makes no difference, they are
// verified again.
func (c *cache) put(sum [sha256.Size]byte, v verified, now int64) {
	s := c.shard(sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.m) >= c.each {
		for k, old := range s.m {
			if old.until <= now {
				delete(s.m, k)
			}
		}
	}
	if len(s.m) >= c.each {
		drop := (len(s.m) + 1) / 2
		for k := range s.m {
			if drop--; drop < 0 {
				break
			}
			delete(s.m, k)
		}
	}
	s.m[sum] = v
}
