package inference

import (
	"context"
	"fmt"
	"time"

	"hotpath/models"
)

// trial is what the outputs of a run looked like.
type trial struct {
	rows   int
	shapes [][]int64
}

// trialTime bounds the trials of a slow model, once one of them has succeeded.
const trialTime = time.Second

// trials runs the model on a few inputs of different values and numbers of rows,
// as far as it takes them: sizes that the data decides then show. Without any
// success the declarations have to do, and must say how many dimensions there are.
func (s *Session) trials(ctx context.Context, g *graph) (seen []trial, err error) {
	r, err := s.NewTensorRunner(1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var failed error
	err = r.within(ctx, func() error {
		seen, failed = s.try(ctx, g, r)
		return nil
	})
	if err != nil || len(seen) > 0 {
		return seen, err
	}
	for i := range g.outputs {
		if !g.outputs[i].ranked {
			return nil, fmt.Errorf("the graph does not declare the shape of output %q, and a trial run to find it failed (where zeros are no valid input, a golden.json beside the model gives a valid row): %w", g.outputs[i].name, failed)
		}
	}
	return nil, nil
}

// try makes the runs. failed is the error of the first that failed.
func (s *Session) try(ctx context.Context, g *graph, r *TensorRunner) (seen []trial, failed error) {
	rows := []int{1, 2, 3}
	if s.fixed > 0 {
		rows = []int{s.fixed}
	} else if !s.sig.Batched {
		rows = []int{1}
	}
	start := time.Now()
	for _, n := range rows {
		for _, sample := range s.samples(g, n) {
			if ctx.Err() != nil || len(seen) > 0 && time.Since(start) > trialTime {
				return seen, failed
			}
			in, err := sample()
			if err == nil {
				var out []models.Tensor
				if out, err = r.RunTensors(in); err == nil {
					seen = append(seen, newTrial(n, out))
				}
			}
			if failed == nil {
				failed = err
			}
		}
	}
	return seen, failed
}

func newTrial(rows int, out []models.Tensor) trial {
	t := trial{rows: rows, shapes: make([][]int64, len(out))}
	for i := range out {
		t.shapes[i] = append([]int64{}, out[i].Shape...)
	}
	return t
}

// samples are the inputs of the trials with that many rows. What the graph leaves
// open has another size in each.
func (s *Session) samples(g *graph, rows int) []func() ([]models.Tensor, error) {
	of := func(e models.Example) func() ([]models.Tensor, error) {
		return func() ([]models.Tensor, error) { return e.Tensors(&s.sig, rows) }
	}
	all := []func() ([]models.Tensor, error){of(models.Example{Open: 1}), of(models.Example{Random: true, Open: 2})}
	if g.options.Sample == nil {
		return all
	}
	return append(all, func() ([]models.Tensor, error) {
		in, err := g.options.Sample(&s.sig)
		if err != nil || !s.sig.Batched {
			return in, err
		}
		return models.RepeatRows(in, rows), nil
	})
}
