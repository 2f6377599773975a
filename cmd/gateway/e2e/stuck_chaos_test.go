//go:build chaos

package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestStuckKernel is row 16: a run of 5 s in one kernel, which nothing can end.
func TestStuckKernel(t *testing.T) {
	const model = "slow_kernel"
	g, quiet := startWithStuck(t, model)
	r := load{addr: g.Traffic, rate: 40, conns: 60, total: 80, body: slowBody(model)}.begin(t).wait(t)
	r.onlyCodes(t, "deadline", "model_unavailable", "breaker_open", "overloaded")
	if worst := r.quantile(1); worst > scaled(stuckDeadline+100*time.Millisecond) {
		t.Errorf("an answer took %s, want at most the deadline of %s and a little", worst, stuckDeadline)
	}
	verdict(t, "model of 5 s in one kernel", "504, then 503 at once", "%v, slowest %s", r.codes(), r.quantile(1).Round(time.Millisecond))
	heal(t, g, model)
	checkQuiet(t, quiet.stop(t))
	// A run that cannot be ended may take longer than the drain: then the exit
	// says so.
	g.Signal(t, sigterm)
	began := time.Now()
	code := g.Wait(t, 12*time.Second)
	if said := strings.Contains(g.Stderr.String(), "abandoned"); code != 0 && !(code == 3 && said) {
		t.Errorf("exit %d, told so: %t", code, said)
	}
	verdict(t, "SIGTERM with a stuck kernel", "exit 0, or 3 and a line, within drain + 1 s", "exit %d after %s", code, time.Since(began).Round(time.Millisecond))
}
