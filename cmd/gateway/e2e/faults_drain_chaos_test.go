//go:build chaos

package e2e

import (
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/cmd/gateway/e2e/faultproxy"
)

// TestDrainWithEverythingStuck is row 35: SIGTERM while a run is stuck in one
// kernel, Redis hears nothing, connections lie open, and a model is being loaded.
func TestDrainWithEverythingStuck(t *testing.T) {
	dir := demoFiles(t, "")
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	p := faultproxy.Start(t, redis.addr)
	copyFixture(t, "slow_kernel", dir+"/repository/slow_kernel/1")
	write(t, dir+"/repository/slow_kernel/config.yaml", "max_batch_size: 1\nrun_timeout: 250ms\n")
	const drain = 3 * time.Second
	args := append(demoArgs(dir, p.Addr), "--set", "deadline.default=500ms", "--set", "deadline.max=1s", "--set", "features.budget=100ms",
		"--set", "server.drain_timeout="+drain.String(), "--set", "server.lame_duck=200ms", "--set", "models.poll_interval=100ms", "--set", "models.settle=100ms")
	g := launchGateway(t, dir, args...)
	g.WaitServing(t)
	g.waitModel(t, "slow_kernel", 1)
	within(t, scaled(5*time.Second), "features are fresh", func() bool { return g.fresh(t) })
	for range 4 {
		w, err := dialWire(g.Traffic)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
	}
	p.Set(faultproxy.Fault{Deaf: true})
	l := load{addr: g.Traffic, rate: 20, conns: 16, body: slowBody("slow_kernel")}.begin(t)
	within(t, scaled(5*time.Second), "a run is stuck", func() bool { return g.metrics(t).sum("hotpath_runners_stuck") > 0 })
	copyFixture(t, "slow_kernel", dir+"/repository/slow_kernel/2")
	time.Sleep(200 * time.Millisecond)
	g.Signal(t, sigterm)
	began := time.Now()
	code := g.Wait(t, scaled(drain+2*time.Second))
	took := time.Since(began)
	r := l.stop(t)
	r.onlyCodes(t, "deadline", "model_unavailable", "breaker_open", "overloaded", "draining", "refused")
	said := strings.Contains(g.Stderr.String(), "abandoned")
	if code != 0 && !(code == 3 && said) {
		t.Errorf("exit %d, told what was abandoned: %t", code, said)
	}
	if limit := scaled(drain + 200*time.Millisecond + time.Second); took > limit {
		t.Errorf("took %s, want at most %s", took, limit)
	}
	verdict(t, "row 35: SIGTERM with a stuck run, a deaf redis, open connections and a load", "exit within drain + 1 s, 0, or 3 and a line", "exit %d after %s, told: %t, %v",
		code, took.Round(time.Millisecond), said, r.codes())
}
