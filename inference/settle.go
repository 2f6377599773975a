package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hotpath/models"
)

// settle decides what the model takes and gives. What the graph declares is
// believed; what it leaves open is found out by trial runs.
func (s *Session) settle(ctx context.Context, g *graph) error {
	batched, fixed, err := g.batching()
	if err != nil {
		return err
	}
	if err := s.takes(g, batched, fixed); err != nil {
		return err
	}
	var seen []trial
	if s.needsTrials(g) {
		if seen, err = s.trials(ctx, g); err != nil {
			return err
		}
		if batched && !follows(g, seen) {
			if g.options.PadBatch {
				return fmt.Errorf("pad_batch: the outputs do not have the inputs' batch dimension: leave pad_batch out")
			}
			if err := s.takes(g, false, 0); err != nil {
				return err
			}
		}
		if s.sig.Batched && s.fixed == 0 && len(seen) > 0 && !slices.ContainsFunc(seen, func(t trial) bool { return t.rows > 1 }) {
			s.fixed = 1 // it says that it takes any number of rows, and fails on more than one
		}
	}
	if err := s.gives(g, seen); err != nil {
		return err
	}
	return s.finish(g)
}

// takes sets the inputs, and checks their size before a trial makes a row of them.
func (s *Session) takes(g *graph, batched bool, fixed int) (err error) {
	s.sig.Batched, s.fixed = batched, fixed
	if s.sig.Inputs, err = g.inPorts(batched); err != nil {
		return err
	}
	return (&models.Signature{Inputs: s.sig.Inputs, Outputs: []models.Port{{DType: models.Bool}}}).Validate()
}

// needsTrials says that the declarations leave open whether an output has the
// batch dimension, or a size of it that the inputs' sizes should settle.
func (s *Session) needsTrials(g *graph) bool {
	inputsFixed := !anyOpen(s.sig.Inputs)
	return slices.ContainsFunc(g.outputs, func(out declared) bool {
		if !out.ranked || s.sig.Batched && !g.sameBatch(&out, s.fixed) {
			return true
		}
		dims := out.dims
		if s.sig.Batched {
			dims = dims[1:]
		}
		return inputsFixed && hasOpen(dims)
	})
}

func hasOpen(dims []int) bool { return slices.ContainsFunc(dims, func(d int) bool { return d < 0 }) }

func anyOpen(ports []models.Port) bool {
	return slices.ContainsFunc(ports, func(p models.Port) bool { return hasOpen(p.Shape) })
}

// follows says that every output's first dimension counted the rows of each
// trial. Without a trial the declarations have to do: no output may say otherwise.
func follows(g *graph, seen []trial) bool {
	for _, t := range seen {
		for _, shape := range t.shapes {
			if len(shape) == 0 || shape[0] != int64(t.rows) {
				return false
			}
		}
	}
	return len(seen) > 0 || !slices.ContainsFunc(g.outputs, func(out declared) bool { return len(out.dims) == 0 || out.dims[0] > 1 })
}

// gives sets the outputs: as declared, with what the trials agree on where the
// declaration is open and the inputs have but one size.
func (s *Session) gives(g *graph, seen []trial) error {
	inputsFixed := !anyOpen(s.sig.Inputs)
	s.sig.Outputs = make([]models.Port, len(g.outputs))
	for i := range g.outputs {
		out := &g.outputs[i]
		dims := out.dims
		if rank, ok := rankOf(seen, i); !ok {
			return fmt.Errorf("output %q has as many dimensions as the data makes it have, which cannot be served; list the outputs wanted in config.yaml", out.name)
		} else if len(seen) > 0 && (!out.ranked || rank != len(dims)) {
			dims = slices.Repeat([]int{-1}, rank)
		}
		shape := append([]int{}, dims...)
		for d := range shape {
			if shape[d] < 0 && inputsFixed {
				shape[d] = agreed(seen, i, d)
			}
		}
		if s.sig.Batched {
			shape = shape[1:]
		}
		s.sig.Outputs[i] = models.Port{Name: out.name, DType: out.dtype, Shape: shape}
	}
	return nil
}

// rankOf is the number of dimensions that an output had in every trial.
func rankOf(seen []trial, output int) (rank int, same bool) {
	for _, t := range seen {
		if rank = len(t.shapes[output]); rank != len(seen[0].shapes[output]) {
			return 0, false
		}
	}
	return rank, true
}

// agreed is the size of a dimension that all trials show; -1 when they differ,
// and for 0, which says that the data decides.
func agreed(seen []trial, output, dim int) int {
	size := -1
	for i, t := range seen {
		n := int(t.shapes[output][dim])
		if n == 0 || i > 0 && n != size {
			return -1
		}
		size = n
	}
	return size
}

// finish settles whether rows have a fixed layout.
func (s *Session) finish(g *graph) error {
	for _, side := range []struct {
		name  string
		ports []models.Port
	}{{"input", s.sig.Inputs}, {"output", s.sig.Outputs}} {
		for i := range side.ports {
			if p := &side.ports[i]; s.varies == "" && (hasOpen(p.Shape) || p.Width() == 0) {
				s.varies = fmt.Sprintf("%s %q has shape %s", side.name, p.Name, models.ShapeText(s.sig.FullShape(p)))
			}
		}
	}
	if err := s.sig.Validate(); err != nil {
		return err
	}
	if s.varies == "" {
		s.in, s.out = models.NewLayout(s.sig.Inputs), models.NewLayout(s.sig.Outputs)
		return nil
	}
	if g.options.PadBatch {
		return errors.New("pad_batch needs rows of a fixed size, but " + s.varies + ": fix the inputs' sizes in config.yaml (inputs[].shape), or leave pad_batch out")
	}
	return nil
}
