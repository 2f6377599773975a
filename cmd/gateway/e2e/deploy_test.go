package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// deployment is what the admin port says of one.
type deployment struct {
	ID, Model, State, Reason string
	Version, Before          int
	Steps                    []struct{ Name, State, Detail string }
}

func (g *gateway) deployments(t *testing.T, model string) []deployment {
	t.Helper()
	var l struct{ Deployments []deployment }
	g.get(t, "/admin/models/"+model+"/deployments", &l)
	return l.Deployments
}

// stateArgs keep what operators decided beside the repository.
func stateArgs(dir string) []string {
	return []string{"--set", "models.state_file=" + filepath.Join(dir, "state.json")}
}

// leftovers are what a deployment that has ended must not leave in the repository.
func leftovers(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "repository", ".staging"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	state, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err == nil && bytes.Contains(state, []byte("held")) {
		names = append(names, string(state))
	}
	return names
}

// TestDeployUnderLoad brings version 3 in by a comparison with version 2, and is
// then refused with what is bad at each of the steps, while requests go on.
func TestDeployUnderLoad(t *testing.T) {
	o := theOracle(t)
	dir := demoFiles(t, noExperiments)
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	g := startGateway(t, dir, append(append(demoArgs(dir, redis.addr), stateArgs(dir)...), calm...)...)
	before := g.metrics(t)
	rate := byRace(200.0, 1000.0)
	l := load{addr: g.Traffic, rate: rate, conns: 16, body: o.body}.begin(t)
	within(t, scaled(5*time.Second), "some load ran", func() bool { return l.next.Load() > int64(rate)/2 })

	candidate := filepath.Join(dir, "candidates/risk/3")
	start := time.Now()
	code, out, stderr := g.cli(t, "models", "deploy", candidate, "--shadow", "100", "--tolerance", "1", "--watch", "--watch-window", "1s", "--idempotency-key", "first")
	took := time.Since(start)
	if m := g.model(t, "risk"); code != 0 || m.Current != 3 || m.Previous != 2 || !strings.Contains(out, "✓ shadow") || !strings.Contains(out, "done: risk version 3 is current") {
		t.Fatalf("deploy: exit %d, %+v\n%s%s", code, m, out, stderr)
	}
	verdict(t, "deploy risk/3", "exit 0, 3 serves", "after %s", took.Round(10*time.Millisecond))
	// The same request again is the same deployment.
	if code, out, stderr := g.cli(t, "models", "deploy", candidate, "--shadow", "100", "--tolerance", "1", "--watch", "--watch-window", "1s", "--idempotency-key", "first"); code != 0 || len(g.deployments(t, "risk")) != 1 {
		t.Errorf("again: exit %d\n%s%s", code, out, stderr)
	}
	if code, _, stderr := g.cli(t, "models", "deploy", candidate, "--idempotency-key", "first"); code != 1 || !strings.Contains(stderr, "idempotency_key_reused") {
		t.Errorf("another request: exit %d %s", code, stderr)
	}
	refusedAtEachStep(t, g, dir)
	if m := g.model(t, "risk"); m.Current != 3 || len(m.Versions) != 3 {
		t.Errorf("after what was refused: %+v", m)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if code, out, _ := g.cli(t, "models", "deployments", "risk"); code != 0 || strings.Count(out, "failed") < 6 || strings.Count(out, " done ") != 1 {
		t.Errorf("deployments: exit %d\n%s", code, out)
	}
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	o.check(t, r)
	r.addsUp(t, before, g.metrics(t))
	if versions := r.versions(); versions[2] == 0 || versions[3] == 0 || len(versions) != 2 {
		t.Errorf("answers by version: %v, want 2 and 3", versions)
	}
	verdict(t, "deployments under load", "0 failed, every prediction that of the version named", "%d answers, codes %v, versions %v, p99 %s",
		len(r.answers), r.codes(), r.versions(), r.quantile(.99).Round(10*time.Microsecond))
	g.Stop(t)
}

// refusedAtEachStep deploys what each step must find.
func refusedAtEachStep(t *testing.T, g *gateway, dir string) {
	t.Helper()
	candidate := filepath.Join(dir, "candidates/risk/3")
	model, err := os.ReadFile(filepath.Join(dir, "repository/risk/1/model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	unknown := filepath.Join(dir, "unknown.onnx") // whole, and of an operator that nobody has
	write(t, unknown, strings.ReplaceAll(string(model), "LinearClassifier", "LinearClassifies"))
	if status, text, _ := request(t, "POST", "http://"+g.Admin+"/admin/models/risk/deployments?sha256="+strings.Repeat("0", 64), string(model)); status != 422 || !strings.Contains(text, "bad_model") {
		t.Errorf("stage: %d %s", status, text)
	}
	for _, c := range []struct {
		step string
		args []string
	}{
		{"verify", []string{filepath.Join(root, "models/testdata/fixtures/truncated/1"), "--model", "risk"}},
		{"trial", []string{unknown, "--model", "risk"}},
		{"contract", []string{filepath.Join(root, "models/testdata/fixtures/echo/1"), "--model", "risk"}},
		{"load", []string{filepath.Join(candidate, "model.onnx"), "--model", "risk", "--golden", filepath.Join(dir, "repository/risk/2/golden.json")}},
		{"shadow", []string{filepath.Join(dir, "repository/risk/2"), "--shadow", "50", "--tolerance", "1e-9"}},
	} {
		args := append([]string{"models", "deploy"}, c.args...)
		for i, a := range args {
			if abs, err := filepath.Abs(a); err == nil && strings.HasPrefix(a, root) {
				args[i] = abs // the command runs in another folder
			}
		}
		code, out, stderr := g.cli(t, append(args, "--watch")...)
		if code != 1 || !strings.Contains(out, "✗ "+c.step) || !strings.Contains(stderr, c.step+": ") || !strings.Contains(out, "✓ undo") {
			t.Errorf("%s: exit %d\n%s%s", c.step, code, out, stderr)
		}
		if m := g.model(t, "risk"); m.Current != 3 {
			t.Errorf("%s: version %d is current", c.step, m.Current)
		}
		_, reason, _ := strings.Cut(stderr, c.step+": ")
		verdict(t, "bad at "+c.step, "refused there, 3 serves", "%.150s", strings.TrimSpace(reason))
	}
}

// TestDeployTurnsBad: a version with nothing wrong in its file answers NaN to
// everything. The watch takes it back.
func TestDeployTurnsBad(t *testing.T) {
	dir := fixtures(t, "dynamic_output")
	g := startGateway(t, dir, append(append([]string{"--models", filepath.Join(dir, "repository")}, stateArgs(dir)...), calm...)...)
	codes := map[string]int{}
	over := make(chan struct{})
	var user sync.WaitGroup
	user.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			status, text, _ := request(t, "POST", "http://"+g.Traffic+"/predict", `{"user_id":"u","features":{"x":[1,2,3,4]}}`)
			codes[fmt.Sprint(status, strings.Contains(text, "NaN"))]++
		}
	})
	nan, err := filepath.Abs(filepath.Join(root, "models/testdata/fixtures/nan/1"))
	if err != nil {
		t.Fatal(err)
	}
	code, out, stderr := g.cli(t, "models", "deploy", nan, "--model", "dynamic_output", "--allow-contract-change", "--watch", "--watch-window", "1m")
	close(over)
	user.Wait()
	if code != 1 || !strings.Contains(out, "✗ watch") || !strings.Contains(stderr, "rolled_back") || !strings.Contains(out, "version 1 is current again") {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
	if m := g.model(t, "dynamic_output"); m.Current != 1 || len(m.Versions) != 1 {
		t.Errorf("%+v", m)
	}
	if status, p := g.predict(t, `{"user_id":"u","features":{"x":[1,2,3,4]}}`); status != 200 || p.Version != 1 {
		t.Errorf("%d %+v", status, p)
	}
	if codes["200 false"] == 0 || codes["500 true"] == 0 || len(codes) != 2 {
		t.Errorf("answers: %v", codes)
	}
	verdict(t, "turns bad after the switch", "rolled back by the watch", "answers %v; %s", codes, strings.TrimSpace(stderr))
	g.Stop(t)
}
