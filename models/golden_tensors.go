package models

import (
	"errors"
	"fmt"
	"slices"
)

// Check reports every case that does not fit the graph: every input must be
// there, and outputs as far as they are named.
func (g *Golden) Check(sig *Signature) error {
	var errs []error
	for _, name := range sortedKeys(g.Tolerances) {
		if findPort(sig.Outputs, name) == nil {
			errs = append(errs, fmt.Errorf("golden: tolerances: the model has no output %q; it has %s", name, portNames(sig.Outputs)))
		}
	}
	for i := range g.Cases {
		if _, err := g.Tensors(i, sig); err != nil {
			errs = append(errs, err)
		} else if err := g.Cases[i].checkOutputs(i, sig); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Tensors are the inputs of case i, of one row. Every input must be given.
func (g *Golden) Tensors(i int, sig *Signature) ([]Tensor, error) {
	c := &g.Cases[i]
	for p := range sig.Inputs {
		if _, ok := c.Inputs[sig.Inputs[p].Name]; !ok {
			return nil, fmt.Errorf("golden: cases[%d]: input %s is missing", i, sig.Inputs[p])
		}
	}
	e := Example{Inputs: c.Inputs, Shapes: map[string][]int{}}
	for _, name := range sortedKeys(c.Shapes) {
		switch {
		case findPort(sig.Inputs, name) != nil:
			e.Shapes[name] = c.Shapes[name]
		case findPort(sig.Outputs, name) == nil:
			return nil, fmt.Errorf("golden: cases[%d]: shapes: the model has no input or output %q", i, name)
		}
	}
	in, err := e.Tensors(sig, 1)
	if err != nil {
		return nil, fmt.Errorf("golden: cases[%d]: %w", i, err)
	}
	return in, nil
}

// checkOutputs reports outputs that the graph has not, or not in that shape.
func (c *GoldenCase) checkOutputs(i int, sig *Signature) error {
	for _, name := range sortedKeys(c.Outputs) {
		p := findPort(sig.Outputs, name)
		if p == nil {
			return fmt.Errorf("golden: cases[%d]: the model has no output %q; it has %s", i, name, portNames(sig.Outputs))
		}
		shape, given := c.Shapes[name]
		if given {
			if err := p.fits(shape); err != nil {
				return fmt.Errorf("golden: cases[%d]: output %s: %w", i, name, err)
			}
		} else if shape = p.Shape; slices.ContainsFunc(shape, func(d int) bool { return d < 0 }) {
			shape = []int{len(c.Outputs[name])} // to check the values' type
		}
		concrete := Port{Name: name, DType: p.DType, Shape: shape}
		err := concrete.checkSize()
		if err == nil {
			_, err = elements(&concrete, c.Outputs[name])
		}
		if err != nil {
			return fmt.Errorf("golden: cases[%d]: output %s: %w", i, name, err)
		}
	}
	return nil
}

// CompareTensors is Compare for the outputs of one row as whole tensors, in the
// order of the signature; what Check reports must have been reported.
func (g *Golden) CompareTensors(i int, sig *Signature, got []Tensor) error {
	c := &g.Cases[i]
	for p := range sig.Outputs {
		name := sig.Outputs[p].Name
		values, named := c.Outputs[name]
		if !named {
			continue
		}
		concrete := Port{Name: name, DType: got[p].DType}
		for _, d := range got[p].Shape {
			concrete.Shape = append(concrete.Shape, int(d))
		}
		if sig.Batched {
			concrete.Shape = concrete.Shape[1:]
		}
		if want, given := c.Shapes[name]; given && !slices.Equal(want, concrete.Shape) {
			return fmt.Errorf("golden: cases[%d]: output %s: want shape %v, got %v", i, name, want, concrete.Shape)
		}
		if n := concrete.Width(); n != len(values) {
			return fmt.Errorf("golden: cases[%d]: output %s: want %d values, got %d in shape %v", i, name, len(values), n, concrete.Shape)
		}
		l := NewLayout([]Port{concrete})
		want, have := l.NewRow(), l.NewRow()
		if err := putPort(&want, l, 0, values); err != nil {
			return fmt.Errorf("golden: cases[%d]: output %s: %w", i, name, err)
		}
		l.setPort(&have, 0, got[p].Data)
		if err := g.compareElements(i, l, 0, &want, &have); err != nil {
			return err
		}
	}
	return nil
}

// setPort copies the data of a tensor of one row into a port of a row.
func (l *Layout) setPort(r *Row, port int, data []byte) {
	if l.Ports[port].DType != String {
		copy(r.Data[l.Offset[port]:][:l.Stride[port]], data)
		return
	}
	for e := range l.Width[port] {
		var s []byte
		s, data, _ = CutString(data)
		r.SetString(l.StringOffset[port]+e, s)
	}
}
