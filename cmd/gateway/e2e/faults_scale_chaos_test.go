//go:build chaos

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// The sizes of row 50.
const (
	manyExperiments = 1000
	manyModels      = 200
	manyFeatures    = 2000
)

// layOutMany writes the files, and gives the command that stores the user u1.
func layOutMany(t *testing.T, dir string) (store []string) {
	t.Helper()
	for i := range manyModels {
		copyFixture(t, "echo", filepath.Join(dir, "repository", fmt.Sprintf("echo_%d", i), "1"))
	}
	var experiments, schema strings.Builder
	experiments.WriteString("experiments:\n")
	for i := range manyExperiments {
		fmt.Fprintf(&experiments, "  - name: e%d\n    model: echo_%d\n    targeting: {attribute: plan, eq: %q}\n    variants:\n      - {name: a, weight: 50}\n      - {name: b, weight: 50}\n",
			i, i%manyModels, fmt.Sprintf("plan-%d", i))
	}
	schema.WriteString("entities:\n  user:\n    features:\n")
	store = []string{"HSET", "features:user:u1"}
	for i := range manyFeatures {
		fmt.Fprintf(&schema, "      f%d: {type: float, default: 0}\n", i)
		store = append(store, fmt.Sprintf("f%d", i), fmt.Sprint(i))
	}
	write(t, filepath.Join(dir, "experiments.yaml"), experiments.String())
	write(t, filepath.Join(dir, "features.yaml"), schema.String())
	var names []string
	for i := range 4 {
		names = append(names, fmt.Sprintf("user.f%d", manyFeatures-1-i))
	}
	write(t, filepath.Join(dir, "repository/echo_0/config.yaml"), "inputs:\n  - {name: x, features: ["+strings.Join(names, ", ")+"]}\n")
	return store
}

// TestManyOfEverything is row 50: 1,000 experiments, 200 models and an entity of
// 2,000 features.
func TestManyOfEverything(t *testing.T) {
	dir := t.TempDir()
	store := layOutMany(t, dir)
	redis := startRedis(t, child.FreePort(t))
	redis.must(t, store...)
	args := append(fixtureArgs(dir), "--redis", redis.addr, "--set", "features.schema="+filepath.Join(dir, "features.yaml"),
		"--set", "experiments.file="+filepath.Join(dir, "experiments.yaml"), "--set", fmt.Sprintf("models.max_models=%d", manyModels), "--set", "models.trial_process=false")
	launched := time.Now()
	g := launchGateway(t, dir, args...)
	g.WaitServing(t)
	// After 10 s it serves what is loaded by then, and the experiments once all is.
	within(t, scaled(time.Minute), "all models are loaded and the experiments serve", func() bool {
		_, ready := g.ready(t)
		return g.metrics(t).sum("hotpath_model_versions_loaded") == manyModels && ready.Dependencies["experiments"].Status == "ok"
	})
	started := time.Since(launched)
	within(t, scaled(5*time.Second), "the store answers", func() bool {
		status, p := g.predict(t, `{"user_id":"u1","model":"echo_0","features":{"id":3}}`)
		return status == 200 && len(p.Degraded) == 0
	})
	status, p := g.predict(t, `{"user_id":"u1","model":"echo_0","features":{"id":3}}`)
	sum, _ := number(p.Outputs, "sum")
	if want := 4.0*manyFeatures - 10; status != 200 || sum != want {
		t.Errorf("of 2,000 features: %d %+v, want the sum %v", status, p, want)
	}
	body := func(i int) (string, string) {
		user := fmt.Sprintf("u%d", i)
		return user, fmt.Sprintf(`"user_id":%q,"model":"echo_%d","context":{"plan":"plan-%d"},"features":{"id":%d,"x":[%d,1,2,0.5]}}`, user, 1+i%(manyModels-1), 1+i%(manyModels-1), i, i%1000)
	}
	v := keepVigil(t, g, body)
	r := load{addr: g.Traffic, conns: 32, total: byRace(3000, 20000), body: body}.begin(t).wait(t)
	checkEcho(t, r)
	assigned := len(r.where(func(a *answer) bool { return a.parsed.Experiment == fmt.Sprintf("e%d", 1+a.seq%(manyModels-1)) }).answers)
	if assigned != len(r.answers) {
		t.Errorf("%d of %d requests were in the experiment of their plan", assigned, len(r.answers))
	}
	line := v.end(t, r, 5*time.Second, "ok")
	verdict(t, "row 50: 1,000 experiments, 200 models, 2,000 features of an entity", "starts, serves", "serving after %s with %.0f MiB, %.0f requests a second; %s",
		started.Round(time.Millisecond), mib(g.usage(t).rss), float64(len(r.answers))/r.lasted.Seconds(), line)
	g.Stop(t)
}
