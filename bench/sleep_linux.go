package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleeper waits with microsecond precision on a locked thread.
type sleeper struct{}

// newSleeper takes the 50 µs timer slack off the calling thread.
func newSleeper() sleeper {
	// An older kernel only sleeps less exactly.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return sleeper{}
}

func (sleeper) wait(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, &ts) == unix.EINTR {
	}
}
