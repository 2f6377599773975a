package experiments

import "time"

// pacer has a long computation sleep at short intervals. On one of a few cores it
// would otherwise keep requests waiting for a time slice of the operating system,
// which is some milliseconds. A thread of low priority would not help: the runtime
// stops the world for the garbage collector only when that thread has had its turn,
// and all requests would wait for it.
type pacer struct {
	since time.Time
	// work is how long it goes on without sleeping: on a busy machine, where each
	// sleep lasts longer than asked, as long as it slept.
	work time.Duration
}

const (
	paceWork  = time.Millisecond
	paceSleep = 50 * time.Microsecond
)

// pause sleeps when it is time to.
func (p *pacer) pause() {
	if time.Since(p.since) < max(p.work, paceWork) {
		return
	}
	began := time.Now()
	time.Sleep(paceSleep)
	p.since = time.Now()
	p.work = p.since.Sub(began)
}
