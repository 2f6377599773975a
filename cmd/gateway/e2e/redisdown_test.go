package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// faulty are settings for faults of Redis: tight where the fault is, wide where
// a busy test machine alone would fail requests.
var faulty = []string{"--set", "deadline.default=2s", "--set", "deadline.max=5s", "--set", "features.budget=" + byRace("100ms", "50ms"),
	"--set", "server.lame_duck=100ms"}

// faultLatency is how long 99 % of the answers may take: the store's budget and a
// little. With the race detector on a busy machine only the deadline is sure.
func faultLatency() time.Duration {
	return byRace(2*time.Second, 150*time.Millisecond)
}

// faultLoad is a load under which Redis fails.
func faultLoad(t *testing.T, o *oracle, g *gateway) *running {
	t.Helper()
	l := load{addr: g.Traffic, rate: byRace(200.0, 1000.0), conns: 64, body: o.body}.begin(t)
	within(t, scaled(5*time.Second), "the load is fresh", func() bool { return l.next.Load() > 100 && g.fresh(t) })
	return l
}

// fresh says that features come from Redis.
func (g *gateway) fresh(t *testing.T) bool {
	t.Helper()
	status, p := g.predict(t, `{"user_id":"user-1"}`)
	return status == 200 && len(p.Degraded) == 0
}

// wantDegraded checks the answers of a fault: all good, from some moment on all
// degraded, and quickly answered.
func wantDegraded(t *testing.T, o *oracle, r report, what string, limit time.Duration) {
	t.Helper()
	r.onlyCodes(t, "ok")
	o.check(t, r)
	n := 0
	for i := range r.answers {
		a := &r.answers[i]
		if degraded(a) {
			n++
			if len(a.parsed.Degraded) != 1 || a.parsed.Degraded[0] != "features" {
				t.Errorf("degraded %v, want [features]", a.parsed.Degraded)
			}
		}
	}
	if n == 0 {
		t.Errorf("%s: no answer was degraded", what)
	}
	if p99 := r.quantile(.99); p99 > limit {
		t.Errorf("%s: p99 %s, want at most %s: %s", what, p99, limit, r.slowest(limit))
	}
	verdict(t, what, "all 200, degraded by features, p99 bounded", "%d answers, %d degraded, codes %v, p50 %s, p99 %s", len(r.answers), n, r.codes(),
		r.quantile(.5).Round(10*time.Microsecond), r.quantile(.99).Round(10*time.Microsecond))
}

// TestRedisKilledUnderLoad is row 4: kill -9, and a new one on the same port.
func TestRedisKilledUnderLoad(t *testing.T) {
	o := theOracle(t)
	g, redis := startOverRedis(t, "", faulty...)
	before := g.metrics(t)
	l := faultLoad(t, o, g)
	probes := 0
	redis.Kill(t)
	killed := time.Now()
	took := within(t, scaled(5*time.Second), "the breaker opens", func() bool { return g.breaker(t, "features") == 2 })
	verdict(t, "redis kill -9: breaker", "opens", "after %s", took.Round(time.Millisecond))
	status, ready := g.ready(t)
	if status != 200 || ready.Dependencies["features"].Status != "degraded" || ready.Dependencies["features"].Detail == "" {
		t.Errorf("/readyz without Redis: %d %+v", status, ready)
	}
	seen := l.next.Load()
	within(t, scaled(5*time.Second), "load without Redis", func() bool { return l.next.Load() > seen+int64(l.rate) })
	restarted := time.Now()
	startRedis(t, redis.port).fill(t, g.Dir)
	filled := time.Now()
	within(t, scaled(2*time.Second), "answers are fresh again", func() bool { probes++; return g.fresh(t) })
	healed := time.Since(filled)
	verdict(t, "redis restarted on its port", "fresh within 2 s", "%s after the store was filled", healed.Round(time.Millisecond))
	seen = l.next.Load()
	within(t, scaled(5*time.Second), "load on the new Redis", func() bool { return l.next.Load() > seen+int64(l.rate)/2 })
	r := l.stop(t)
	fault := r.where(func(a *answer) bool { return a.sent.After(killed) && a.sent.Before(restarted) })
	wantDegraded(t, o, fault, "redis kill -9 under load", faultLatency())
	r.onlyCodes(t, "ok")
	// Between the start of the empty Redis and its filling every user is unknown.
	o.check(t, r.where(func(a *answer) bool { return a.sent.Before(restarted) || a.sent.After(filled.Add(healed)) }))
	after := g.metrics(t)
	if n := after.sum("hotpath_degraded_total", `fallback="features"`) - before.sum("hotpath_degraded_total"); n == 0 {
		t.Error("hotpath_degraded_total counts nothing")
	}
	if dials := after.sum("hotpath_feature_dials_total") - before.sum("hotpath_feature_dials_total"); dials > 60 {
		t.Errorf("%g dials", dials)
	}
	g.Stop(t)
}

// TestRedisStalledUnderLoad is row 1: SIGSTOP leaves the connection open.
func TestRedisStalledUnderLoad(t *testing.T) {
	o := theOracle(t)
	g, redis := startOverRedis(t, "", faulty...)
	l := faultLoad(t, o, g)
	goroutines := g.goroutines(t)
	redis.Signal(t, syscall.SIGSTOP)
	stalled := time.Now()
	within(t, scaled(5*time.Second), "the breaker opens", func() bool { return g.breaker(t, "features") == 2 })
	opened := time.Now()
	seen, most := l.next.Load(), 0
	within(t, scaled(10*time.Second), "load on a stalled Redis", func() bool {
		most = max(most, g.goroutines(t))
		return l.next.Load() > seen+2*int64(l.rate)
	})
	redis.Signal(t, syscall.SIGCONT)
	continued := time.Now()
	healed := within(t, scaled(2*time.Second), "answers are fresh again", func() bool { return g.fresh(t) })
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	o.check(t, r)
	wantDegraded(t, o, r.where(func(a *answer) bool { return a.sent.After(stalled) && a.sent.Before(opened) }),
		"redis SIGSTOP until the breaker opened", faultLatency())
	wantDegraded(t, o, r.where(func(a *answer) bool { return a.sent.After(opened) && a.sent.Before(continued) }),
		"redis SIGSTOP after the breaker opened", faultLatency())
	if most > goroutines+80 {
		t.Errorf("%d goroutines while Redis was stalled, %d before", most, goroutines)
	}
	verdict(t, "redis SIGCONT", "fresh within 2 s, goroutines bounded", "fresh after %s, goroutines %d -> %d", healed.Round(time.Millisecond), goroutines, most)
	g.Stop(t)
}

func (g *gateway) goroutines(t *testing.T) int {
	t.Helper()
	var s struct{ Goroutines int }
	g.get(t, "/admin/status", &s)
	return s.Goroutines
}

// TestStartWithoutRedis is row 41.
func TestStartWithoutRedis(t *testing.T) {
	o := theOracle(t)
	dir, port := demoFiles(t, ""), child.FreePort(t)
	g := startGateway(t, dir, append(demoArgs(dir, "127.0.0.1:"+port), faulty...)...)
	status, p := g.predict(t, `{"user_id":"user-1"}`)
	if status != 200 || fmt.Sprint(p.Degraded) != "[features]" || !near(p.Prediction, o.defaults[p.Version]) {
		t.Errorf("without Redis: %d %+v, want the defaults, degraded", status, p)
	}
	code, ready := g.ready(t)
	if code != 200 || ready.Dependencies["features"].Status != "degraded" {
		t.Errorf("/readyz without Redis: %d %+v", code, ready)
	}
	startRedis(t, port).fill(t, dir)
	healed := within(t, scaled(2*time.Second), "answers are fresh", func() bool { return g.fresh(t) })
	if status, p := g.predict(t, `{"user_id":"user-1"}`); status != 200 || !near(p.Prediction, o.predictions[p.Version]["user-1"]) {
		t.Errorf("with Redis: %d %+v", status, p)
	}
	verdict(t, "start without redis", "200 degraded, /readyz says so, heals within 2 s", "%v, features %q, healed after %s",
		p.Degraded, ready.Dependencies["features"].Detail, healed.Round(time.Millisecond))
	g.Stop(t)
}

// TestWrongTypeOfOneKey is row 8: one user's bad key is no fault of Redis.
func TestWrongTypeOfOneKey(t *testing.T) {
	o := theOracle(t)
	g, redis := startOverRedis(t, "", append(faulty, "--set", "features.copies.entries=0")...)
	redis.must(t, "DEL", "features:user:user-2")
	redis.must(t, "SET", "features:user:user-2", "text")
	r := load{addr: g.Traffic, conns: 8, total: byRace(400, 2000), body: func(i int) (string, string) {
		user := o.users[i%2] // user-1 and user-2
		return user, fmt.Sprintf(`"user_id":%q}`, user)
	}}.begin(t).wait(t)
	r.onlyCodes(t, "ok")
	for i := range r.answers {
		a := &r.answers[i]
		want := o.predictions[a.parsed.Version][a.user]
		if a.user == "user-2" {
			want = o.defaults[a.parsed.Version]
		}
		if !near(a.parsed.Prediction, want) {
			t.Fatalf("%s got %v, want %v", a.user, a.parsed.Prediction, want)
		}
	}
	m := g.metrics(t)
	counted, trips := m.sum("hotpath_feature_errors_total", `kind="wrongtype"`), m.sum("hotpath_breaker_trips_total", `downstream="features"`)
	if counted == 0 || trips != 0 || g.breaker(t, "features") != 0 {
		t.Errorf("%g errors of kind wrongtype, %g trips", counted, trips)
	}
	verdict(t, "WRONGTYPE on one key", "defaults for that user, the breaker does not move", "%d answers, %g counted, %g trips, degraded %v",
		len(r.answers), counted, trips, r.where(func(a *answer) bool { return a.user == "user-2" }).answers[0].parsed.Degraded)
	g.Stop(t)
}

func near(a, b float64) bool { return a-b <= sameScore && b-a <= sameScore }
