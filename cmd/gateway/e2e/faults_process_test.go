package e2e

import (
	"fmt"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// startEcho starts a gateway over the echo model alone.
func startEcho(t *testing.T, settings ...string) *gateway {
	t.Helper()
	dir := fixtures(t, "echo")
	return startGateway(t, dir, append(fixtureArgs(dir), settings...)...)
}

// TestWholeGatewayStopped is a part of row 40: SIGSTOP for longer than the
// deadline, as a paused machine does. What came meanwhile is too late and not run.
func TestWholeGatewayStopped(t *testing.T) {
	g := startEcho(t, "--set", "deadline.default=500ms")
	v := keepVigil(t, g, echoBody)
	// A stopped process answers nothing, /livez neither.
	v.leave()
	runs := func() float64 { return g.metrics(t).sum("hotpath_batch_size_sum") }
	before := runs()
	g.Signal(t, syscall.SIGSTOP)
	l := load{addr: g.Traffic, conns: 32, total: 32, body: echoBody}.begin(t)
	within(t, scaled(5*time.Second), "all is sent", func() bool { return l.next.Load() >= 32 })
	time.Sleep(1500 * time.Millisecond)
	g.Signal(t, syscall.SIGCONT)
	r := l.wait(t)
	// The deadline counts from the first byte that the gateway reads: it cannot know
	// how long that lay in the kernel.
	r.onlyCodes(t, "ok", "deadline", "overloaded")
	checkEcho(t, r)
	again := load{addr: g.Traffic, conns: 8, total: byRace(200, 1000), body: echoBody}.begin(t).wait(t)
	again.onlyCodes(t, "ok")
	checkEcho(t, again)
	for _, trips := range []string{"hotpath_breaker_trips_total", "hotpath_run_errors_total"} {
		if n := g.metrics(t).sum(trips) - v.before.sum(trips); n != 0 {
			t.Errorf("%s counts %g more", trips, n)
		}
	}
	ran := runs() - before
	v.count(t, report{answers: append(r.answers, again.answers...)})
	verdict(t, "row 40: SIGSTOP of the gateway for 1.5 s", "every request answered, nothing trips, goes on at once", "%v, then %v; %g rows run; %+v", r.codes(), again.codes(), ran, v.back(t))
	g.Stop(t)
}

// TestNoFilesLeft is a part of row 40: connections take all descriptors that the
// process may have. The port must be served again once some are free.
func TestNoFilesLeft(t *testing.T) {
	dir := fixtures(t, "echo")
	at := child.Addresses{Traffic: "127.0.0.1:" + child.FreePort(t), Admin: "127.0.0.1:" + child.FreePort(t)}
	args := append([]string{"-c", `ulimit -n 128; exec "$@"`, "sh", child.Binary(), "serve", "--listen", at.Traffic, "--admin", at.Admin,
		"--set", "server.grpc_listen=127.0.0.1:0"}, fixtureArgs(dir)...)
	g := &gateway{&child.Gateway{Process: child.Start(t, dir, child.Environment(dir), "sh", args...), Dir: dir, Addresses: at}}
	g.WaitServing(t)
	v := keepVigil(t, g, func(i int) (string, string) { return echoBody(i) })
	v.leave()
	var open []net.Conn
	for range 200 {
		c, err := net.DialTimeout("tcp", g.Traffic, time.Second)
		if err != nil {
			break // the backlog is full, too
		}
		open = append(open, c)
	}
	time.Sleep(300 * time.Millisecond)
	if !g.Running() {
		t.Errorf("the gateway ended with %d", g.Code())
	}
	for _, c := range open {
		c.Close()
	}
	took := within(t, scaled(5*time.Second), "requests are answered again", func() bool {
		status, _, _ := request(t, "GET", "http://"+g.Traffic+"/livez", "")
		return status == 200
	})
	r := load{addr: g.Traffic, conns: 8, total: byRace(200, 1000), body: echoBody}.begin(t).wait(t)
	checkEcho(t, r)
	v.dead.Store(0)
	v.alive.Store(1)
	line := v.end(t, r, 5*time.Second, "ok")
	verdict(t, "row 40: "+strconv.Itoa(len(open))+" connections with 128 descriptors", "the accept loop survives", "answers %s after they were closed; %s", took.Round(time.Millisecond), line)
	g.Stop(t)
}

// TestBurst is a part of row 40: far more than can be served, for a moment.
func TestBurst(t *testing.T) {
	g := startEcho(t, "--set", "deadline.default=100ms", "--set", "server.max_in_flight=64")
	v := keepVigil(t, g, func(i int) (string, string) { return echoBody(i) })
	burst := load{addr: g.Traffic, conns: 400, total: byRace(3000, 20000), body: echoBody}.begin(t).wait(t)
	checkEcho(t, burst)
	burst.onlyCodes(t, "ok", "overloaded", "deadline")
	if burst.codes()["ok"] == 0 {
		t.Errorf("nothing was served: %v", burst.codes())
	}
	calm := load{addr: g.Traffic, rate: 100, conns: 8, total: 50, body: echoBody, header: []string{"X-Request-Timeout-Ms: 5000"}}.begin(t).wait(t)
	calm.onlyCodes(t, "ok")
	refused := burst.where(func(a *answer) bool { return a.code() == "overloaded" })
	good := burst.where(func(a *answer) bool { return a.code() == "ok" })
	all := report{answers: append(burst.answers, calm.answers...), lasted: burst.lasted}
	line := v.end(t, all, scaled(time.Second), "ok", "overloaded", "deadline")
	verdict(t, "row 40: 400 connections that send without a pause, 64 in flight allowed", "503 at once, the rest served, good at once afterwards",
		"%.0f served and %.0f refused a second, refusals p99 %s; %s", float64(len(good.answers))/burst.lasted.Seconds(), float64(len(refused.answers))/burst.lasted.Seconds(),
		refused.quantile(.99).Round(10*time.Microsecond), line)
	g.Stop(t)
}

// TestHotModelBesideAQuietOne is row 45.
func TestHotModelBesideAQuietOne(t *testing.T) {
	dir := fixtures(t, "echo")
	copyFixture(t, "echo", dir+"/repository/hot/1")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	quiet := func(i int) (string, string) { return echoBody(i) }
	hot := func(i int) (string, string) {
		user, _ := echoBody(i)
		return user, fmt.Sprintf(`"user_id":%q,"model":"hot","features":{"id":%d,"x":[%d,1,2,0.5]}}`, user, i, i%1000)
	}
	v := keepVigil(t, g, quiet)
	rate := byRace(40.0, 200.0)
	alone := load{addr: g.Traffic, rate: rate, conns: 16, total: int(rate), body: quiet}.begin(t).wait(t)
	flood := load{addr: g.Traffic, rate: 10 * rate, conns: 64, body: hot}.begin(t)
	beside := load{addr: g.Traffic, rate: rate, conns: 16, total: int(rate), body: quiet}.begin(t).wait(t)
	hots := flood.stop(t)
	checkEcho(t, hots)
	checkEcho(t, beside)
	if p50, most := beside.quantile(.5), 3*alone.quantile(.5)/2+scaled(10*time.Millisecond); p50 > most {
		t.Errorf("p50 of the quiet model is %s beside the hot one, %s alone", p50, alone.quantile(.5))
	}
	all := report{answers: append(append(alone.answers, beside.answers...), hots.answers...)}
	line := v.end(t, all, 5*time.Second, "ok")
	verdict(t, "row 45: one model gets 10 times the requests of another", "the quiet one keeps its latency",
		"quiet p50 %s p99 %s alone, %s and %s beside %d of the hot one; %s", alone.quantile(.5).Round(10*time.Microsecond), alone.quantile(.99).Round(10*time.Microsecond),
		beside.quantile(.5).Round(10*time.Microsecond), beside.quantile(.99).Round(10*time.Microsecond), len(hots.answers), line)
	g.Stop(t)
}

// TestGarbageCollectedAllTheTime is a part of row 40: one collection follows the
// other.
func TestGarbageCollectedAllTheTime(t *testing.T) {
	g := startEcho(t)
	v := keepVigil(t, g, echoBody)
	l := load{addr: g.Traffic, rate: byRace(150.0, 1000.0), conns: 32, body: echoBody}.begin(t)
	for l.next.Load() < int64(l.rate) {
		v.collect(t)
	}
	r := l.stop(t)
	checkEcho(t, r)
	cycles := g.metrics(t).sum("go_gc_duration_seconds_count") - v.before.sum("go_gc_duration_seconds_count")
	if cycles < 5 {
		t.Errorf("%g collections: was there a storm?", cycles)
	}
	line := v.end(t, r, scaled(500*time.Millisecond), "ok")
	verdict(t, "row 40: the garbage collector runs all the time", "every request answered right and in time", "%g collections in a second; %s", cycles, line)
	g.Stop(t)
}
