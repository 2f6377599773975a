package router

import (
	"sync/atomic"
	"time"
)

// RequestSums are sums over the requests of one lane since it was made.
type RequestSums struct {
	// Answered and Failed count requests. A static answer is a failure here: the
	// model did not make it.
	Answered, Failed uint64
	// AnsweredTime and FailedTime last from the decoded request on: the former to
	// the end of its run, the latter to the refusal.
	AnsweredTime, FailedTime time.Duration
	// Features, Queue and Run are parts of AnsweredTime.
	Features, Queue, Run time.Duration
	// Last is when a request was answered last; zero before the first.
	Last time.Time
}

// cacheLine keeps what several cores write away from its neighbours.
type cacheLine [64]byte

// requestCounters are added to by every request of a lane. By themselves on the
// heap they fill one cache line: a request has one to fetch from another core, and
// takes no other data away with it.
type requestCounters struct {
	_ cacheLine
	answered, answeredNs, featuresNs, queueNs, runNs,
	failed, failedNs atomic.Int64
	last atomic.Int64 // milliseconds since the epoch; 0: never
	_    cacheLine
}

// answer counts an answered request. It reads no clock: what the stages took is
// known, and a reading would cost more than all the additions.
func (c *requestCounters) answer(start time.Time, stages *[NumStages]time.Duration) {
	features, queue, run := stages[StageFeatures], stages[StageQueue], stages[StageRun]
	total := stages[StageAssign] + features + queue + run
	c.answered.Add(1)
	c.answeredNs.Add(int64(total))
	c.queueNs.Add(int64(queue))
	c.runNs.Add(int64(run))
	if features != 0 {
		c.featuresNs.Add(int64(features))
	}
	c.last.Store(start.Add(total).UnixMilli())
}

func (c *requestCounters) fail(took time.Duration) {
	c.failed.Add(1)
	c.failedNs.Add(int64(took))
}

// Requests reads the sums. They are read one after the other, while requests go on.
func (l *LaneMetrics) Requests() RequestSums {
	c := l.requests
	s := RequestSums{Answered: uint64(c.answered.Load()), Failed: uint64(c.failed.Load()),
		AnsweredTime: time.Duration(c.answeredNs.Load()), FailedTime: time.Duration(c.failedNs.Load()),
		Features: time.Duration(c.featuresNs.Load()), Queue: time.Duration(c.queueNs.Load()), Run: time.Duration(c.runNs.Load())}
	if ms := c.last.Load(); ms != 0 {
		s.Last = time.UnixMilli(ms)
	}
	return s
}
