package router

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"hotpath/models"
	"hotpath/resilience"
)

// MirrorOptions say what a mirror copies and how it judges.
type MirrorOptions struct {
	// Live answers the requests; Candidate gets a copy of each.
	Live, Candidate *Lane
	// Guard stands before the candidate, so that neither its failures nor its load
	// are anybody else's.
	Guard *resilience.Guard
	// Tolerance is how far apart two answers may be that agree.
	Tolerance float64
	// Limit ends the copying when that many were compared; 0: no limit.
	Limit int
}

// Mirror gives copies of the live requests of one model version to another one,
// on the shadow workers, and compares the answers. A request pays for a copy of
// its row and an offer that never blocks; what does not fit is dropped.
type Mirror struct {
	o        MirrorOptions
	pipeline *Pipeline
	outputs  []mirroredOutput

	// holds keep the candidate's lane: one for the mirror until Stop, one for each
	// request that is offering.
	holds                      atomic.Int64
	offered, dropped, compared atomic.Int64
	failed, nonFinite          atomic.Int64

	mu     sync.Mutex // of what only the shadow workers write, and Report reads
	report MirrorReport
}

// mirroredOutput is an output that both versions have, by its place in each.
type mirroredOutput struct {
	live, candidate int
	port            models.Port
}

// MirrorReport is what a mirror has seen.
type MirrorReport struct {
	// Offered requests were copied or dropped, because of a full queue or a busy
	// candidate. Compared ones were answered by both.
	Offered, Dropped, Compared int64
	// Agreed answers differ by no more than the tolerance: by the prediction where
	// both versions have one, else by every output.
	Agreed int64
	// Failed copies got no answer; NonFinite ones a NaN or an infinity.
	Failed, NonFinite int64
	// LiveRun and CandidateRun are sums over the compared.
	LiveRun, CandidateRun time.Duration
	// Outputs that both have, in the live version's order.
	Outputs []OutputDifference
}

// OutputDifference is how far apart the answers were in one output.
type OutputDifference struct {
	Name string
	// Most is the largest absolute difference. Unlike counts the answers that
	// cannot be subtracted: other shapes, other strings, a NaN on one side.
	Most   float64
	Unlike int64
}

// ErrMirrored says that the model has a mirror already.
var ErrMirrored = errors.New("the model has a mirror already")

// mirrors are those of a pipeline, by model: immutable, replaced whole.
type mirrors map[string]*Mirror

// Mirror begins to copy requests. The caller stops it, before the pipeline is closed.
func (p *Pipeline) Mirror(o MirrorOptions) (*Mirror, error) {
	m := &Mirror{o: o, pipeline: p}
	for i, port := range o.Live.Signature.Outputs {
		for j, other := range o.Candidate.Signature.Outputs {
			if other.Name == port.Name && other.DType == port.DType {
				m.outputs = append(m.outputs, mirroredOutput{i, j, port})
				m.report.Outputs = append(m.report.Outputs, OutputDifference{Name: port.Name})
			}
		}
	}
	o.Candidate.Hold()
	m.holds.Store(1)
	if !p.changeMirrors(func(all mirrors) bool {
		if all[o.Live.Model] != nil {
			return false
		}
		all[o.Live.Model] = m
		return true
	}) {
		m.release()
		return nil, ErrMirrored
	}
	return m, nil
}

// Stop ends the copying. What is being scored still counts. A second call does nothing.
func (m *Mirror) Stop() {
	if m.pipeline.changeMirrors(func(all mirrors) bool {
		if all[m.o.Live.Model] != m {
			return false
		}
		delete(all, m.o.Live.Model)
		return true
	}) {
		m.release()
	}
}

// changeMirrors replaces the pipeline's mirrors by an edited copy; false when
// edit says that nothing is to change.
func (p *Pipeline) changeMirrors(edit func(mirrors) bool) bool {
	for {
		old := p.mirrors.Load()
		next := mirrors{}
		if old != nil {
			for name, m := range *old {
				next[name] = m
			}
		}
		if !edit(next) {
			return false
		}
		replace := &next
		if len(next) == 0 {
			replace = nil // so that requests find out by one load
		}
		if p.mirrors.CompareAndSwap(old, replace) {
			return true
		}
	}
}

// Report reads what was seen so far.
func (m *Mirror) Report() MirrorReport {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.report
	r.Outputs = append([]OutputDifference{}, m.report.Outputs...)
	r.Offered, r.Dropped, r.Compared = m.offered.Load(), m.dropped.Load(), m.compared.Load()
	r.Failed, r.NonFinite = m.failed.Load(), m.nonFinite.Load()
	return r
}

// mirror finds the mirror of an answered request; nil for most. It holds it.
func (p *Pipeline) mirror(x *Exchange) *Mirror {
	all := p.mirrors.Load()
	if all == nil {
		return nil
	}
	m := (*all)[x.Lane.Model]
	if m == nil || m.o.Live != x.Lane || m.o.Limit > 0 && m.compared.Load() >= int64(m.o.Limit) || !m.tryHold() {
		return nil
	}
	return m
}

// tryHold takes a hold unless the last one is gone: the mirror was stopped.
func (m *Mirror) tryHold() bool { return tryHold(&m.holds) }

func (m *Mirror) release() {
	if m.holds.Add(-1) == 0 {
		m.o.Candidate.Release()
	}
}

// offerMirror copies a request of rows that was answered.
func (p *Pipeline) offerMirror(x *Exchange) {
	m := p.mirror(x)
	if m == nil {
		return
	}
	defer m.release()
	p.shadows.mirror(m, x, func(t *shadowTask) { t.keepAnswer(x) })
}

// maxMirroredBytes bounds the copy of one request of tensors.
const maxMirroredBytes = 4 << 20

// offerTensorMirror copies a request of whole tensors that was answered.
func (p *Pipeline) offerTensorMirror(x *Exchange) {
	m := p.mirror(x)
	if m == nil {
		return
	}
	defer m.release()
	size := 0
	for _, t := range x.ordered {
		size += len(t.Data)
	}
	for _, t := range x.Outputs() {
		size += len(t.Data)
	}
	if size > maxMirroredBytes {
		m.offered.Add(1)
		m.dropped.Add(1)
		return
	}
	p.shadows.mirror(m, x, func(t *shadowTask) { t.keepTensors(x) })
}

// mirror offers a task to the workers; fill copies what it needs.
func (s *shadows) mirror(m *Mirror, x *Exchange, fill func(*shadowTask)) {
	m.offered.Add(1)
	if !m.o.Guard.Permits().TryAcquirePermit() {
		m.dropped.Add(1)
		return
	}
	t := s.tasks.Get().(*shadowTask)
	t.begin(m.o.Candidate, m, m.o.Guard, time.Now().Add(s.timeout))
	t.liveRun = x.Stages[StageRun]
	fill(t)
	if !s.push(t) {
		s.drop(t)
	}
}

// shadow implements shadowReport.
func (m *Mirror) shadow(r shadowResult) {
	switch r {
	case shadowScored:
	case shadowDropped, shadowExpired:
		m.dropped.Add(1)
	default:
		m.failed.Add(1)
	}
}

// scored implements shadowReport: it compares the two answers.
func (m *Mirror) scored(t *shadowTask) {
	_, run, _ := t.timing()
	agreed := true
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.outputs {
		most, ok := t.difference(&m.outputs[i], m.o.Live)
		d := &m.report.Outputs[i]
		if !ok {
			d.Unlike++
		}
		d.Most = max(d.Most, most)
		agreed = agreed && ok && most <= m.o.Tolerance
	}
	if t.tensors == nil && t.hasLive {
		if got, ok := shorthand(t.lane, t.job.Out()); ok {
			agreed = math.Abs(got-t.live) <= m.o.Tolerance // false for a NaN
		}
	}
	if t.nonFinite() {
		m.nonFinite.Add(1)
		agreed = false
	}
	if agreed {
		m.report.Agreed++
	}
	m.report.LiveRun += t.liveRun
	m.report.CandidateRun += run
	m.compared.Add(1)
}
