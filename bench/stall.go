package bench

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// stallShown is the part of a stall that p99.9 and the maximum must show.
const stallShown = 0.75

// StallCheck is the proof that the generator hides no stall: the server was
// stopped for Micros in the middle of a step.
type StallCheck struct {
	Micros float64 `json:"stall_us"`
	Step   Step    `json:"step"`
	// Shown says that both p99.9 and the maximum show the stall.
	Shown bool `json:"shown"`
}

// stallCheck stops the server by SIGSTOP in the middle of a step of rate.
func (b *bed) stallCheck(ctx context.Context, g generator, rate float64, stall, step time.Duration) (*StallCheck, error) {
	process := b.server.cmd.Process
	stopped := make(chan error, 1)
	timer := time.AfterFunc(step/2, func() {
		err := process.Signal(syscall.SIGSTOP)
		time.Sleep(stall)
		// SIGCONT goes out whatever happened, so that the child can be ended.
		if cont := process.Signal(syscall.SIGCONT); err == nil {
			err = cont
		}
		stopped <- err
	})
	s, err := b.measure(ctx, g, fmt.Sprintf("stall of %v", stall), rate, step)
	if timer.Stop() {
		return nil, fmt.Errorf("the step ended before its middle: %w", context.Cause(ctx))
	}
	if sig := <-stopped; sig != nil && err == nil {
		err = fmt.Errorf("stop and continue the server: %w", sig)
	}
	if err != nil {
		return nil, err
	}
	us := float64(stall.Microseconds())
	return &StallCheck{Micros: us, Step: s, Shown: s.Latency.P999 >= stallShown*us && s.Latency.Max >= stallShown*us}, nil
}
