package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// TestDrainUnderLoad is row 34: SIGTERM with keep-alive connections under load.
func TestDrainUnderLoad(t *testing.T) {
	o := theOracle(t)
	g, _ := startOverRedis(t, "", append(calm, "--set", "server.lame_duck=700ms")...)
	l := load{addr: g.Traffic, rate: byRace(300.0, 2000.0), conns: 32, body: o.body}.begin(t)
	within(t, scaled(5*time.Second), "some load ran", func() bool { return l.next.Load() > int64(l.rate)/2 })
	g.Signal(t, sigterm)
	signalled := time.Now()
	var ready readiness
	noticed := within(t, scaled(300*time.Millisecond), "/readyz says draining", func() bool {
		var status int
		status, ready = g.ready(t)
		return status == 503 && ready.Status == "draining"
	})
	if status, body, _ := request(t, "GET", "http://"+g.Traffic+"/livez", ""); status != 200 {
		t.Errorf("/livez while draining: %d %s", status, body)
	}
	code := g.Wait(t, scaled(11*time.Second))
	took := time.Since(signalled)
	r := l.stop(t)
	r.onlyCodes(t, "ok", "draining", "refused")
	if lost := r.lostBy(); r.codes()["lost"] > 0 {
		t.Errorf("lost: %v", lost)
	}
	o.check(t, r)
	served := r.where(func(a *answer) bool { return a.sent.After(signalled.Add(noticed)) && a.err == nil })
	if len(served.answers) == 0 {
		t.Error("nothing was served in the lame-duck time")
	}
	for i := range served.answers {
		if a := &served.answers[i]; !a.reply.closing {
			t.Errorf("answer %d while draining lacks Connection: close: %s", a.reply.status, a.reply.body)
			break
		}
	}
	if code != 0 || !strings.Contains(g.Stderr.String(), "everything accepted was answered") {
		t.Errorf("exit %d, want 0 and a log line that nothing was lost", code)
	}
	verdict(t, "SIGTERM under load", "readyz 503 at once, none lost, exit 0", "503 after %s, %d answers, codes %v, exit %d after %s",
		noticed.Round(time.Millisecond), len(r.answers), r.codes(), code, took.Round(time.Millisecond))
}

// TestSecondSignal ends a gateway that is draining.
func TestSecondSignal(t *testing.T) {
	g, _ := startOverRedis(t, "", append(calm, "--set", "server.lame_duck=1m")...)
	g.Signal(t, sigterm)
	within(t, scaled(time.Second), "/readyz says draining", func() bool { status, _ := g.ready(t); return status == 503 })
	if !g.Running() {
		t.Fatal("the gateway ended in its lame-duck time")
	}
	again := time.Now()
	g.Signal(t, sigterm)
	code := g.Wait(t, scaled(time.Second))
	if code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
	verdict(t, "second SIGTERM", "exits at once with 3", "exit %d after %s", code, time.Since(again).Round(time.Millisecond))
}

// shortDrain bounds a drain to 3 s.
var shortDrain = []string{"--set", "deadline.default=1s", "--set", "deadline.max=1s", "--set", "features.budget=100ms", "--set", "server.drain_timeout=3s"}

// TestDrainWithStalledRedis is a part of row 35.
func TestDrainWithStalledRedis(t *testing.T) {
	o := theOracle(t)
	g, redis := startOverRedis(t, "", append(faulty, append(shortDrain, "--set", "server.lame_duck=700ms")...)...)
	l := faultLoad(t, o, g)
	redis.Signal(t, syscall.SIGSTOP)
	within(t, scaled(5*time.Second), "answers are degraded", func() bool { return !g.fresh(t) })
	g.Signal(t, sigterm)
	began := time.Now()
	code := g.Wait(t, scaled(4*time.Second))
	took := time.Since(began)
	r := l.stop(t)
	r.onlyCodes(t, "ok", "draining", "refused")
	if code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	verdict(t, "SIGTERM with redis stalled", "exit 0 within drain + 1 s, none lost", "exit %d after %s, codes %v", code, took.Round(time.Millisecond), r.codes())
}

// TestDrainWithOpenConnections is a part of row 35: connections that never sent
// anything, that sent half a request, and that lie idle between two.
func TestDrainWithOpenConnections(t *testing.T) {
	g, _ := startOverRedis(t, "", append(calm, append(shortDrain, "--set", "server.read_timeout=1s")...)...)
	whole := post("/predict", `{"user_id":"user-1"}`)
	for i := range 9 {
		c, err := dialWire(g.Traffic)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		switch i % 3 {
		case 0:
			_, err = c.conn.Write(whole[:40])
		case 1:
			_, err = c.do(whole, 5*time.Second)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	g.Signal(t, sigterm)
	began := time.Now()
	code := g.Wait(t, scaled(4200*time.Millisecond))
	if code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	verdict(t, "SIGTERM with silent, half and idle connections", "exit 0 within drain + 1 s", "exit %d after %s", code, time.Since(began).Round(time.Millisecond))
}

// TestDrainWhileLoading is a part of row 35: the signal comes before the models
// are loaded.
func TestDrainWhileLoading(t *testing.T) {
	dir := demoFiles(t, "")
	g := launchGateway(t, dir, append(demoArgs(dir, "127.0.0.1:"+child.FreePort(t)), "--set", "server.lame_duck=100ms")...)
	within(t, 10*time.Second, "the gateway logs", func() bool { return strings.Contains(g.Stderr.String(), "model version loaded") || !g.Running() })
	g.Signal(t, sigterm)
	began := time.Now()
	code := g.Wait(t, scaled(3*time.Second))
	if code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	verdict(t, "SIGTERM while models load", "exit 0", "exit %d after %s", code, time.Since(began).Round(time.Millisecond))
}
