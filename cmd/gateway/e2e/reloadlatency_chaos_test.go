//go:build chaos

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a reload of a thousand experiments may cost.
const (
	reloadPairs = 8
	// reloadWindow is how long each half of a pair lasts, with a reload each second.
	reloadWindow = 8 * time.Second
	reloadRate   = 700.0
	// maxDelay is by how much a reload may delay a request.
	maxDelay = time.Millisecond
	// maxReload is how long one may take in the gateway.
	maxReload = 50 * time.Millisecond
)

// thousandExperiments are realistic ones, in 20 layers with targeting and ramps. Each
// edition differs from the one before in one experiment.
func thousandExperiments(edition int) string {
	var b strings.Builder
	b.WriteString("layers:\n")
	for i := range 20 {
		fmt.Fprintf(&b, "  - {name: layer-%d}\n", i)
	}
	b.WriteString("experiments:\n")
	for i := range 1000 {
		share := 50
		if i == 500 {
			share += edition % 50
		}
		fmt.Fprintf(&b, `  - name: experiment-%d
    model: echo
    salt: experiment-%d-2026
    layer: layer-%d
    range: [%d, %d]
    ramp:
      - {share: %d}
      - {at: 2100-11-01T08:00:00Z, share: 100}
    targeting:
      all:
        - {attribute: country, in: [de, at]}
        - {attribute: age, gte: 18}
    variants:
      - {name: control, weight: 90, version: 1}
      - {name: treatment, weight: 10, version: 1, canary: true}
    fallback: control
`, i, i, i%20, i/20*200, i/20*200+200, share)
	}
	return b.String()
}

// TestLatencyWhileReloading compares the latency of requests while a thousand
// experiments are reloaded each second with that without, in pairs. It is counted
// from when a request should have been sent.
func TestLatencyWhileReloading(t *testing.T) {
	dir := fixtures(t, "echo")
	file := filepath.Join(dir, "experiments.yaml")
	edition := 0
	edit := func() {
		edition++
		next := file + ".next"
		write(t, next, thousandExperiments(edition))
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
	}
	edit()
	g := startGateway(t, dir, append(fixtureArgs(dir), "--set", "experiments.file="+file, "--set", "experiments.data_dir="+filepath.Join(dir, "data"))...)
	before := g.metrics(t)
	var delays []time.Duration
	slow, expected := 0, 0
	for pair := range reloadPairs {
		a, r := reloadPair(t, g, edit, pair%2 == 1)
		limit := at(a, .999) + maxDelay
		delays = append(delays, at(r, .999)-at(a, .999))
		slow, expected = slow+above(r, limit), expected+above(a, limit)
		t.Logf("pair %d: alone p50 %s p99 %s p99.9 %s max %s; reloading p50 %s p99 %s p99.9 %s max %s; slower than %s: %d and %d of %d",
			pair, at(a, .5), at(a, .99), at(a, .999), at(a, 1), at(r, .5), at(r, .99), at(r, .999), at(r, 1), limit, above(a, limit), above(r, limit), len(r))
	}
	after := g.metrics(t)
	reloads := after.sum("hotpath_experiments_reload_seconds_count") - before.sum("hotpath_experiments_reload_seconds_count")
	mean := (after.sum("hotpath_experiments_reload_seconds_sum") - before.sum("hotpath_experiments_reload_seconds_sum")) / reloads
	if want := reloadPairs * reloadWindow.Seconds(); reloads != want {
		t.Errorf("%g reloads, want %g", reloads, want)
	}
	if mean > maxReload.Seconds() {
		t.Errorf("a reload takes %.1f ms, more than %s", mean*1000, maxReload)
	}
	slices.Sort(delays)
	median := delays[len(delays)/2]
	if median > maxDelay {
		t.Errorf("p99.9 is %s later while experiments are reloaded (median of %d pairs), want at most %s", median, len(delays), maxDelay)
	}
	verdict(t, "a thousand experiments reloaded each second", fmt.Sprintf("in %s, no request more than %s later", maxReload, maxDelay),
		"in %.1f ms; p99.9 later by %s (median of %s); slower than p99.9 alone + %s: %d requests, without reloads %d", mean*1000, median, delays, maxDelay, slow, expected)
	g.Stop(t)
}

// reloadPair measures without reloads and with, or the other way round.
func reloadPair(t *testing.T, g *gateway, edit func(), reverse bool) (alone, reloading []time.Duration) {
	t.Helper()
	halves := []func(){
		func() {
			r := reloadLoad(g).begin(t).wait(t)
			r.onlyCodes(t, "ok")
			alone = r.planned(reloadRate)
		},
		func() {
			l := reloadLoad(g).begin(t)
			for i := range int(reloadWindow.Seconds()) {
				time.Sleep(time.Until(l.start.Add(time.Duration(i)*time.Second + 300*time.Millisecond)))
				edit()
			}
			r := l.wait(t)
			r.onlyCodes(t, "ok")
			reloading = r.planned(reloadRate)
		},
	}
	if reverse {
		slices.Reverse(halves)
	}
	for _, half := range halves {
		half()
	}
	return alone, reloading
}

func reloadLoad(g *gateway) load {
	return load{addr: g.Traffic, rate: reloadRate, conns: 32, total: int(reloadRate * reloadWindow.Seconds()), body: func(i int) (user, rest string) {
		user, rest = echoBody(i)
		return user, strings.TrimSuffix(rest, "}") + `,"context":{"country":"de","age":30}}`
	}}
}

// planned are how long the answers took from when their requests should have been
// sent, ascending.
func (r report) planned(rate float64) []time.Duration {
	var first time.Time // when number 0 should have been sent, by whoever came nearest
	for i := range r.answers {
		a := &r.answers[i]
		due := a.sent.Add(-time.Duration(float64(a.seq) / rate * float64(time.Second)))
		if first.IsZero() || due.Before(first) {
			first = due
		}
	}
	all := make([]time.Duration, len(r.answers))
	for i := range r.answers {
		a := &r.answers[i]
		all[i] = a.sent.Add(a.took).Sub(first.Add(time.Duration(float64(a.seq) / rate * float64(time.Second))))
	}
	slices.SortFunc(all, cmp.Compare)
	return all
}

func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Round(10 * time.Microsecond)
}

func above(sorted []time.Duration, limit time.Duration) int {
	n, _ := slices.BinarySearch(sorted, limit+1)
	return len(sorted) - n
}
