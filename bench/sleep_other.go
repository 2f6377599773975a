//go:build !linux

package bench

import "time"

// sleeper waits as exactly as the runtime does.
type sleeper struct{}

func newSleeper() sleeper { return sleeper{} }

func (sleeper) wait(d time.Duration) { time.Sleep(d) }
