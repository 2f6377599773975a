package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// slowBody asks a model whose one run takes seconds.
func slowBody(model string) func(i int) (user, rest string) {
	return func(i int) (string, string) {
		user := fmt.Sprintf("u%d", i)
		return user, fmt.Sprintf(`"user_id":%q,"model":%q,"features":{"x":1}}`, user, model)
	}
}

// waitModel waits until a version is ready. A slow model is slow to warm up, too.
func (g *gateway) waitModel(t *testing.T, model string, version int) {
	t.Helper()
	within(t, time.Minute, fmt.Sprintf("%s %d is ready", model, version), func() bool {
		v := g.model(t, model).version(version)
		if v.State == "refused" {
			t.Fatalf("%s %d is refused: %s", model, version, v.Reason)
		}
		return v.State == "ready" && g.model(t, model).Current == version
	})
}

// TestStuckModel is row 15: runs of 5 s in many small nodes, which the watchdog
// can end.
func TestStuckModel(t *testing.T) {
	const model = "slow_loop"
	g, quiet := startWithStuck(t, model)
	r := load{addr: g.Traffic, rate: 60, conns: 60, total: 120, body: slowBody(model)}.begin(t).wait(t)
	r.onlyCodes(t, "deadline", "model_unavailable", "breaker_open", "overloaded")
	codes := r.codes()
	if codes["deadline"] == 0 || codes["breaker_open"] == 0 {
		t.Errorf("codes %v, want deadlines first and then an open breaker", codes)
	}
	worst := r.quantile(1)
	if worst > scaled(stuckDeadline+100*time.Millisecond) {
		t.Errorf("an answer took %s, want at most the deadline of %s and a little", worst, stuckDeadline)
	}
	if trips := g.metrics(t).sum("hotpath_breaker_trips_total", model); trips == 0 {
		t.Error("no breaker opened")
	}
	if _, ready := g.ready(t); ready.Status != "ready" {
		t.Errorf("readiness %+v", ready)
	}
	verdict(t, "model of 5 s a run, run_timeout 250 ms", "504 at the deadline, then breaker_open", "%v, slowest %s", codes, worst.Round(time.Millisecond))
	heal(t, g, model)
	checkQuiet(t, quiet.stop(t))
	g.Stop(t)
}

// stuckDeadline is the default deadline beside a stuck model. The load on the
// healthy one asks for more: what is slow there is the test machine.
const stuckDeadline = 100 * time.Millisecond

// startWithStuck starts a gateway with the echo model under load and puts a slow
// model beside it.
func startWithStuck(t *testing.T, model string) (*gateway, *running) {
	t.Helper()
	dir := fixtures(t, "echo")
	args := append(fixtureArgs(dir), "--set", "features.budget=20ms", "--set", "deadline.default="+stuckDeadline.String())
	g := startGateway(t, dir, args...)
	quiet := load{addr: g.Traffic, rate: 200, conns: 16, body: echoBody, header: []string{"X-Request-Timeout-Ms: 5000"}}.begin(t)
	write(t, filepath.Join(dir, "repository", model, "config.yaml"), "max_batch_size: 1\nrun_timeout: 250ms\n")
	copyFixture(t, model, filepath.Join(dir, "repository", model, "1"))
	g.waitModel(t, model, 1)
	return g, quiet
}

// heal replaces the slow version by a healthy one.
func heal(t *testing.T, g *gateway, model string) {
	t.Helper()
	copyFixture(t, "echo", filepath.Join(g.Dir, "repository", model, "2"))
	g.waitModel(t, model, 2)
	took := within(t, scaled(time.Second), "the healed model answers", func() bool {
		status, p := g.predict(t, fmt.Sprintf(`{"user_id":"u","model":%q,"features":{"id":5,"x":[1,2,3,4]}}`, model))
		return status == 200 && p.Version == 2
	})
	if code, out, stderr := g.cli(t, "models", "unload", model, "1"); code != 0 {
		t.Errorf("unload: exit %d\n%s%s", code, out, stderr)
	}
	verdict(t, model+" replaced by a good version", "heals within 1 s, the old one can be unloaded", "200 after %s", took.Round(time.Millisecond))
}

// checkQuiet is I4: the model beside the stuck one is not touched.
func checkQuiet(t *testing.T, r report) {
	t.Helper()
	r.onlyCodes(t, "ok")
	wrong := checkEcho(t, r)
	verdict(t, "echo model beside the stuck one", "not touched", "%d answers, codes %v, %d wrong, p99 %s", len(r.answers), r.codes(), wrong,
		r.quantile(.99).Round(10*time.Microsecond))
}
