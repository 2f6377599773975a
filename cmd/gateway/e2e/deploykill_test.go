package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestDeployKilled kills the process at a random moment of a deployment, again and
// again, and looks at what the next one makes of it.
func TestDeployKilled(t *testing.T) { deployAndKill(t, byRace(3, 6)) }

func deployAndKill(t *testing.T, rounds int) {
	dir := demoFiles(t, noExperiments)
	model, err := os.ReadFile(filepath.Join(dir, "candidates/risk/3/model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	args := append(append(demoArgs(dir, ""), stateArgs(dir)...), calm...)
	g := startGateway(t, dir, args...)
	outcomes := map[string]int{}
	for range rounds {
		before := g.model(t, "risk").Current
		known := len(g.deployments(t, "risk"))
		delay := time.Duration(rand.IntN(int(scaled(1500 * time.Millisecond))))
		killDuring(t, g, string(model), delay)
		g = startGateway(t, dir, args...)
		all := g.deployments(t, "risk")
		outcome := "not begun"
		switch {
		case len(all) > known+1:
			t.Fatalf("%d deployments after one more than %d", len(all), known)
		case len(all) == known:
			legalAfterKill(t, g, deployment{State: "failed", Version: before + 1, Before: before})
		default:
			outcome = all[0].State
			if outcome != "done" {
				outcome += " in " + stoppedIn(all[0])
			}
			legalAfterKill(t, g, all[0])
		}
		outcomes[outcome]++
		t.Logf("killed after %s: %s", delay.Round(time.Millisecond), outcome)
	}
	verdict(t, "kill -9 during a deployment", "one of the documented outcomes each time", "%v", outcomes)
	g.Stop(t)
}

// killDuring deploys under some traffic, and kills the gateway after a time.
func killDuring(t *testing.T, g *gateway, model string, delay time.Duration) {
	t.Helper()
	over := make(chan struct{})
	var users sync.WaitGroup
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	send := func(url, body string) bool {
		r, err := client.Post(url, "application/octet-stream", strings.NewReader(body))
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	}
	users.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
				send("http://"+g.Traffic+"/predict", `{"user_id":"user-`+strconv.Itoa(i)+`"}`)
			}
		}
	})
	users.Go(func() {
		send("http://"+g.Admin+"/admin/models/risk/deployments?shadow=300ms&tolerance=10&max_latency_ratio=1000&watch_window=300ms", model)
	})
	time.Sleep(delay)
	g.Kill(t)
	close(over)
	users.Wait()
}

// stoppedIn is the step that a stop cut short.
func stoppedIn(d deployment) string {
	for _, s := range d.Steps {
		if s.State == "failed" {
			return s.Name
		}
	}
	return "no step"
}

// legalAfterKill checks that a deployment has either come to its end or left no
// trace, and that what serves is what it says.
func legalAfterKill(t *testing.T, g *gateway, d deployment) {
	t.Helper()
	m := g.model(t, "risk")
	_, err := os.Stat(filepath.Join(g.Dir, "repository/risk", fmt.Sprint(d.Version)))
	want := d.Before
	if d.State == "done" {
		want = d.Version
	}
	if !slices.Contains([]string{"done", "failed", "rolled_back", "cancelled"}, d.State) || m.Current != want || (err == nil) != (d.State == "done") {
		t.Errorf("deployment of version %d is %s (%s), current is %d, its folder: %v", d.Version, d.State, d.Reason, m.Current, err)
	}
	if left := leftovers(t, g.Dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, v := range m.Versions {
		if v.State == "refused" || v.State == "waiting" {
			t.Errorf("version %d is %s: %s", v.Version, v.State, v.Reason)
		}
	}
	if status, p := g.predict(t, `{"user_id":"user-1"}`); status != 200 || p.Version != want {
		t.Errorf("status %d, version %d answers, want %d", status, p.Version, want)
	}
}
