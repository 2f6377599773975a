package features

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotpath/models"
)

func TestFetchFillsTheRow(t *testing.T) {
	redis := startRedis(t)
	now := fmt.Sprint(time.Now().UnixMilli())
	redis.Do("HSET", "features:user:u1", "_ts", now, "f0", "0.5", "f1", "-1e3", "fresh", "7", "age", "44")
	redis.Do("HSET", "m:m1:v1", "risk", "0.75")
	s, reg := openStore(t, testOptions(redis.Addr()), testSchema(t, 2))
	connected(t, s)
	v := floatView(t, s, "user.f0", "merchant.risk", "user.f1", "amount", "user.fresh", "user.age", "user.member")
	if got := strings.Join(v.Entities(), ","); got != "user,merchant" {
		t.Fatalf("entities %s", got)
	}
	x := newVector(v)
	if !v.NeedsStore(x.origins) {
		t.Fatal("a fresh vector needs the store")
	}
	if err := x.fetch(time.Second, "u1", "m1"); err != nil {
		t.Fatal(err)
	}
	if err := v.Finish(x.origins); err != nil {
		t.Fatal(err)
	}
	if got, want := x.shown(), "store store store default store store default_missing"; got != want {
		t.Fatalf("origins %s, want %s", got, want)
	}
	for i, want := range []float32{0.5, 0.75, -1000, 2.5, 7, 44, 1} {
		if got := x.float(i); got != want {
			t.Errorf("feature %d %s = %v, want %v", i, v.Feature(i).Name, got, want)
		}
	}
	if degraded(x.origins) {
		t.Error("degraded although the store answered")
	}
	if n := sample(t, reg, "hotpath_feature_values_total", "store"); n != 5 {
		t.Errorf("counted %v store values, want 5", n)
	}
	if n := sample(t, reg, "hotpath_feature_pipeline_commands", ""); n != 1 {
		t.Errorf("two entities took %v pipelines, want 1", n)
	}
}

func TestMissingEntityNeedsNoTrip(t *testing.T) {
	redis := startRedis(t)
	s, reg := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	connected(t, s)
	x := newVector(floatView(t, s, "user.f0", "merchant.risk"))
	if err := x.fetch(time.Second, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := x.shown(); got != "default_missing default_missing" {
		t.Fatalf("origins %s", got)
	}
	if n := sample(t, reg, "hotpath_feature_pipeline_commands", ""); n != 0 {
		t.Fatalf("%v pipelines for nothing", n)
	}
}

func TestStoredValuesThatAreNone(t *testing.T) {
	redis := startRedis(t)
	s, reg := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0", "user.f0")
	for name, c := range map[string]struct {
		value  string
		origin models.Origin
		want   float32
	}{
		"empty":       {"", models.OriginInvalid, -1},
		"word":        {"abc", models.OriginInvalid, -1},
		"nan":         {"NaN", models.OriginInvalid, -1},
		"inf":         {"-Inf", models.OriginInvalid, -1},
		"hex":         {"0x10", models.OriginInvalid, -1},
		"underscore":  {"1_0", models.OriginInvalid, -1},
		"40 digits":   {strings.Repeat("9", 40), models.OriginInvalid, -1},
		"30 digits":   {strings.Repeat("9", 30), models.OriginStore, 1e30},
		"1e400":       {"1e400", models.OriginInvalid, -1},
		"tiny":        {"1e-400", models.OriginStore, 0},
		"1 MiB":       {strings.Repeat("1", 1<<20), models.OriginInvalid, -1},
		"2 MiB reply": {strings.Repeat(" ", 2<<20), models.OriginInvalid, -1},
		"64 KiB + 1":  {strings.Repeat("1", 64<<10+1), models.OriginInvalid, -1},
		"number":      {"12.25", models.OriginStore, 12.25},
	} {
		t.Run(name, func(t *testing.T) {
			redis.Do("HSET", "features:user:u", "f0", c.value)
			x := newVector(v)
			if err := x.fetch(time.Second, "u"); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if x.origins[i] != c.origin || x.float(i) != c.want {
					t.Fatalf("%s %v, want %s %v", x.origins[i], x.float(i), c.origin, c.want)
				}
			}
		})
	}
	if n := sample(t, reg, "hotpath_feature_errors_total", "oversize"); n != 6 {
		t.Errorf("counted %v oversize values, want 6", n)
	}
	if n := sample(t, reg, "hotpath_feature_errors_total", "unparsable"); n != 16 {
		t.Errorf("counted %v unparsable values, want 16", n)
	}
}

func TestWrongTypeIsNoOutage(t *testing.T) {
	redis := startRedis(t)
	redis.Do("SET", "features:user:u1", "x")
	redis.Do("HSET", "m:m1:v1", "risk", "0.75")
	s, reg := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	connected(t, s)
	x := newVector(floatView(t, s, "user.f0", "merchant.risk"))
	if err := x.fetch(time.Second, "u1", "m1"); err != nil {
		t.Fatal(err)
	}
	if got := x.shown(); got != "default_invalid store" {
		t.Fatalf("origins %s", got)
	}
	if n := sample(t, reg, "hotpath_feature_errors_total", "wrongtype"); n != 1 {
		t.Fatalf("counted %v", n)
	}
	if !s.State().Connected {
		t.Fatal("WRONGTYPE shows as an outage")
	}
}

func TestPolicies(t *testing.T) {
	redis := startRedis(t)
	s, _ := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.must", "user.fresh", "extra")
	old := fmt.Sprint(time.Now().Add(-2 * time.Hour).UnixMilli())
	now := fmt.Sprint(time.Now().UnixMilli())
	for _, c := range []struct{ name, ts, must, field, message string }{
		{"missing", now, "", "features.user.must", "not in the store"},
		{"stale", old, "1", "features.user.must", "max_age of 1h0m0s"},
		{"no timestamp", "", "1", "features.user.must", "max_age"},
		{"invalid", now, "x", "features.user.must", "invalid"},
		{"request-only", now, "1", "features.extra", "is required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			redis.Do("DEL", "features:user:p")
			redis.Do("HSET", "features:user:p", "fresh", "1")
			if c.must != "" {
				redis.Do("HSET", "features:user:p", "must", c.must)
			}
			if c.ts != "" {
				redis.Do("HSET", "features:user:p", "_ts", c.ts)
			}
			x := newVector(v)
			if err := x.fetch(time.Second, "p"); err != nil {
				t.Fatal(err)
			}
			fieldError(t, v.Finish(x.origins), c.field, c.message)
		})
	}
}

// TestConcurrentFetchesShare: requests that wait together travel together.
func TestConcurrentFetchesShare(t *testing.T) {
	redis := startRedis(t)
	redis.Do("HSET", "features:user:7", "f0", "7.5")
	o := testOptions(redis.Addr())
	o.Workers = 1
	s, reg := openStore(t, o, testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	const requests = 500
	redis.Signal(syscall.SIGSTOP) // so that they pile up behind the first pipeline
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			x := newVector(v)
			if err := x.fetch(10*time.Second, "7"); err != nil || x.float(0) != 7.5 {
				t.Errorf("%v %v", err, x.float(0))
			}
		})
	}
	eventually(t, 5*time.Second, "queued", func() bool { return s.Queued() >= requests-1-128 })
	redis.Signal(syscall.SIGCONT)
	wg.Wait()
	if n := sample(t, reg, "hotpath_feature_pipeline_commands", ""); n > 40 {
		t.Fatalf("%d requests took %v pipelines", requests, n)
	}
}

// TestStalledRedis is case 1: callers leave at their deadline, nothing piles
// up, copies and defaults answer, and it heals by itself.
func TestStalledRedis(t *testing.T) {
	redis := startRedis(t)
	redis.Do("HSET", "features:user:known", "f0", "3.5")
	s, reg := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	if x := newVector(v); x.fetch(time.Second, "known") != nil {
		t.Fatal("not healthy before the stall")
	}
	before := runtime.NumGoroutine()
	redis.Signal(syscall.SIGSTOP)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for range 20 {
				x := newVector(v)
				id, want, origin := "known", float32(3.5), models.OriginCopy
				if i%2 == 1 {
					id, want, origin = "new", -1, models.OriginUnavailable
				}
				start := time.Now()
				err := x.fetch(20*time.Millisecond, id)
				if took := time.Since(start); took > 150*time.Millisecond {
					t.Errorf("fetch took %s with a budget of 20ms", took)
				}
				if !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrUnavailable) {
					t.Errorf("error %v", err)
				}
				if x.origins[0] != origin || x.float(0) != want || !degraded(x.origins) {
					t.Errorf("%s: %s %v, want %s %v", id, x.origins[0], x.float(0), origin, want)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	if n := runtime.NumGoroutine() - 50; n > before+4+8 {
		t.Errorf("%d goroutines during the stall, %d before", n, before)
	}
	wg.Wait()
	eventually(t, 3*time.Second, "stall shows in the state", func() bool { return !s.State().Connected })
	redis.Signal(syscall.SIGCONT)
	took := eventually(t, 2*time.Second, "healed", func() bool {
		x := newVector(v)
		return x.fetch(100*time.Millisecond, "known") == nil && x.origins[0] == models.OriginStore
	})
	t.Logf("healed in %s", took)
	if n := sample(t, reg, "hotpath_feature_errors_total", "timeout"); n == 0 {
		t.Error("no timeout counted")
	}
}

// TestKilledRedis is case 4: refused connections fail fast, dialing is paced,
// and a restarted server is used within 2 s.
func TestKilledRedis(t *testing.T) {
	redis := startRedis(t)
	s, reg := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	connected(t, s)
	v := floatView(t, s, "user.f0")
	redis.Kill()
	eventually(t, 2*time.Second, "outage shows", func() bool { return !s.State().Connected })
	dials := sample(t, reg, "hotpath_feature_dials_total", "")
	start := time.Now()
	var slow, all int
	for ; time.Since(start) < time.Second; all++ {
		at := time.Now()
		if err := newVector(v).fetch(time.Second, "u"); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("error %v", err)
		}
		if time.Since(at) > 5*time.Millisecond {
			slow++
		}
	}
	if slow > all/20 {
		t.Errorf("%d of %d fetches took more than 5ms", slow, all)
	}
	if n := sample(t, reg, "hotpath_feature_dials_total", "") - dials; n > 3 {
		t.Errorf("%v dials in a second", n)
	}
	if k := s.State().Kind; k != "refused" {
		t.Errorf("state %s, want refused", k)
	}
	redis.Restart()
	redis.Do("HSET", "features:user:u", "f0", "1.5")
	took := eventually(t, 2*time.Second, "healed", func() bool {
		x := newVector(v)
		return x.fetch(100*time.Millisecond, "u") == nil && x.float(0) == 1.5
	})
	t.Logf("healed in %s", took)
}

// TestStartWithoutRedis is case 41.
func TestStartWithoutRedis(t *testing.T) {
	redis := startRedis(t)
	redis.Kill()
	s, _ := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	v := floatView(t, s, "user.f0")
	x := newVector(v)
	start := time.Now()
	err := x.fetch(time.Second, "u")
	if !errors.Is(err, ErrUnavailable) || time.Since(start) > 50*time.Millisecond {
		t.Fatalf("%v after %s", err, time.Since(start))
	}
	if err := v.Finish(x.origins); err != nil || x.float(0) != -1 {
		t.Fatalf("no default: %v %v", err, x.float(0))
	}
	eventually(t, time.Second, "refused", func() bool { return s.State().Kind == "refused" })
	redis.Restart()
	took := eventually(t, 2*time.Second, "connected", func() bool { return s.State().Connected })
	t.Logf("connected in %s", took)
	if err := newVector(v).fetch(time.Second, "u"); err != nil {
		t.Fatal(err)
	}
}

func TestWrongPasswordShowsInState(t *testing.T) {
	redis := startRedis(t, "--requirepass", "right")
	o := testOptions(redis.Addr())
	o.Password = "wrong"
	s, _ := openStore(t, o, testSchema(t, 1))
	eventually(t, 2*time.Second, "auth", func() bool { return s.State().Kind == "auth" })
	if err := newVector(floatView(t, s, "user.f0")).fetch(time.Second, "u"); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("error %v", err)
	}
	o.Password = "right"
	good, _ := openStore(t, o, testSchema(t, 1))
	connected(t, good)
}

func TestUnavailableWithoutDefault(t *testing.T) {
	s, _ := openStore(t, testOptions("127.0.0.1:1"), testSchema(t, 1))
	v := floatView(t, s, "user.must")
	x := newVector(v)
	if x.fetch(time.Second, "u") == nil {
		t.Fatal("no error without a server")
	}
	if err := v.Finish(x.origins); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "features.user.must") {
		t.Fatalf("error %v", err)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	redis := startRedis(t)
	s, _ := openStore(t, testOptions(redis.Addr()), testSchema(t, 1))
	connected(t, s)
	s.Close()
	if err := newVector(floatView(t, s, "user.f0")).fetch(time.Second, "u"); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("error %v", err)
	}
}

// degraded says whether the store's silence shows in the vector.
func degraded(origins []models.Origin) bool {
	return slices.Contains(origins, models.OriginCopy) || slices.Contains(origins, models.OriginUnavailable)
}
