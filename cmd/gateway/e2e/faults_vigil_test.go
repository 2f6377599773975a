package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The bounds of what a fault may leave behind (I6, I7).
const (
	mayKeepGoroutines = 5
	mayKeepFiles      = 5
	mayKeepMemory     = 64 << 20
	settleWithin      = 5 * time.Second
)

// vigil watches one gateway through one case, and in the end says whether it kept
// what must hold in every case: each request has one well-formed answer (I1, which
// report checks) in time (I2) with a code of the case (I5), the process holds no
// more than before (I6, I7), the counters add up (I8), and /livez was good
// throughout (I9; child looks into the log for races and panics).
type vigil struct {
	g      *gateway
	before metrics
	held   usage
	// probes are requests of the test beside its load.
	probes []answer
	// strays are requests whose answers nobody read: they may have been counted.
	strays int
	// most is the largest number of goroutines that was seen.
	most atomic.Int64

	alive, dead atomic.Int64 // answers of /livez
	stop        chan struct{}
	watching    sync.WaitGroup
}

// keepVigil begins once the gateway has the memory and threads that it needs for a
// load of this kind. Goroutines and descriptors are those from before any.
func keepVigil(t *testing.T, g *gateway, body func(i int) (user, rest string)) *vigil {
	t.Helper()
	v := &vigil{g: g, stop: make(chan struct{})}
	idle := v.settled(t)
	load{addr: g.Traffic, conns: 48, total: byRace(600, 4000), body: body}.begin(t).wait(t)
	v.collect(t)
	v.held = g.usage(t)
	v.held.goroutines, v.held.fds = idle.goroutines, idle.fds
	v.before = g.metrics(t)
	v.watching.Go(v.watch)
	t.Cleanup(v.leave)
	return v
}

// settled reads what the process holds once that does not change any more.
func (v *vigil) settled(t *testing.T) usage {
	t.Helper()
	v.collect(t)
	last := v.g.usage(t)
	for start := time.Now(); time.Since(start) < scaled(settleWithin); {
		time.Sleep(100 * time.Millisecond)
		u := v.g.usage(t)
		if u.goroutines == last.goroutines && u.fds == last.fds {
			return u
		}
		last = u
	}
	return last
}

// collect makes the gateway collect its garbage.
func (v *vigil) collect(t *testing.T) {
	t.Helper()
	if status, _, _ := request(t, "GET", "http://"+v.g.Admin+"/debug/pprof/heap?gc=1", ""); status != 200 {
		t.Fatalf("collecting garbage: status %d", status)
	}
}

// watch asks for life ten times a second.
func (v *vigil) watch() {
	client := http.Client{Timeout: scaled(5 * time.Second), Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := client.Get("http://" + v.g.Traffic + "/livez")
		if err == nil {
			resp.Body.Close()
		}
		if err == nil && resp.StatusCode == http.StatusOK {
			v.alive.Add(1)
		} else {
			v.dead.Add(1)
		}
		select {
		case <-v.stop:
			return
		case <-tick.C:
		}
	}
}

func (v *vigil) leave() {
	select {
	case <-v.stop:
	default:
		close(v.stop)
	}
	v.watching.Wait()
}

// probe makes one prediction that counts among the case's.
func (v *vigil) probe(t *testing.T, body string, header ...string) answer {
	t.Helper()
	at := time.Now()
	status, p := v.g.predict(t, body, header...)
	a := answer{sent: at, took: time.Since(at), reply: reply{status: status}, parsed: p}
	v.probes = append(v.probes, a)
	return a
}

// fresh says that features come from Redis.
func (v *vigil) fresh(t *testing.T) bool {
	t.Helper()
	a := v.probe(t, `{"user_id":"user-1"}`)
	return a.reply.status == 200 && len(a.parsed.Degraded) == 0
}

// look keeps the largest number of goroutines; a condition to wait with.
func (v *vigil) look(t *testing.T) {
	t.Helper()
	v.most.Store(max(v.most.Load(), int64(v.g.goroutines(t))))
}

// end checks what the load of the case brought and what the process holds now. It
// gives a line about both.
func (v *vigil) end(t *testing.T, r report, deadline time.Duration, codes ...string) string {
	t.Helper()
	v.leave()
	r.onlyCodes(t, codes...)
	if late := deadline + scaled(20*time.Millisecond); r.quantile(.999) > late || r.quantile(1) > 2*late {
		t.Errorf("p99.9 %s, slowest %s with a deadline of %s: %s", r.quantile(.999), r.quantile(1), deadline, r.slowest(late))
	}
	if v.dead.Load() > 0 || v.alive.Load() == 0 {
		t.Errorf("/livez: %d good answers, %d others", v.alive.Load(), v.dead.Load())
	}
	v.count(t, r)
	u := v.back(t)
	return fmt.Sprintf("%d answers %v, %d degraded, p50 %s p99 %s max %s, goroutines %d -> %d (most %d), fds %d -> %d, RSS %+.0f MiB", len(r.answers)+len(r.passed), r.codes(), len(r.where(degraded).answers),
		r.quantile(.5).Round(10*time.Microsecond), r.quantile(.99).Round(10*time.Microsecond), r.quantile(1).Round(time.Millisecond),
		v.held.goroutines, u.goroutines, v.most.Load(), v.held.fds, u.fds, mib(u.rss-v.held.rss))
}

// count holds the gateway's counters against what the clients saw. What was lost
// on its way may have been counted or not.
func (v *vigil) count(t *testing.T, r report) {
	t.Helper()
	all := report{answers: append(append([]answer(nil), r.answers...), v.probes...)}
	seen, after := all.codes(), v.g.metrics(t)
	seen["ok"] += len(r.passed)
	lost := seen["lost"] + v.strays
	grown := func(labels ...string) int {
		return int(after.sum("hotpath_requests_total", labels...) - v.before.sum("hotpath_requests_total", labels...))
	}
	for code, n := range seen {
		if code == "lost" || code == "refused" {
			continue
		}
		if got := grown(`route="predict"`, fmt.Sprintf("code=%q", code)); got < n || got > n+lost {
			t.Errorf("hotpath_requests_total counts %d more with code %s, the clients saw %d and lost %d", got, code, n, lost)
		}
	}
	answered := len(all.where(func(a *answer) bool { return a.err == nil }).answers) + len(r.passed)
	if got := grown(`route="predict"`); got < answered || got > answered+lost {
		t.Errorf("hotpath_requests_total counts %d more, the clients saw %d and lost %d", got, answered, lost)
	}
}

// back waits until the process holds no more than before the case.
func (v *vigil) back(t *testing.T) (u usage) {
	t.Helper()
	memory, threads := byRace(2, 1)*mayKeepMemory, byRace(10, 5)
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		v.collect(t)
		u = v.g.usage(t)
		if u.goroutines <= v.held.goroutines+mayKeepGoroutines && u.fds <= v.held.fds+mayKeepFiles &&
			u.threads <= v.held.threads+threads && u.rss <= v.held.rss+memory {
			return u
		}
		if time.Since(start) > scaled(settleWithin) {
			t.Errorf("after the case: %+v; before: %+v", u, v.held)
			return u
		}
	}
}
