package inference

import (
	"fmt"
	"time"

	"hotpath/models"
)

// Verify proves a runner before it may serve: every golden case must come out
// as recorded, alone and in full batches, and every batch size runs once, so
// that no request pays for a first run. golden may be nil: then one row of
// zeros is tried at each size, and a model that refuses it is left unwarmed,
// since zeros need not be valid for it.
func (r *Runner) Verify(golden *models.Golden) error {
	sig := r.session.Signature()
	if golden == nil {
		return r.warm(nil)
	}
	if err := golden.Check(&sig); err != nil {
		return err
	}
	if err := r.golden(golden); err != nil {
		return err
	}
	return r.warm(golden)
}

// golden runs the cases one by one and then in batches as large as they come.
func (r *Runner) golden(g *models.Golden) error {
	for _, size := range []int{r.sizes[0], r.MaxRows()} {
		for from := 0; from < len(g.Cases); from += size {
			if err := r.goldenBatch(g, from, min(from+size, len(g.Cases))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runner) goldenBatch(g *models.Golden, from, to int) error {
	rows := make([]models.Row, to-from)
	for i := range rows {
		rows[i] = r.session.in.NewRow()
		if err := g.Input(from+i, r.session.in, &rows[i]); err != nil {
			return err
		}
		r.in.SetRow(i, &rows[i])
	}
	if err := r.Run(len(rows)); err != nil {
		return fmt.Errorf("golden cases %d to %d: %w", from, to-1, err)
	}
	got := r.session.out.NewRow()
	for i := range rows {
		r.out.GetRow(i, &got)
		if err := g.Compare(from+i, r.session.out, &got); err != nil {
			return err
		}
		if port := r.session.out.NonFinite(&got); port >= 0 {
			return fmt.Errorf("golden case %d: output %q holds a NaN or an infinity: no answer could be made of it", from+i, r.session.out.Ports[port].Name)
		}
	}
	return nil
}

// warmTime bounds the warm-up. A model so slow that it does not fit is served
// with its larger batch sizes unwarmed, rather than kept from serving.
const warmTime = 2 * time.Second

// warm runs every batch size once, smallest first, on the first golden case.
func (r *Runner) warm(g *models.Golden) error {
	row := r.session.in.NewRow()
	if g != nil {
		if err := g.Input(0, r.session.in, &row); err != nil {
			return err
		}
	}
	for i := range r.MaxRows() {
		r.in.SetRow(i, &row)
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
