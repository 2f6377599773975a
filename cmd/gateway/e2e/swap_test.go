package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// noExperiments lets the current version answer everybody.
const noExperiments = "experiments: []\n"

// startOverRedis starts a gateway over the demo's models and a filled Redis.
func startOverRedis(t *testing.T, experiments string, settings ...string) (*gateway, *redisServer) {
	t.Helper()
	dir := demoFiles(t, experiments)
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	return startGateway(t, dir, append(demoArgs(dir, redis.addr), settings...)...), redis
}

// TestModelSwapUnderLoad copies version 3 of the risk model into the repository
// and rolls it back while requests go on.
func TestModelSwapUnderLoad(t *testing.T) {
	o := theOracle(t)
	g, _ := startOverRedis(t, noExperiments, calm...)
	before := g.metrics(t)
	rate := byRace(300.0, 2000.0)
	l := load{addr: g.Traffic, rate: rate, conns: 32, body: o.body}.begin(t)
	current := func() int { return g.model(t, "risk").Current }
	within(t, scaled(5*time.Second), "some load ran", func() bool { return l.next.Load() > int64(rate) })

	copyFolder(t, filepath.Join(g.Dir, "candidates/risk/3"), filepath.Join(g.Dir, "repository/risk/3"))
	took := within(t, scaled(10*time.Second), "version 3 is current", func() bool { return current() == 3 })
	verdict(t, "copy risk/3", "current by itself", "current after %s", took.Round(time.Millisecond))
	served := l.next.Load()
	within(t, scaled(5*time.Second), "load on version 3", func() bool { return l.next.Load() > served+int64(rate) })

	if code, out, stderr := g.cli(t, "models", "rollback", "risk"); code != 0 || current() != 2 {
		t.Errorf("rollback: exit %d, current %d\n%s%s", code, current(), out, stderr)
	}
	rolledBack := time.Now()
	served = l.next.Load()
	within(t, scaled(5*time.Second), "load on version 2", func() bool { return l.next.Load() > served+int64(rate)/2 })
	r := l.stop(t)

	r.onlyCodes(t, "ok")
	o.check(t, r)
	r.addsUp(t, before, g.metrics(t))
	versions := r.versions()
	if versions[2] == 0 || versions[3] == 0 || len(versions) != 2 {
		t.Errorf("answers by version: %v, want 2 and 3", versions)
	}
	if late := r.after(rolledBack).versions(); late[3] > 0 {
		t.Errorf("%d requests sent after the rollback were answered by version 3", late[3])
	}
	verdict(t, "swap and rollback under load", "0 failed, every prediction that of the version named", "%d answers, codes %v, versions %v, p99 %s",
		len(r.answers), r.codes(), versions, r.quantile(.99).Round(10*time.Microsecond))
	g.Stop(t)
}

// TestHalfCopiedAndBrokenModels shows that only whole and valid files serve.
func TestHalfCopiedAndBrokenModels(t *testing.T) {
	o := theOracle(t)
	g, _ := startOverRedis(t, noExperiments, calm...)
	l := load{addr: g.Traffic, rate: 200, conns: 8, body: o.body}.begin(t)

	from, to := filepath.Join(g.Dir, "candidates/risk/3"), filepath.Join(g.Dir, "repository/risk/3")
	copySlowly(t, g, from, to)
	within(t, scaled(10*time.Second), "version 3 is current", func() bool { return g.model(t, "risk").Current == 3 })
	if n := g.metrics(t).sum("hotpath_model_loads_total", `model="risk"`, `result="refused"`); n != 0 {
		t.Errorf("%g loads of half a file", n)
	}
	verdict(t, "slow copy in 10 % steps", "never half a file", "loads by result: refused %g", g.metrics(t).sum("hotpath_model_loads_total", `model="risk"`, "refused"))

	model, err := os.ReadFile(filepath.Join(from, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(g.Dir, "repository/risk/4/model.onnx"), string(model[:len(model)/2]))
	within(t, scaled(10*time.Second), "version 4 is refused", func() bool { return g.model(t, "risk").version(4).State == "refused" })
	m := g.model(t, "risk")
	if v := m.version(4); m.Current != 3 || v.Reason == "" || v.Code == "" {
		t.Errorf("after a broken version 4: %+v", m)
	}
	if code, out, _ := g.cli(t, "models", "list", "risk"); code != 0 || !strings.Contains(out, "refused") || !strings.Contains(out, m.version(4).Code) {
		t.Errorf("models list: exit %d\n%s", code, out)
	}
	if code, _, stderr := g.cli(t, "models", "load", "risk", "4"); code != 1 || !strings.Contains(stderr, m.version(4).Code) {
		t.Errorf("models load risk 4: exit %d %s", code, stderr)
	}
	verdict(t, "broken risk/4", "refused with a reason, 3 serves", "%s: %s", m.version(4).Code, m.version(4).Reason)
	// The file of the version that serves is overwritten in place and then gone
	// (row 23): what serves is in memory.
	write(t, filepath.Join(to, "model.onnx"), "overwritten")
	within(t, scaled(10*time.Second), "the overwritten file is refused", func() bool { return g.model(t, "risk").version(3).Code != "" })
	if m := g.model(t, "risk"); m.Current != 3 || m.version(3).State != "ready" {
		t.Errorf("after overwriting the served file: %+v", m)
	}
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	o.check(t, r)
	verdict(t, "answers meanwhile", "0 failed", "%d answers, codes %v, versions %v", len(r.answers), r.codes(), r.versions())
	g.Stop(t)
}

// copySlowly writes the folder's files one after the other, each in ten steps
// into its final place, and checks after each step that nothing was loaded.
func copySlowly(t *testing.T, g *gateway, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.onnx", "golden.json"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		for step := range 10 {
			if _, err := f.Write(data[len(data)*step/10 : len(data)*(step+1)/10]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond) // the writer's own pace, under models.settle
			if m := g.model(t, "risk"); m.Current != 2 || m.version(3).State == "refused" {
				t.Fatalf("%s after step %d: %+v", name, step, fmt.Sprint(m))
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
