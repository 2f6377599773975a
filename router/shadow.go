package router

import (
	"bytes"
	"math"
	"sync"
	"time"

	"hotpath/models"
	"hotpath/resilience"
	"hotpath/resilience/handoff"
)

// ShadowOptions bound the work that is done for shadow variants.
type ShadowOptions struct {
	// Workers score shadows, one at a time each.
	Workers int
	// Queue bounds the shadows that wait; more are dropped and counted.
	Queue int
	// Timeout is a shadow's own time from the moment it was offered.
	Timeout time.Duration
}

// shadows scores shadow variants off the path of the requests: on workers of its
// own, at low priority in the model's queue, with a deadline and a guard of its
// own. An offer never blocks.
type shadows struct {
	pipeline *Pipeline
	timeout  time.Duration
	queue    chan *shadowTask
	running  sync.WaitGroup
	tasks    sync.Pool

	closing struct {
		sync.RWMutex
		done bool
	}
}

// shadowReport hears what became of a task: the counters of a shadow variant, or
// a mirror. scored is called after shadow(shadowScored).
type shadowReport interface {
	shadow(result shadowResult)
	scored(t *shadowTask)
}

// shadowTask is one row to score for one shadow variant, or a row or tensors for
// a mirror. It holds the lane, and owns copies of everything else: the request is
// gone when it runs.
type shadowTask struct {
	lane   *Lane
	report shadowReport
	guard  *resilience.Guard // a permit of its bulkhead is held
	until  time.Time
	// job is set when the served lane's row could be taken over as it was.
	job Job
	// Otherwise the exchange has a deep copy of the request, and the features are
	// read again.
	exchange Exchange
	// live is the served variant's shorthand, for the comparison.
	live    float64
	hasLive bool
	// answer, tensors and liveRun are for mirrors: the whole answer, or a request
	// of tensors with its answer, and the time of the served run.
	answer  models.Row
	tensors *mirroredTensors
	liveRun time.Duration
}

func newShadows(p *Pipeline, o ShadowOptions) *shadows {
	s := &shadows{pipeline: p, timeout: o.Timeout, queue: make(chan *shadowTask, max(o.Queue, 1))}
	s.tasks.New = func() any { return &shadowTask{exchange: Exchange{pipeline: p}} }
	for range o.Workers {
		s.running.Go(func() {
			for t := range s.queue {
				if s.closed() {
					s.drop(t)
					continue
				}
				s.run(t)
			}
		})
	}
	return s
}

// close drops the shadows that wait and ends the workers, whose last runs are
// bounded by their deadlines. A second call does nothing.
func (s *shadows) close() {
	s.closing.Lock()
	first := !s.closing.done
	s.closing.done = true
	if first {
		close(s.queue)
	}
	s.closing.Unlock()
	s.running.Wait()
	if first {
		// What is left is only there if there are no workers.
		for t := range s.queue {
			s.drop(t)
		}
	}
}

func (s *shadows) closed() bool {
	s.closing.RLock()
	defer s.closing.RUnlock()
	return s.closing.done
}

func (s *shadows) drop(t *shadowTask) {
	t.report.shadow(shadowDropped)
	s.recycle(t)
}

// offer hands the request to every shadow of its experiment that samples it.
func (s *shadows) offer(x *Exchange) {
	e := x.Assignment.Experiment
	for i, v := range e.Shadows() {
		if !x.Assignment.ShadowHit(i) {
			continue
		}
		a := x.snapshot.arms[e.Index()][v.Index()]
		if !a.guard.Permits().TryAcquirePermit() {
			a.metrics.shadow(shadowDropped)
			continue
		}
		t := s.tasks.Get().(*shadowTask)
		t.begin(a.lane, a.metrics, a.guard, time.Now().Add(s.timeout))
		t.keepRow(x)
		if !s.push(t) {
			s.drop(t)
		}
	}
}

func (s *shadows) push(t *shadowTask) bool {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closing.done {
		return false
	}
	select {
	case s.queue <- t:
		return true
	default:
		return false
	}
}

// keepRow copies what the shadow needs of the exchange.
func (t *shadowTask) keepRow(x *Exchange) {
	t.live, t.hasLive = shorthand(x.Lane, x.Out())
	if t.lane.In != nil && t.lane.SameInputs == x.Lane.SameInputs {
		t.job = t.lane.Scorer.Acquire()
		t.job.In().CopyFrom(x.job.In())
		return
	}
	own := &t.exchange.Request
	own.UserID = bytes.Clone(x.Request.UserID)
	own.Features = cloneValues(own.Features[:0], x.Request.Features)
	own.Entities = cloneValues(own.Entities[:0], x.Request.Entities)
}

func cloneValues(dst, src []models.Value) []models.Value {
	for _, v := range src {
		dst = append(dst, models.Value{Key: bytes.Clone(v.Key), Kind: v.Kind, Raw: bytes.Clone(v.Raw)})
	}
	return dst
}

func (s *shadows) run(t *shadowTask) {
	defer s.recycle(t)
	// A shadow must never end the process: it is no request's, so that no handler
	// catches what goes wrong in it.
	defer func() {
		if recover() != nil {
			t.report.shadow(shadowPanicked)
		}
	}()
	if t.lane.In == nil && t.tensors == nil {
		t.report.shadow(shadowFailed) // it takes whole tensors, and this is none
		return
	}
	start := time.Now()
	if !start.Before(t.until) {
		t.report.shadow(shadowExpired)
		return
	}
	if t.job == nil && t.tensors == nil {
		x := &t.exchange
		x.Until, x.job = t.until, t.lane.Scorer.Acquire()
		t.job = x.job
		if err := s.pipeline.fillFeatures(x, t.lane, start); err != nil {
			t.report.shadow(shadowFailed)
			return
		}
	}
	t.score()
}

func (t *shadowTask) score() {
	pass, err := t.guard.Enter()
	if err != nil {
		t.report.shadow(shadowRefused)
		return
	}
	outcome := resilience.Failure
	defer func() { pass.Leave(outcome) }()
	if t.tensors != nil {
		err = t.scoreTensors()
	} else {
		err = t.job.Score(t.until, handoff.Low)
	}
	if err != nil {
		_, outcome = scoreError(err, t.lane, false)
		t.report.shadow(shadowFailed)
		return
	}
	outcome = resilience.Success
	t.report.shadow(shadowScored)
	t.report.scored(t)
}

// scored compares a shadow variant's prediction with the served one.
func (a *ArmMetrics) scored(t *shadowTask) {
	if got, ok := shorthand(t.lane, t.job.Out()); ok && t.hasLive {
		a.difference(math.Abs(got - t.live))
	}
}

func (s *shadows) recycle(t *shadowTask) {
	if t.job != nil {
		t.job.Release()
	}
	if t.tensors != nil && t.tensors.job != nil {
		t.tensors.job.Release()
	}
	t.lane.Release()
	t.guard.Permits().ReleasePermit()
	t.lane, t.report, t.guard, t.job, t.tensors = nil, nil, nil, nil, nil
	t.exchange.job = nil
	t.exchange.reset()
	s.tasks.Put(t)
}

// shorthand is the prediction of a scored row as a number; false when the lane
// declares none or it is not numeric.
func shorthand(l *Lane, out *models.Row) (float64, bool) {
	if l.Prediction.Port < 0 {
		return 0, false
	}
	d := l.Out.Ports[l.Prediction.Port].DType
	at := l.Out.Offset[l.Prediction.Port] + l.Prediction.Element*d.Size()
	switch d {
	case models.Float32:
		return float64(out.Float32(at)), true
	case models.Float64:
		return out.Float64(at), true
	case models.Int64:
		return float64(out.Int64(at)), true
	case models.Int32:
		return float64(out.Int32(at)), true
	}
	return 0, false
}
