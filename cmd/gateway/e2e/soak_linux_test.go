package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// usage is what a process holds.
type usage struct{ rss, goroutines, fds, threads int }

func (g *gateway) usage(t *testing.T) usage {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d", g.Cmd.Process.Pid)
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		t.Fatal(err)
	}
	u := usage{goroutines: g.goroutines(t), fds: len(fds)}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmRSS":
			u.rss = atoi(t, strings.TrimSuffix(strings.TrimSpace(value), " kB")) << 10
		case "Threads":
			u.threads = atoi(t, strings.TrimSpace(value))
		}
	}
	return u
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNothingGrows is I6 and I7: after many requests the process holds what it
// held after a few.
func TestNothingGrows(t *testing.T) {
	o := theOracle(t)
	// The tables of the experiments are bounded, and fill page by page with use: small
	// ones are full after the warm-up.
	g, _ := startOverRedis(t, "", append(calm, "--set", "experiments.exposures.units=1000", "--set", "experiments.readout.units=1000",
		"--set", "experiments.readout.requests=1000", "--set", "experiments.exposures.queue=1024", "--set", "experiments.traffic_sample=500")...)
	run := func(total int) report {
		r := load{addr: g.Traffic, conns: 32, total: total, body: o.body}.begin(t).wait(t)
		r.onlyCodes(t, "ok")
		return r
	}
	// The warm-up fills pools, buffers and the heap up to where the collector
	// keeps it.
	before := g.metrics(t)
	warm := byRace(3000, 40000)
	run(warm)
	settled := g.usage(t)
	const rounds = 4
	answered := 0
	for range rounds {
		r := run(byRace(2500, 50000))
		o.check(t, r)
		answered += len(r.answers)
	}
	var u usage
	within(t, scaled(5*time.Second), "goroutines and descriptors are back", func() bool {
		u = g.usage(t)
		return u.goroutines <= settled.goroutines+5 && u.fds <= settled.fds+5
	})
	grown, limit := u.rss-settled.rss, byRace(64<<20, 16<<20)
	if grown > limit {
		t.Errorf("RSS grew by %d MiB over %d requests", grown>>20, answered)
	}
	after := g.metrics(t)
	if n := after.sum("hotpath_requests_total", `route="predict"`, `code="ok"`) - before.sum("hotpath_requests_total", `route="predict"`, `code="ok"`); int(n) != answered+warm {
		t.Errorf("hotpath_requests_total counts %g, the client saw %d", n, answered+warm)
	}
	verdict(t, fmt.Sprintf("%d requests after %d", answered, warm), fmt.Sprintf("RSS grows by less than %d MiB, goroutines and fds as before", limit>>20),
		"RSS %.1f -> %.1f MiB, goroutines %d -> %d, fds %d -> %d", float64(settled.rss)/(1<<20), float64(u.rss)/(1<<20),
		settled.goroutines, u.goroutines, settled.fds, u.fds)
	g.Stop(t)
}
