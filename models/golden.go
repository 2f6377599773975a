package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// Golden is a version's golden.json: rows with the outputs that the framework
// which trained the model gave for them. A version that answers otherwise is
// not served.
type Golden struct {
	// Source says what made the outputs, for a reader.
	Source string `json:"source"`
	// Tolerance is allowed absolutely and again relative to the wanted value:
	// |got - want| <= Tolerance + Tolerance*|want|. 0 asks for equality.
	Tolerance float64 `json:"tolerance"`
	// Tolerances are those of single outputs, by name, in the place of Tolerance.
	Tolerances map[string]float64 `json:"tolerances"`
	Cases      []GoldenCase       `json:"cases"`
}

// GoldenCase is one row: each port's elements, flat and row-major, as
// json.Number, string or bool. NaN and infinities are the strings "NaN",
// "Infinity" and "-Infinity".
type GoldenCase struct {
	Inputs  map[string][]any `json:"inputs"`
	Outputs map[string][]any `json:"outputs"`
	// Shapes of the row by input or output, without the batch dimension, where the
	// graph leaves more than one dimension of an input open, or the shape of an
	// output is to be compared.
	Shapes map[string][]int `json:"shapes"`
}

// The limits of a golden.json, and the tolerance of one that names none.
const (
	MaxGoldenCases   = 1000
	MaxGoldenBytes   = 64 << 20
	DefaultTolerance = 1e-5
)

// ReadGolden reads a golden.json: no unknown or duplicate keys, nothing after
// the object, at most MaxGoldenCases cases and MaxGoldenBytes bytes.
func ReadGolden(r io.Reader) (*Golden, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxGoldenBytes+1))
	if err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	if len(data) > MaxGoldenBytes {
		return nil, fmt.Errorf("golden: file is over the limit of %d bytes; keep fewer cases", MaxGoldenBytes)
	}
	if err := checkKeys(data); err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	g := &Golden{Tolerance: DefaultTolerance}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(g); err != nil {
		return nil, fmt.Errorf("golden: %w", err)
	}
	if err := g.validate(); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Golden) validate() error {
	switch {
	case !(g.Tolerance >= 0 && g.Tolerance <= 1):
		return fmt.Errorf("golden: tolerance %v is outside 0 to 1", g.Tolerance)
	case slices.ContainsFunc(sortedKeys(g.Tolerances), func(name string) bool { t := g.Tolerances[name]; return !(t >= 0 && t <= 1) }):
		return fmt.Errorf("golden: tolerances %v: each must be 0 to 1", g.Tolerances)
	case len(g.Cases) == 0:
		return errors.New("golden: cases is empty; add at least one, or remove the file")
	case len(g.Cases) > MaxGoldenCases:
		return fmt.Errorf("golden: %d cases are over the limit of %d", len(g.Cases), MaxGoldenCases)
	}
	for i, c := range g.Cases {
		if len(c.Inputs) == 0 || len(c.Outputs) == 0 {
			return fmt.Errorf("golden: cases[%d] needs inputs and outputs", i)
		}
	}
	return nil
}

// checkKeys refuses what encoding/json lets pass: an object with a key twice,
// keys in another case than ours, and anything after the first value.
func checkKeys(data []byte) error {
	known := map[string]bool{"source": true, "tolerance": true, "tolerances": true, "cases": true, "inputs": true, "outputs": true, "shapes": true}
	// One set of keys per open object; nil for an open array. Keys are our own
	// in the file's object and in those of cases; below they are port names.
	var open []map[string]bool
	objects, key := 0, false
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if err == io.EOF && len(open) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if len(open) > 0 && key {
			if name, ok := tok.(string); ok {
				keys := open[len(open)-1]
				if keys[name] {
					return fmt.Errorf("key %q is given twice before offset %d", name, dec.InputOffset())
				}
				// In the second object from outside that is in no list: tolerances.
				if objects <= 2 && len(open) != 2 && !known[name] {
					return fmt.Errorf("unknown key %q before offset %d", name, dec.InputOffset())
				}
				keys[name], key = true, false
				continue
			}
		}
		switch tok {
		case json.Delim('{'):
			open, objects = append(open, map[string]bool{}), objects+1
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'):
			open, objects = open[:len(open)-1], objects-1
		case json.Delim(']'):
			open = open[:len(open)-1]
		}
		key = len(open) > 0 && open[len(open)-1] != nil
		if len(open) == 0 {
			if _, err := dec.Token(); err != io.EOF {
				return fmt.Errorf("something follows the object at offset %d", dec.InputOffset())
			}
			return nil
		}
	}
}

// Input fills r, a row of l, with the inputs of case i. Every port must be given.
func (g *Golden) Input(i int, l *Layout, r *Row) error {
	c := &g.Cases[i]
	for _, name := range sortedKeys(c.Inputs) {
		if l.Port(name) < 0 {
			return fmt.Errorf("golden: cases[%d]: the model has no input %q; it has %s", i, name, portNames(l.Ports))
		}
	}
	for p := range l.Ports {
		values, ok := c.Inputs[l.Ports[p].Name]
		if !ok {
			return fmt.Errorf("golden: cases[%d]: input %s is missing", i, l.Ports[p])
		}
		if err := putPort(r, l, p, values); err != nil {
			return fmt.Errorf("golden: cases[%d]: input %s: %w", i, l.Ports[p].Name, err)
		}
	}
	return nil
}

func (c *GoldenCase) fillOutputs(i int, l *Layout, r *Row) error {
	for _, name := range sortedKeys(c.Outputs) {
		p := l.Port(name)
		if p < 0 {
			return fmt.Errorf("golden: cases[%d]: the model has no output %q; it has %s", i, name, portNames(l.Ports))
		}
		if err := putPort(r, l, p, c.Outputs[name]); err != nil {
			return fmt.Errorf("golden: cases[%d]: output %s: %w", i, name, err)
		}
	}
	return nil
}

// Compare reports the first element of got, a row of l, that is not what case i
// wants. Floats may differ by the tolerance, everything else must be equal; NaN
// is right only where the case says so.
func (g *Golden) Compare(i int, l *Layout, got *Row) error {
	want := l.NewRow()
	c := &g.Cases[i]
	if err := c.fillOutputs(i, l, &want); err != nil {
		return err
	}
	for _, name := range sortedKeys(c.Outputs) {
		if err := g.compareElements(i, l, l.Port(name), &want, got); err != nil {
			return err
		}
	}
	return nil
}

func (g *Golden) compareElements(i int, l *Layout, port int, want, got *Row) error {
	p := &l.Ports[port]
	for e := range p.Width() {
		if !g.equal(l, port, e, want, got) {
			source := ""
			if g.Source != "" {
				source = fmt.Sprintf(", outputs of %q", g.Source)
			}
			return fmt.Errorf("golden: cases[%d]: output %s element %d: want %s, got %s (%s, tolerance %v%s)",
				i, p.Name, e, elementText(want, l, port, e), elementText(got, l, port, e), p.DType, g.toleranceOf(p.Name), source)
		}
	}
	return nil
}

// toleranceOf is the tolerance of an output.
func (g *Golden) toleranceOf(output string) float64 {
	if t, ok := g.Tolerances[output]; ok {
		return t
	}
	return g.Tolerance
}

func (g *Golden) equal(l *Layout, port, i int, want, got *Row) bool {
	d := l.Ports[port].DType
	off := l.Offset[port] + i*d.Size()
	switch d {
	case String:
		at := l.StringOffset[port] + i
		return want.StringAt(at) == got.StringAt(at)
	case Float16, BFloat16, Float32, Float64:
		w, h := floatAt(want, d, off), floatAt(got, d, off)
		if math.IsNaN(w) || math.IsNaN(h) {
			return math.IsNaN(w) && math.IsNaN(h)
		}
		// Infinities first: their difference is not a number.
		t := g.toleranceOf(l.Ports[port].Name)
		return w == h || math.Abs(h-w) <= t+t*math.Abs(w) && !math.IsInf(w, 0)
	case Bool:
		return want.Bool(off) == got.Bool(off)
	}
	return bytes.Equal(want.Data[off:off+d.Size()], got.Data[off:off+d.Size()])
}
