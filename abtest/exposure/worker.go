package exposure

import "time"

const (
	// linger is how long the log's goroutine lets events gather, so that not each
	// of them wakes it.
	linger = 2 * time.Millisecond
	// chunkBytes of lines are handed to the sinks at once.
	chunkBytes = 64 << 10
)

// run tells followers and sinks of everything until the log is closed and empty.
func (l *Log) run() {
	defer func() {
		for _, out := range l.outlets {
			out.finish()
		}
		close(l.done)
	}()
	for {
		found := l.drain()
		switch {
		case l.queue.closed() && l.queue.waiting() == 0:
			return
		case !found && !l.queue.closed():
			l.queue.sleep()
		}
		l.gather()
	}
}

// gather waits a little; when the log is closing, only for producers that are
// filling a slot.
func (l *Log) gather() {
	if l.queue.closed() {
		time.Sleep(10 * time.Microsecond)
		return
	}
	l.waiting.Reset(linger)
	select {
	case <-l.waiting.C:
	case <-l.closing:
		l.waiting.Stop()
	}
}

// drain handles what is in the queue; false: nothing was.
func (l *Log) drain() bool {
	found := false
	for s := l.queue.take(); s != nil; s = l.queue.take() {
		found = true
		if s.kind == kindExposure {
			l.exposed(&s.event)
		} else {
			s.feedback(&l.report)
			l.reported(&l.report)
		}
		l.queue.release(s)
		if len(l.chunk) >= chunkBytes {
			l.flush()
		}
	}
	l.flush()
	return found
}

func (l *Log) exposed(e *Event) {
	first, room := l.window.first(e.At, l.prints.exposure(e))
	l.metrics.exposures.Add(1)
	if first {
		l.metrics.recorded.Add(1)
	}
	if !room {
		l.metrics.unremembered.Add(1)
	}
	for _, f := range l.followers {
		f.Exposed(e, first)
	}
	if len(l.outlets) == 0 {
		return
	}
	if len(e.RequestID) > 0 {
		l.joins.add(l.prints.request(e.RequestID), e.UnitName, e.Unit)
	}
	if first {
		l.chunk = l.clock.appendExposure(l.chunk, e)
	}
}

func (l *Log) reported(f *Feedback) {
	l.metrics.feedback.Add(1)
	if len(f.ID) > 0 && !l.ids.add(l.prints.feedback(f)) {
		l.metrics.repeated.Add(1)
		return
	}
	for _, follower := range l.followers {
		follower.Reported(f)
	}
	if len(l.outlets) == 0 {
		return
	}
	if len(f.Unit) == 0 && len(f.RequestID) > 0 {
		if f.UnitName, f.Unit = l.joins.find(l.prints.request(f.RequestID)); len(f.Unit) == 0 {
			l.metrics.unjoined.Add(1)
		}
	}
	l.chunk = l.clock.appendFeedback(l.chunk, f)
}

// flush hands the lines to the sinks' queues.
func (l *Log) flush() {
	if len(l.chunk) == 0 {
		return
	}
	for _, out := range l.outlets {
		out.offer(l.chunk)
	}
	l.chunk = l.chunk[:0]
}

// newTimer is a timer that has not been started.
func newTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
