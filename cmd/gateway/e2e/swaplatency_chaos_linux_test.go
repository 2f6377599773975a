//go:build chaos

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// What a swap may cost those who are served meanwhile.
const (
	latencyPairs = 7
	// latencyWindow is how long each half of a pair lasts.
	latencyWindow = 6 * time.Second
	// maxSwapRatio is that of p99 while versions are swapped to p99 without.
	maxSwapRatio = 2.0
)

// sevenMiB is the network of the swapped model.
var sevenMiB = []int{perceptronInputs, 1024, 1024, 640, 1}

// TestLatencyWhileSwapping measures p99 at half load while versions of 7 MiB are
// swapped one after the other, against p99 without, in pairs.
func TestLatencyWhileSwapping(t *testing.T) {
	dir := t.TempDir()
	// Made before, and linked to their places: making them must not take the time
	// of what is measured.
	made := []string{filepath.Join(dir, "a.onnx"), filepath.Join(dir, "b.onnx")}
	for i, name := range made {
		write(t, name, perceptron(uint64(i), sevenMiB...))
	}
	publish := func(version int) {
		folder := filepath.Join(dir, "making", strconv.Itoa(version))
		err := os.MkdirAll(folder, 0o755)
		if err == nil {
			err = os.Link(made[version%2], filepath.Join(folder, "model.onnx"))
		}
		if err == nil {
			err = os.Rename(folder, filepath.Join(dir, "repository/mlp", strconv.Itoa(version)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "repository/mlp/config.yaml"), "max_batch_size: 16\n")
	publish(1)
	g := startGateway(t, dir, fixtureArgs(dir)...)
	rate := g.capacity(t) / 2
	version := 1
	var ratios []float64
	for range latencyPairs {
		alone := load{addr: g.Traffic, rate: rate, conns: 32, body: perceptronBody, total: int(rate * latencyWindow.Seconds())}.begin(t).wait(t)
		alone.onlyCodes(t, "ok")

		l := load{addr: g.Traffic, rate: rate, conns: 32, body: perceptronBody}.begin(t)
		began, swaps := time.Now(), 0
		for ; time.Since(began) < latencyWindow; swaps++ {
			version++
			publish(version)
			if status, text, _ := request(t, "POST", fmt.Sprintf("http://%s/admin/models/mlp/load?version=%d", g.Admin, version), ""); status != 200 {
				t.Fatalf("load: %d %s", status, text)
			}
		}
		swapping := l.stop(t)
		swapping.onlyCodes(t, "ok")
		ratio := float64(swapping.quantile(.99)) / float64(alone.quantile(.99))
		ratios = append(ratios, ratio)
		t.Logf("%.0f req/s: p99 %s alone, %s during %d swaps of %.0f ms, ratio %.2f; p50 %s and %s", rate, alone.quantile(.99), swapping.quantile(.99),
			swaps, latencyWindow.Seconds()*1000/float64(swaps), ratio, alone.quantile(.5), swapping.quantile(.5))
	}
	slices.Sort(ratios)
	median := ratios[len(ratios)/2]
	if median > maxSwapRatio {
		t.Errorf("p99 is %.2f times that without swaps (median of %d pairs), want at most %.1f", median, len(ratios), maxSwapRatio)
	}
	verdict(t, "p99 at half load while versions of 7 MiB are swapped", fmt.Sprintf("at most %.1f times that without", maxSwapRatio),
		"%.2f times (median of %.2f)", median, ratios)
	g.Stop(t)
}

// capacity is how many requests a second are answered when each connection sends
// the next once it has its answer.
func (g *gateway) capacity(t *testing.T) float64 {
	t.Helper()
	var rates []float64
	for range 3 {
		r := load{addr: g.Traffic, conns: 16, total: 4000, body: perceptronBody}.begin(t).wait(t)
		r.onlyCodes(t, "ok")
		rates = append(rates, float64(len(r.answers))/r.lasted.Seconds())
	}
	return slices.Max(rates)
}
