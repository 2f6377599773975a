package inference

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hotpath/models"
)

// Verify proves a runner before it may serve: every golden case must come out
// as recorded, alone and in full batches; every batch size runs once, so that no
// request pays for a first run; and so does every warm-up sample. golden may be
// nil: then one row of zeros is tried at each size, and a model that refuses it
// is left unwarmed, since zeros need not be valid for it. It stops at the end of ctx.
func (r *Runner) Verify(ctx context.Context, golden *models.Golden, samples []models.WarmupSample) error {
	return r.within(ctx, func() error { return r.verify(golden, samples) })
}

func (r *Runner) verify(golden *models.Golden, samples []models.WarmupSample) error {
	sig := &r.session.sig
	if golden != nil {
		if err := golden.Check(sig); err != nil {
			return err
		}
		if err := r.golden(golden); err != nil {
			return err
		}
	}
	if err := r.warm(golden); err != nil {
		return err
	}
	return warmUp(sig, samples, func(in []models.Tensor, rows int) error {
		if rows > r.MaxRows() {
			return fmt.Errorf("rows is %d, over the largest batch of %d", rows, r.MaxRows())
		}
		r.in.SetTensors(0, rows, in)
		return r.Run(rows)
	})
}

// golden runs the cases one by one and then in batches as large as they come.
func (r *Runner) golden(g *models.Golden) error {
	for _, size := range []int{1, r.MaxRows()} {
		for from := 0; from < len(g.Cases); from += size {
			if err := r.goldenBatch(g, from, min(from+size, len(g.Cases))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runner) goldenBatch(g *models.Golden, from, to int) error {
	sig, out := &r.session.sig, r.session.out
	for i := from; i < to; i++ {
		in, err := g.Tensors(i, sig)
		if err != nil {
			return err
		}
		r.in.SetTensors(i-from, 1, in)
	}
	if err := r.Run(to - from); err != nil {
		return fmt.Errorf("golden cases %d to %d: %w", from, to-1, err)
	}
	got := out.NewRow()
	for i := from; i < to; i++ {
		r.out.GetRow(i-from, &got)
		if err := g.Compare(i, out, &got); err != nil {
			return err
		}
		if port := out.NonFinite(&got); port >= 0 {
			return fmt.Errorf("golden case %d: output %q holds a NaN or an infinity: no answer could be made of it", i, out.Ports[port].Name)
		}
	}
	return nil
}

// warmTime bounds the warm-up. A model so slow that it does not fit is served
// with its larger batch sizes unwarmed, rather than kept from serving.
const warmTime = 2 * time.Second

// warm runs every batch size once, smallest first, on the first golden case.
func (r *Runner) warm(g *models.Golden) error {
	in, err := firstExample(&r.session.sig, g)
	if err != nil {
		return err
	}
	for i := range r.MaxRows() {
		r.in.SetTensors(i, 1, in)
	}
	start := time.Now()
	for _, n := range r.sizes {
		if time.Since(start) > warmTime {
			return nil
		}
		if err := r.Run(n); err != nil {
			if g == nil {
				return nil
			}
			return fmt.Errorf("warm-up with %d rows: %w", n, err)
		}
	}
	return nil
}

// firstExample is the first golden case, or zeros.
func firstExample(sig *models.Signature, g *models.Golden) ([]models.Tensor, error) {
	if g != nil {
		return g.Tensors(0, sig)
	}
	return (&models.Example{}).Tensors(sig, 1)
}

// warmUp makes the runs of the samples.
func warmUp(sig *models.Signature, samples []models.WarmupSample, run func(in []models.Tensor, rows int) error) error {
	for i := range samples {
		w := &samples[i]
		rows := max(w.Rows, 1)
		example := models.Example{Inputs: w.Inputs, Shapes: w.Shapes, Random: w.Random}
		in, err := example.Tensors(sig, rows)
		for n := 0; err == nil && n < max(w.Count, 1); n++ {
			err = run(in, rows)
		}
		if err != nil {
			return fmt.Errorf("warm-up sample %q: %w", w.Name, err)
		}
	}
	return nil
}

// Verify proves a runner before it may serve: every golden case must come out as
// recorded, alone and together with others of the same sizes, and every warm-up
// sample must run. Without golden cases zeros are tried, with 1 for every size
// that is open; a model that refuses them is left unwarmed.
func (r *TensorRunner) Verify(ctx context.Context, golden *models.Golden, samples []models.WarmupSample) error {
	return r.within(ctx, func() error { return r.verify(golden, samples) })
}

func (r *TensorRunner) verify(golden *models.Golden, samples []models.WarmupSample) error {
	sig := &r.session.sig
	defer r.Discard()
	if golden == nil {
		if in, err := firstExample(sig, nil); err == nil {
			// An error says that zeros are no valid input.
			_, _ = r.RunTensors(in)
		}
	} else {
		if err := golden.Check(sig); err != nil {
			return err
		}
		if err := r.golden(golden); err != nil {
			return err
		}
	}
	return warmUp(sig, samples, func(in []models.Tensor, rows int) error {
		if rows > r.maxRows {
			return fmt.Errorf("rows is %d, over the largest batch of %d", rows, r.maxRows)
		}
		_, err := r.RunTensors(in)
		return err
	})
}

// golden runs every case alone, and then neighbours of the same sizes together.
func (r *TensorRunner) golden(g *models.Golden) error {
	sig := &r.session.sig
	var batch [][]models.Tensor
	for i := range g.Cases {
		in, err := g.Tensors(i, sig)
		if err != nil {
			return err
		}
		if err := r.goldenRun(g, i, [][]models.Tensor{in}); err != nil {
			return err
		}
		if len(batch) > 0 && (len(batch) == r.maxRows || !sameShapes(batch[0], in)) {
			if err := r.goldenRun(g, i-len(batch), batch); err != nil {
				return err
			}
			batch = nil
		}
		batch = append(batch, in)
	}
	return r.goldenRun(g, len(g.Cases)-len(batch), batch)
}

// goldenRun runs the cases from case first on together, and compares each.
func (r *TensorRunner) goldenRun(g *models.Golden, first int, batch [][]models.Tensor) error {
	sig := &r.session.sig
	if !sig.Batched && len(batch) > 1 {
		return nil
	}
	in := slices.Clone(batch[0])
	for i := range in {
		in[i].Shape, in[i].Data = slices.Clone(in[i].Shape), slices.Clone(in[i].Data)
		for _, other := range batch[1:] {
			in[i].Shape[0]++
			in[i].Data = append(in[i].Data, other[i].Data...)
		}
	}
	out, err := r.RunTensors(in)
	if err != nil {
		return fmt.Errorf("golden cases %d to %d: %w", first, first+len(batch)-1, err)
	}
	for at := range batch {
		rows := out
		if sig.Batched {
			if rows, err = models.CutRows(out, len(batch), at, 1); err != nil {
				return fmt.Errorf("golden cases %d to %d: %w", first, first+len(batch)-1, err)
			}
		}
		if err := g.CompareTensors(first+at, sig, rows); err != nil {
			return err
		}
	}
	return nil
}

func sameShapes(a, b []models.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y models.Tensor) bool { return slices.Equal(x.Shape, y.Shape) })
}
