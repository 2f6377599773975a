package sticky

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hotpath/resilience/redislink"
	"hotpath/resilience/redislink/redistest"
)

// TestKeepsWhatWasGiven: what one gateway remembers, it and another recall.
func TestKeepsWhatWasGiven(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	one := connected(t, options(redis.Addr()))
	unit := "user 1\x00\r\n:{x}"
	if got := one.recall(e, unit); got != "" {
		t.Fatalf("recalled %q of nothing", got)
	}
	one.Remember(e, []byte(unit), "b")
	if got := one.recall(e, unit); got != "b" {
		t.Fatalf("%q before it was written", got)
	}
	one.flushed("stored", 1)
	if got := redis.Do("GET", key(e, unit)); got != "b" {
		t.Fatalf("stored %q", got)
	}
	if ttl, _ := strconv.Atoi(redis.Do("PTTL", key(e, unit))); ttl < 29*24*3600*1000 || ttl > 30*24*3600*1000 {
		t.Fatalf("lives for %d ms", ttl)
	}
	two := connected(t, options(redis.Addr()))
	for range 3 {
		if got := two.recall(e, unit); got != "b" {
			t.Fatalf("another gateway recalls %q", got)
		}
	}
	if s, c := two.recalls("stored"), two.recalls("cache"); s != 1 || c != 2 {
		t.Errorf("%v from Redis, %v from memory", s, c)
	}
	if n := two.writes("renewed"); n != 0 {
		t.Errorf("%v renewals of what is fresh", n)
	}
	if other := experiments(t, 1, "other")[0]; two.recall(other, unit) != "" {
		t.Error("a new salt did not let go")
	}
	if got := two.recall(e, "user 2"); got != "" {
		t.Errorf("another user recalls %q", got)
	}
}

// TestMiniredis: the embedded store of the demo has all commands.
func TestMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	e := experiments(t, 1, "s")[0]
	one, two := connected(t, options(server.Addr())), connected(t, options(server.Addr()))
	one.Remember(e, []byte("u"), "a")
	one.flushed("stored", 1)
	two.Remember(e, []byte("u"), "b")
	two.flushed("taken", 1)
	if got := two.recall(e, "u"); got != "a" {
		t.Fatalf("%q, want what was first", got)
	}
	server.SetTTL(key(e, "v"), time.Hour)
	if err := server.Set(key(e, "v"), "b"); err != nil {
		t.Fatal(err)
	}
	if got := two.recall(e, "v"); got != "b" {
		t.Fatalf("recalled %q", got)
	}
	two.recall(e, "v")
	two.flushed("renewed", 1)
	if ttl := server.TTL(key(e, "v")); ttl != DefaultOptions().TTL {
		t.Errorf("renewed to %s", ttl)
	}
}

// TestFirstWriteWins: the gateway that was later learns of it.
func TestFirstWriteWins(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	redis.Do("SET", key(e, "u"), "a")
	s := connected(t, options(redis.Addr()))
	s.Remember(e, []byte("u"), "b")
	s.flushed("taken", 1)
	if got := s.recall(e, "u"); got != "a" {
		t.Errorf("recalled %q, want what was there", got)
	}
	if got := redis.Do("GET", key(e, "u")); got != "a" {
		t.Errorf("stored %q", got)
	}
}

// TestGatewaysAgree: whoever gives what at the same time, in the end all have the same.
func TestGatewaysAgree(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	gateways := []*rig{connected(t, options(redis.Addr())), connected(t, options(redis.Addr()))}
	const units = 200
	var wg sync.WaitGroup
	for i, g := range gateways {
		for range 4 {
			wg.Go(func() {
				for u := range units {
					unit := fmt.Sprint("u", u)
					if g.recall(e, unit) == "" {
						g.Remember(e, []byte(unit), []string{"a", "b"}[i])
					}
				}
			})
		}
	}
	wg.Wait()
	for u := range units {
		unit := fmt.Sprint("u", u)
		redistest.Eventually(t, 5*time.Second, unit+" is the same everywhere", func() bool {
			got := redis.Do("GET", key(e, unit))
			return (got == "a" || got == "b") && gateways[0].recall(e, unit) == got && gateways[1].recall(e, unit) == got
		})
	}
}

func TestRenewal(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	o := options(redis.Addr())
	o.TTL = time.Minute
	s := connected(t, o)
	for unit, set := range map[string][]string{"old": {"PX", "30000"}, "eternal": nil, "fresh": {"PX", "59000"}} {
		redis.Do(append([]string{"SET", key(e, unit), "a"}, set...)...)
	}
	for range 5 {
		for _, unit := range []string{"old", "eternal", "fresh"} {
			if got := s.recall(e, unit); got != "a" {
				t.Fatalf("%s: %q", unit, got)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.flushed("renewed", 2)
	for unit, least := range map[string]int{"old": 55_000, "eternal": 55_000, "fresh": 50_000} {
		if ttl, _ := strconv.Atoi(redis.Do("PTTL", key(e, unit))); ttl < least || ttl > 60_000 {
			t.Errorf("%s lives for %d ms", unit, ttl)
		}
	}
	if n := s.writes("renewed"); n != 2 {
		t.Errorf("%v renewals of two", n)
	}
}

// TestRenewalWithoutMemory: a unit that memory never keeps for long is renewed too.
func TestRenewalWithoutMemory(t *testing.T) {
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	s := connected(t, options(redis.Addr()))
	redis.Do("SET", key(e, "u"), "a", "PX", "100000")
	s.recall(e, "u")
	s.flushed("renewed", 1)
}

// TestExpires: what is over is over in memory as well, and what is gone is not renewed.
func TestExpires(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	e := experiments(t, 1, "s")[0]
	o := options(redis.Addr())
	o.TTL, o.AbsentFor = 2*time.Second, 10*time.Millisecond
	s := connected(t, o)
	s.Remember(e, []byte("u"), "a")
	s.Remember(e, []byte("gone"), "a")
	s.flushed("stored", 2)
	redis.Do("DEL", key(e, "gone"))
	redistest.Eventually(t, 2*time.Second, "what was deleted is forgotten", func() bool { return s.recall(e, "gone") == "" })
	if n := s.writes("gone"); n == 0 {
		t.Error("not counted")
	}
	time.Sleep(2100 * time.Millisecond)
	if got := s.recall(e, "u"); got != "" {
		t.Errorf("recalled %q after its time", got)
	}
}

// TestUnitsThatAreNone: no id, or one that is too long, is never asked about.
func TestUnitsThatAreNone(t *testing.T) {
	s := open(t, options("127.0.0.1:1"))
	e := experiments(t, 1, "s")[0]
	for _, unit := range []string{"", strings.Repeat("x", maxUnit+1)} {
		s.Remember(e, []byte(unit), "a")
		if got := s.recall(e, unit); got != "" {
			t.Errorf("recalled %q", got)
		}
	}
	for _, result := range []string{"cache", "error", "refused"} {
		if n := s.recalls(result); n != 0 {
			t.Errorf("%v look-ups: %s", n, result)
		}
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--cluster-enabled", "yes")
	if got := redis.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383"); got != "OK" {
		t.Fatal(got)
	}
	redistest.Eventually(t, 5*time.Second, "cluster is up", func() bool {
		return strings.Contains(redis.Do("CLUSTER", "INFO"), "cluster_state:ok")
	})
	o := options(redis.Addr())
	o.Redis.Mode = redislink.Cluster
	one, two := connected(t, o), connected(t, o)
	es := experiments(t, 50, "s")
	ids, variants := make([][]byte, len(es)), make([][]byte, len(es))
	for i, e := range es {
		ids[i] = []byte("u")
		one.Remember(e, ids[i], []string{"a", "b"}[i%2])
	}
	one.flushed("stored", 50)
	two.Recall(time.Now().Add(time.Second), es, ids, variants)
	for i := range es {
		if want := []string{"a", "b"}[i%2]; string(variants[i]) != want {
			t.Fatalf("%d: recalled %q, want %s", i, variants[i], want)
		}
	}
}

func TestMetricNames(t *testing.T) {
	problems, err := testutil.GatherAndLint(open(t, options("127.0.0.1:1")).reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	err := Options{}.Validate()
	for _, name := range []string{"addresses", "prefix", "entries", "workers", "max_batch", "queue", "writes", "ttl", "budget", "absent_for"} {
		if err == nil || !strings.Contains(err.Error(), name+":") {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}
