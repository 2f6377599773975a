package router

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"hotpath/models"
	"hotpath/resilience"
	"hotpath/resilience/handoff"
)

// mirroredTensors is a copy of a request of whole tensors and of its answer.
type mirroredTensors struct {
	in   []models.Tensor
	want []models.Tensor
	job  TensorJob
}

// unowned is the owner of memory that the collector frees.
type unowned struct{}

func (unowned) Free() {}

// keepAnswer copies the row that was scored and the row that was answered.
func (t *shadowTask) keepAnswer(x *Exchange) {
	t.keepRow(x)
	out := x.Lane.Out
	if len(t.answer.Data) != out.Bytes || len(t.answer.Strings) != out.Strings {
		t.answer = out.NewRow()
	}
	t.answer.CopyFrom(x.Out())
}

// keepTensors copies the tensors of a request and of its answer.
func (t *shadowTask) keepTensors(x *Exchange) {
	m := &mirroredTensors{}
	clone := func(all []models.Tensor) (out []models.Tensor) {
		for _, one := range all {
			out = append(out, models.Tensor{Name: one.Name, DType: one.DType, Shape: slices.Clone(one.Shape), Data: bytes.Clone(one.Data)})
		}
		return out
	}
	m.in, m.want = clone(x.ordered), clone(x.Outputs())
	for i := range m.in {
		m.in[i].Name = strings.Clone(m.in[i].Name) // it may be the request's memory
	}
	t.tensors = m
}

// scoreTensors is score for a request of whole tensors.
func (t *shadowTask) scoreTensors() error {
	m := t.tensors
	ordered, rows, err := t.lane.Signature.CheckTensors(m.in, nil)
	if err != nil {
		return err
	}
	m.job = t.lane.Scorer.AcquireTensors()
	return m.job.Score(ordered, rows, unowned{}, t.until, handoff.Low)
}

func (t *shadowTask) timing() (queued, run time.Duration, rows int) {
	if t.tensors != nil {
		return t.tensors.job.Timing()
	}
	return t.job.Timing()
}

// difference compares one output of the two answers.
func (t *shadowTask) difference(o *mirroredOutput, live *Lane) (most float64, ok bool) {
	if t.tensors != nil {
		want, got := &t.tensors.want[o.live], &t.tensors.job.Outputs()[o.candidate]
		if o.port.DType == models.String {
			return 0, bytes.Equal(want.Data, got.Data)
		}
		if !slices.Equal(want.Shape, got.Shape) {
			return 0, false
		}
		return models.Difference(o.port.DType, want.Data, got.Data)
	}
	a, b, out := live.Out, t.lane.Out, t.job.Out()
	if a.Width[o.live] != b.Width[o.candidate] {
		return 0, false
	}
	if o.port.DType == models.String {
		for e := range a.Width[o.live] {
			if t.answer.StringAt(a.StringOffset[o.live]+e) != out.StringAt(b.StringOffset[o.candidate]+e) {
				return 0, false
			}
		}
		return 0, true
	}
	from, to := a.Offset[o.live], b.Offset[o.candidate]
	return models.Difference(o.port.DType, t.answer.Data[from:from+a.Stride[o.live]], out.Data[to:to+b.Stride[o.candidate]])
}

func (t *shadowTask) nonFinite() bool {
	if t.tensors != nil {
		return nonFiniteTensors(t.tensors.job.Outputs())
	}
	return t.lane.Out.NonFinite(t.job.Out()) >= 0
}

// begin makes the task one for a lane. The caller holds a permit of guard's bulkhead.
func (t *shadowTask) begin(lane *Lane, report shadowReport, guard *resilience.Guard, until time.Time) {
	t.lane, t.report, t.guard, t.until = lane, report, guard, until
	t.lane.Hold()
}
