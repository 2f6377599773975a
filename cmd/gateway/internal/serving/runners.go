package serving

import (
	"context"
	"slices"

	"hotpath/batcher"
	"hotpath/inference"
	"hotpath/models"
)

// runner is what the two kinds of an inference runner have in common.
type runner interface {
	Verify(ctx context.Context, golden *models.Golden, samples []models.WarmupSample) error
	Cancel()
	MaxRows() int
	Close() error
}

// makeRunners makes and proves the runners.
func (l *Loader) makeRunners(ctx context.Context, p *preparation) error {
	took, err := l.memory.measure(0, func() error {
		for range p.Config.Instances {
			r, err := p.newRunner()
			if err != nil {
				return err
			}
			p.runners = append(p.runners, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.memory += took
	for _, r := range p.runners {
		if rows, ok := r.(*inference.Runner); ok {
			p.memory += int64(rows.FrameBytes())
		}
		if err := r.Verify(ctx, p.Golden, p.Config.Warmup); err != nil {
			return err
		}
	}
	return nil
}

// newRunner makes a runner. A fixed batch dimension wins over max_batch_size,
// which has a default, but not over batch_sizes.
func (p *preparation) newRunner() (runner, error) {
	s := p.session
	most := max(p.Config.MaxBatchSize, 1)
	if sig := s.Signature(); !sig.Batched {
		most = 1
	} else if fixed := s.FixedBatch(); fixed > 0 {
		most = fixed
	}
	if s.Varies() != "" {
		return orNil(s.NewTensorRunner(most))
	}
	sizes := slices.Clone(p.Config.BatchSizes)
	switch {
	case len(sizes) > 0:
	case s.FixedBatch() > 0:
		sizes = []int{most}
	default:
		sizes = inference.BatchSizes(s.Provider(), most)
	}
	return orNil(s.NewRunner(sizes))
}

// orNil keeps a nil runner from becoming an interface that is not nil.
func orNil[R runner](r R, err error) (runner, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// batcher starts the batcher of the version's kind.
func (p *preparation) batcher(o batcher.Options) (*batcher.Batcher, error) {
	sig := p.session.Signature()
	in, out := p.session.Layouts()
	if in == nil {
		merging, err := merging(&p.Config, &sig)
		if err != nil {
			return nil, err
		}
		return batcher.NewTensors(o, &sig, merging, owned[batcher.TensorRunner](p.runners))
	}
	o.Unbatched = !sig.Batched
	return batcher.New(o, in, out, owned[batcher.Runner](p.runners))
}

// owned are the runners as the batcher sees them.
func owned[R any](runners []runner) []R {
	out := make([]R, len(runners))
	for i, r := range runners {
		out[i] = r.(R)
	}
	return out
}

// merging says for each input how requests of different sizes may share a run.
func merging(c *models.Config, sig *models.Signature) ([]batcher.Merge, error) {
	out := make([]batcher.Merge, len(sig.Inputs))
	for i := range c.Inputs {
		in := &c.Inputs[i]
		at := slices.IndexFunc(sig.Inputs, func(p models.Port) bool { return p.Name == in.Name })
		pad, err := in.PadData(sig.Inputs[at].DType)
		if err != nil {
			return nil, err
		}
		out[at] = batcher.Merge{Ragged: in.Ragged, Pad: pad}
	}
	return out, nil
}

func closeRunners(runners []runner) {
	for _, r := range runners {
		// Freeing fails only for a runtime that is already gone.
		_ = r.Close()
	}
}
