//go:build chaos

package inference

import (
	"testing"
	"time"
)

// ONNX Runtime looks at the end of a run between operators only: one long
// operator goes on to its end, whatever is asked. That is why the batcher counts
// such a runner as stuck. Takes the 5 s that the operator takes.
func TestCancelCannotStopOneLongOperator(t *testing.T) {
	run := newRunner(t, load(t, openRuntime(t), fixture(t, "slow_kernel"), SessionOptions{}), 1)
	first := time.AfterFunc(100*time.Millisecond, run.Cancel)
	defer first.Stop()
	start := time.Now()
	err := run.Run(1)
	took := time.Since(start)
	t.Logf("ran for %v: %v", took, err)
	if took < time.Second {
		t.Errorf("the run ended after %v: the documentation of Cancel is out of date", took)
	}
}
