package sticky

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
	"unique"

	"hotpath/resilience/redislink/redistest"
)

// TestSmallMemory: 50,000 units do not fit into 1,000 entries; all are kept all the same.
func TestSmallMemory(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	o := options(redis.Addr())
	o.Entries = 1000
	s := connected(t, o)
	const units = 50_000
	given := func(u int) string { return []string{"a", "b"}[u%3%2] }
	for u := range units {
		for len(s.Store.writes) > 4000 {
			time.Sleep(time.Millisecond)
		}
		s.Remember(e, strconv.AppendInt(nil, int64(u), 10), given(u))
	}
	s.flushed("stored", units)
	if got := redis.Do("DBSIZE"); got != fmt.Sprint(units) {
		t.Fatalf("%s of %d are stored", got, units)
	}
	for range 2000 {
		u := rand.IntN(units)
		if got := s.recall(e, strconv.Itoa(u)); got != given(u) {
			t.Fatalf("%d: recalled %q, want %s", u, got, given(u))
		}
	}
	if n := s.sample("hotpath_sticky_cache_entries", ""); n < 900 || n > 1000 {
		t.Errorf("%v entries in memory", n)
	}
	if n := s.recalls("stored"); n < 1500 {
		t.Errorf("only %v came from Redis: the test shows nothing", n)
	}
}

func named(name string, until moment) fact {
	return fact{state: stored, name: unique.Make(name), until: until, due: until}
}

// TestClock: what is used stays, and units that have nothing go first.
func TestClock(t *testing.T) {
	c := newCache(cacheShards * 8)
	var keys []cacheKey // of one shard
	for i := 0; len(keys) < 12; i++ {
		if k := c.key("e", strconv.AppendInt(nil, int64(i), 10)); k.low%cacheShards == 0 {
			keys = append(keys, k)
		}
	}
	for i, k := range keys[:8] {
		f := named("a", 100)
		if i >= 6 {
			f = fact{state: absent, until: 100}
		}
		c.put(k, f, 0)
	}
	known := func(i int) bool { f, _ := c.get(keys[i], 1, 1); return f.state != unread }
	c.put(keys[8], named("a", 100), 0)
	c.put(keys[9], named("a", 100), 0)
	for i := range keys[:10] {
		if known(i) != (i < 6 || i > 7) {
			t.Errorf("entry %d is there: %v", i, known(i))
		}
	}
	// All but two are used from here on: the hand has taken the marks of the others.
	c.shard(keys[0]).sweep()
	for i := range 10 {
		if i != 2 && i != 4 {
			known(i)
		}
	}
	c.put(keys[10], named("a", 100), 0)
	c.put(keys[11], named("a", 100), 0)
	if known(2) || known(4) || !known(10) || !known(11) || c.len() != 8 {
		t.Errorf("2: %v 4: %v 10: %v 11: %v, %d entries", known(2), known(4), known(10), known(11), c.len())
	}
}

func TestCacheFacts(t *testing.T) {
	c := newCache(1000)
	k := c.key("e:1", []byte("u"))
	if k == c.key("e:1", []byte("v")) || k == c.key("e:2", []byte("u")) {
		t.Fatal("keys are not their own")
	}
	c.put(k, fact{state: pending, name: unique.Make("a"), until: 100, due: 10}, 0)
	c.put(k, fact{state: absent, until: 100}, 1)
	if f, due := c.get(k, 2, 5); string(f.variant()) != "a" || due {
		t.Errorf("an older answer took away what is to be written: %+v", f)
	}
	for _, step := range []struct {
		now moment
		due bool
	}{{9, false}, {10, true}, {11, false}, {14, false}, {15, true}} {
		if _, due := c.get(k, step.now, 5); due != step.due {
			t.Errorf("at %d due is %v", step.now, due)
		}
	}
	if f, _ := c.get(k, 100, 5); f.state != unread {
		t.Errorf("out of date, yet %+v", f)
	}
	c.put(k, named("b", 200), 100)
	if f, _ := c.get(k, 101, 5); string(f.variant()) != "b" {
		t.Errorf("%+v", f)
	}
}
