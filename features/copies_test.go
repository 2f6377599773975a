package features

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

func TestCopies(t *testing.T) {
	c := newCopies(Copies{Entries: 2 * copyShards, MaxAge: time.Minute, Refresh: time.Second})
	now := time.Now()
	text := func(plan uint64, id string, at time.Time) string {
		m, found := c.get(plan, []byte(id), at)
		if !found {
			return "none"
		}
		s, _ := m.ToString()
		return s
	}
	c.put(1, []byte("a"), message("first"), now)
	c.put(1, []byte("a"), message("second"), now.Add(time.Second/2))
	if got := text(1, "a", now); got != "first" {
		t.Errorf("%s: replaced before the refresh interval", got)
	}
	c.put(1, []byte("a"), message("third"), now.Add(2*time.Second))
	if got := text(1, "a", now.Add(time.Minute)); got != "third" {
		t.Errorf("%s after a refresh", got)
	}
	if got := text(1, "a", now.Add(2*time.Minute)); got != "none" {
		t.Errorf("%s after max_age", got)
	}
	if got := text(2, "a", now) + text(1, "b", now); got != "nonenone" {
		t.Errorf("%s of another plan or id", got)
	}
	c.put(1, []byte("big"), message(string(make([]byte, maxCopyBytes+1))), now)
	if got := text(1, "big", now); got != "none" {
		t.Error("a reply over the limit was kept")
	}
}

func TestCopiesAreBounded(t *testing.T) {
	c := newCopies(Copies{Entries: 160, MaxAge: time.Minute, Refresh: time.Second})
	now := time.Now()
	for i := range 10_000 {
		c.put(1, []byte(fmt.Sprint(i)), message(fmt.Sprint(i)), now)
	}
	kept, right := 0, 0
	for i := range c.shards {
		s := &c.shards[i]
		n := 0
		for e := s.lru.older; e != &s.lru; e = e.older {
			n++
			if text, _ := e.reply.ToString(); text == string(e.id) && s.entries[e.key] == e {
				right++
			}
		}
		if n != len(s.entries) || n > c.limit {
			t.Errorf("shard %d: ring of %d, map of %d, limit %d", i, n, len(s.entries), c.limit)
		}
		kept += n
	}
	if kept != 160 || right != kept {
		t.Errorf("kept %d, %d of them right", kept, right)
	}
	if _, found := c.get(1, []byte("9999"), now); !found {
		t.Error("the newest is gone")
	}
}

// TestRecoverMixes: an overridden slot keeps the request's value, a copied one
// says how old it may be, and the copy holds what the store said.
func TestRecoverMixes(t *testing.T) {
	redis := startRedis(t)
	stale := fmt.Sprint(time.Now().Add(-2 * time.Hour).UnixMilli())
	redis.Do("HSET", "features:user:u", "_ts", stale, "f0", "1.5", "f1", "2.5", "fresh", "3.5")
	redis.Do("HSET", "m:x:v1", "risk", "0.75")
	s, _ := openStore(t, testOptions(redis.Addr()), testSchema(t, 2))
	connected(t, s)
	v := floatView(t, s, "user.f0", "user.f1", "user.fresh", "merchant.risk")
	x := newVector(v)
	if err := x.v.Override(values("f0", "9"), &x.row, x.origins); err != nil {
		t.Fatal(err)
	}
	if err := x.fetch(time.Second, "u", ""); err != nil {
		t.Fatal(err)
	}
	if got := x.shown(); got != "request store default_stale default_missing" {
		t.Fatal(got)
	}
	redis.Signal(syscall.SIGSTOP)
	x = newVector(v)
	err := x.fetch(10*time.Millisecond, "u", "x")
	redis.Signal(syscall.SIGCONT)
	if !errors.Is(err, ErrTimeout) {
		t.Fatalf("error %v", err)
	}
	if got := x.shown(); got != "copy copy default_stale default_unavailable" || x.float(0) != 1.5 {
		t.Fatalf("%s %v", got, x.float(0))
	}
}
