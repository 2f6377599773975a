package httpapi_test

import (
	"slices"
	"time"

	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/routertest"
)

// echoScorer answers a request of tensors with the same, whatever they are. It
// stands in for a model of any signature.
type echoScorer struct {
	router.Scorer
	// onScore, if set, is called first: its error is Score's.
	onScore func(in []models.Tensor, rows int, until time.Time) error
	// keep, if set, takes over the tensors and the owner, to free it later.
	keep func(in []models.Tensor, owner models.Owner)
	// change, if set, changes the answer.
	change func(out []models.Tensor)
}

func (s *echoScorer) AcquireTensors() router.TensorJob { return &echoJob{scorer: s} }

type echoJob struct {
	scorer *echoScorer
	out    []models.Tensor
}

func (j *echoJob) Score(in []models.Tensor, rows int, owner models.Owner, until time.Time, _ handoff.Priority) error {
	if j.scorer.onScore != nil {
		if err := j.scorer.onScore(in, rows, until); err != nil {
			owner.Free()
			return err
		}
	}
	for _, t := range in {
		t.Data, t.Shape = slices.Clone(t.Data), slices.Clone(t.Shape)
		j.out = append(j.out, t)
	}
	if j.scorer.change != nil {
		j.scorer.change(j.out)
	}
	if j.scorer.keep != nil {
		j.scorer.keep(slices.Clone(in), owner)
	} else {
		owner.Free()
	}
	return nil
}

func (j *echoJob) Outputs() []models.Tensor { return j.out }
func (j *echoJob) Release()                 {}
func (j *echoJob) Timing() (queued, run time.Duration, rows int) {
	return time.Microsecond, time.Microsecond, 1
}

// echo makes a version of a model with those ports, in and out.
func echo(r *routertest.Rig, model string, batched bool, ports ...models.Port) (*routertest.Version, *echoScorer) {
	v := r.Version(model, 1)
	s := &echoScorer{Scorer: v.Lane.Scorer}
	v.Lane.Scorer, v.Lane.Signature = s, models.Signature{Batched: batched, Inputs: ports, Outputs: ports}
	return v, s
}

// everyType are ports of every type, a row of which is one element.
func everyType() (ports []models.Port) {
	for d := models.Bool; d <= models.String; d++ {
		ports = append(ports, models.Port{Name: d.String(), DType: d, Shape: []int{1}})
	}
	return ports
}
