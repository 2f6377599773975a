package grpcapi

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/routertest"
)

// echo is a scorer whose outputs are its inputs, in place and of any size.
type echo struct {
	// onScore, if set, is called by each Score; its error is Score's.
	onScore func(until time.Time) error
	// grow, if set, is the number of elements of an output, instead of the input's.
	grow int
	// held counts the requests whose memory is not freed yet.
	held atomic.Int64
	jobs sync.Pool
}

func (e *echo) Acquire() router.Job { return nil }
func (e *echo) AcquireTensors() router.TensorJob {
	if j, ok := e.jobs.Get().(*echoJob); ok {
		return j
	}
	return &echoJob{echo: e}
}
func (e *echo) RetryAfter() time.Duration { return 3 * time.Second }

// echoJob has its outputs in memory of its own that it keeps, as a batcher's job.
type echoJob struct {
	echo  *echo
	owner models.Owner
	out   []models.Tensor
}

func (j *echoJob) Outputs() []models.Tensor            { return j.out }
func (j *echoJob) Timing() (_, _ time.Duration, _ int) { return 0, 0, 1 }

func (j *echoJob) Score(in []models.Tensor, _ int, owner models.Owner, until time.Time, _ handoff.Priority) error {
	j.owner = owner
	j.echo.held.Add(1)
	if j.echo.onScore != nil {
		if err := j.echo.onScore(until); err != nil {
			return err
		}
	}
	j.out = slices.Grow(j.out[:0], len(in))[:len(in)]
	for i, t := range in {
		data := append(j.out[i].Data[:0], t.Data...)
		if n := 4 * j.echo.grow; n > 0 {
			t.Shape, data = []int64{int64(j.echo.grow)}, slices.Grow(data[:0], n)[:n]
		}
		t.Data = data
		j.out[i] = t
	}
	return nil
}

func (j *echoJob) Release() {
	if j.owner != nil {
		j.owner.Free()
		j.owner = nil
		j.echo.held.Add(-1)
	}
	j.echo.jobs.Put(j)
}

// echoVersion makes a version of a model with an input of every type, of which each
// request may send any number of elements.
func echoVersion(r *routertest.Rig, e *echo, ports ...models.Port) *routertest.Version {
	v := r.Version("echo", 1)
	if len(ports) == 0 {
		ports = []models.Port{{Name: "x", DType: models.Float32, Shape: []int{-1}}}
	}
	v.Lane.Signature = models.Signature{Inputs: ports, Outputs: ports}
	v.Lane.Scorer = e
	return v
}
