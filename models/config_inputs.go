package models

import (
	"fmt"
	"slices"
)

// The limits of a warm-up sample.
const (
	maxWarmups     = 100
	maxWarmupCount = 10_000
)

// validateInputs checks what is said of each input, whatever the graph looks like.
func (c *Config) validateInputs(ps *problems) {
	for i := range c.Inputs {
		in := &c.Inputs[i]
		path := fmt.Sprintf("inputs[%d]", i)
		if len(in.Features) == 0 && in.Shape == nil && !in.Ragged {
			ps.add(path+".features", "is empty; give features, a shape or ragged, or remove the input to take it from the request whole")
		}
		if len(in.Shape) >= MaxTensorRank {
			ps.add(path+".shape", "%d dimensions are over the limit of %d", len(in.Shape), MaxTensorRank-1)
		}
		for d, n := range in.Shape {
			if n != -1 && n < 1 {
				ps.add(fmt.Sprintf("%s.shape[%d]", path, d), "%d is neither a size nor -1, which leaves it open", n)
			}
		}
		switch {
		case !in.Ragged && in.Pad != nil:
			ps.add(path+".pad", "is of use with ragged: true alone; add that, or remove it")
		case in.Ragged && len(in.Features) > 0:
			ps.add(path+".ragged", "an input that features fill has one size; remove one of the two")
		case in.Ragged && c.MaxBatchSize == 0:
			ps.add(path+".ragged", "max_batch_size is 0, so no requests share a run; remove one of the two")
		}
	}
	if c.MaxBatchSize == 0 {
		if c.PadBatch {
			ps.add("pad_batch", "max_batch_size is 0: there is no batch to pad; remove one of the two")
		}
		if len(c.BatchSizes) > 0 {
			ps.add("batch_sizes", "max_batch_size is 0: there are no batches; remove one of the two")
		}
	}
}

// validateWarmup checks the samples, whatever the graph looks like.
func (c *Config) validateWarmup(ps *problems) {
	if len(c.Warmup) > maxWarmups {
		ps.add("warmup", "%d samples are over the limit of %d", len(c.Warmup), maxWarmups)
		return
	}
	seen := make([]string, len(c.Warmup))
	for i := range c.Warmup {
		w := &c.Warmup[i]
		path := fmt.Sprintf("warmup[%d]", i)
		seen[i] = w.Name
		ps.inRange(path+".rows", w.Rows, 0, max(c.MaxBatchSize, 1))
		ps.inRange(path+".count", w.Count, 0, maxWarmupCount)
		for _, name := range sortedKeys(w.Shapes) {
			if slices.ContainsFunc(w.Shapes[name], func(d int) bool { return d < 0 }) {
				ps.add(keyPath(path+".shapes", name), "%v is not a shape: a sample has no open sizes", w.Shapes[name])
			}
		}
	}
	ps.names("warmup[%d].name", seen)
}

// checkInputs reports inputs that the graph has not, or not so.
func (c *Config) checkInputs(ps *problems, sig *Signature) {
	for i := range c.Inputs {
		in := &c.Inputs[i]
		path := fmt.Sprintf("inputs[%d]", i)
		p := findPort(sig.Inputs, in.Name)
		if p == nil {
			ps.add(path+".name", "the model has no input %q; it has %s", in.Name, portNames(sig.Inputs))
			continue
		}
		if len(in.Features) > 0 {
			checkFeatures(ps, path+".features", in, p, sig)
		}
		if !in.Ragged {
			continue
		}
		switch {
		case !sig.Batched:
			ps.add(path+".ragged", "the model has no batch dimension, so no requests share a run; remove it")
		case !p.varies():
			ps.add(path+".ragged", "input %s has one size, %v; remove it", in.Name, p.Shape)
		default:
			if _, err := in.PadData(p.DType); err != nil {
				ps.add(path+".pad", "%v", err)
			}
		}
	}
}

func checkFeatures(ps *problems, path string, in *InputBinding, p *Port, sig *Signature) {
	if side, open := sig.open(); open != nil {
		fix := "fix it with inputs[].shape"
		if side == "output" {
			fix = "leave it out by listing the outputs wanted in outputs, or give a golden.json that shows its size"
		}
		ps.add(path, "features need rows of a fixed size, but %s %s has shape %s: %s, or remove the features and send whole tensors",
			side, open.Name, ShapeText(sig.FullShape(open)), fix)
		return
	}
	if len(in.Features) > p.Width() {
		ps.add(path, "%d features do not fit input %s of width %d", len(in.Features), in.Name, p.Width())
	}
}

// open finds a port whose size varies; nil when rows have a fixed layout.
func (s *Signature) open() (side string, p *Port) {
	for i := range s.Inputs {
		if s.Inputs[i].varies() {
			return "input", &s.Inputs[i]
		}
	}
	for i := range s.Outputs {
		if s.Outputs[i].varies() {
			return "output", &s.Outputs[i]
		}
	}
	return "", nil
}

// checkWarmup reports samples that cannot be made for the graph.
func (c *Config) checkWarmup(ps *problems, sig *Signature) {
	for i := range c.Warmup {
		w := &c.Warmup[i]
		e := Example{Inputs: w.Inputs, Shapes: w.Shapes}
		if _, err := e.Tensors(sig, 1); err != nil {
			ps.add(fmt.Sprintf("warmup[%d]", i), "%v", err)
		}
		if !sig.Batched && w.Rows > 1 {
			ps.add(fmt.Sprintf("warmup[%d].rows", i), "is %d, but the model has no batch dimension", w.Rows)
		}
	}
}

// checkWhole reports what only a model with rows of a fixed size can have.
func (c *Config) checkWhole(ps *problems, sig *Signature) {
	side, open := sig.open()
	if open == nil {
		return
	}
	for _, key := range []struct {
		path string
		used bool
	}{{"prediction.output", c.Prediction.Output != ""}, {"fallback", len(c.Fallback) > 0}} {
		if key.used {
			ps.add(key.path, "needs rows of a fixed size, but %s %s has shape %s; remove it, or fix the inputs' sizes with inputs[].shape",
				side, open.Name, ShapeText(sig.FullShape(open)))
		}
	}
}

// PadData is what a ragged input is padded with: an element's bytes, those of the
// text alone for a string; nil for zeros and empty strings.
func (b *InputBinding) PadData(d DType) ([]byte, error) {
	if b.Pad == nil {
		return nil, nil
	}
	data, err := elements(&Port{DType: d}, []any{b.Pad})
	if err != nil {
		return nil, err
	}
	if d == String {
		data, _, _ = CutString(data)
	}
	return data, nil
}

// Shapes are those that the config gives inputs, by name.
func (c *Config) Shapes() map[string][]int {
	shapes := map[string][]int{}
	for i := range c.Inputs {
		if c.Inputs[i].Shape != nil {
			shapes[c.Inputs[i].Name] = c.Inputs[i].Shape
		}
	}
	return shapes
}
