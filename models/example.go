package models

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Example describes tensors to be made for a signature: a golden case, a warm-up
// sample, or a guess at what a model takes.
type Example struct {
	// Inputs are the elements of one row by input, flat and row-major, as a file
	// has them. Inputs that are not given are zeros and empty strings.
	Inputs map[string][]any
	// Shapes of one row by input, where the signature leaves dimensions open. One
	// open dimension alone can also be told by the number of values.
	Shapes map[string][]int
	// Random fills what is not given with random values instead.
	Random bool
	// Open is the size of dimensions that nothing settles; 0: 1.
	Open int
}

// Tensors makes the example's tensors, of that many equal rows where the model
// has a batch dimension.
func (e *Example) Tensors(sig *Signature, rows int) ([]Tensor, error) {
	if err := e.checkNames(sig); err != nil {
		return nil, err
	}
	// Seeded alike, so that a version is always loaded in the same way.
	random := rand.New(rand.NewPCG(1, 2))
	out := make([]Tensor, len(sig.Inputs))
	for i := range sig.Inputs {
		p := sig.Inputs[i]
		values, given := e.Inputs[p.Name]
		shape, err := e.shape(&p, len(values), given)
		if err == nil {
			p.Shape = shape
			err = p.checkSize()
		}
		var data []byte
		switch {
		case err != nil:
		case given:
			data, err = elements(&p, values)
		case e.Random:
			data = randomElements(&p, random)
		default:
			data = zeroElements(&p)
		}
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", p.Name, err)
		}
		out[i] = Tensor{Name: p.Name, DType: p.DType, Shape: wideShape(p.Shape), Data: data}
		if sig.Batched {
			out[i].Shape = append([]int64{1}, out[i].Shape...)
		}
	}
	if sig.Batched && rows > 1 {
		return RepeatRows(out, rows), nil
	}
	return out, nil
}

func (e *Example) checkNames(sig *Signature) error {
	for _, name := range slices.Concat(sortedKeys(e.Inputs), sortedKeys(e.Shapes)) {
		if findPort(sig.Inputs, name) == nil {
			return fmt.Errorf("the model has no input %q; it has %s", name, portNames(sig.Inputs))
		}
	}
	return nil
}

// shape settles the open dimensions of a port.
func (e *Example) shape(p *Port, values int, given bool) ([]int, error) {
	if shape, ok := e.Shapes[p.Name]; ok {
		return shape, p.fits(shape)
	}
	shape := slices.Clone(p.Shape)
	rest, open := 1, -1
	for d, n := range shape {
		switch {
		case n >= 0:
			rest *= n
		case given && open >= 0:
			return nil, fmt.Errorf("shape %v has more than one open dimension: give its shape (shapes)", p.Shape)
		default:
			shape[d], open = max(e.Open, 1), d
		}
	}
	if given && open >= 0 && rest > 0 {
		if values%rest != 0 {
			return nil, fmt.Errorf("%d values do not fill shape %v", values, p.Shape)
		}
		shape[open] = values / rest
	}
	return shape, nil
}

// fits checks a shape against that of the port, whose open dimensions take any size.
func (p *Port) fits(shape []int) error {
	ok := len(shape) == len(p.Shape)
	for d := 0; ok && d < len(shape); d++ {
		ok = shape[d] >= 0 && (p.Shape[d] < 0 || p.Shape[d] == shape[d])
	}
	if !ok {
		return fmt.Errorf("shape %v does not fit %v", shape, p.Shape)
	}
	return nil
}

// checkSize refuses a row that would be over the limits of any row.
func (p *Port) checkSize() error {
	n, ok := Elements(wideShape(p.Shape))
	if !ok || n*p.DType.Size() > MaxRowBytes || p.DType == String && n > MaxRowStrings {
		return fmt.Errorf("shape %v of %s is over the limit of %d bytes and %d strings", p.Shape, p.DType, MaxRowBytes, MaxRowStrings)
	}
	return nil
}

func wideShape(shape []int) []int64 {
	wide := make([]int64, len(shape))
	for i, d := range shape {
		wide[i] = int64(d)
	}
	return wide
}

// RepeatRows makes tensors of rows rows out of those of one row.
func RepeatRows(one []Tensor, rows int) []Tensor {
	out := slices.Clone(one)
	for i := range out {
		out[i].Shape = slices.Clone(one[i].Shape)
		out[i].Shape[0] *= int64(rows)
		out[i].Data = bytes.Repeat(one[i].Data, rows)
	}
	return out
}

// elements are the values of one row of a port, whose shape is settled.
func elements(p *Port, values []any) ([]byte, error) {
	l := NewLayout([]Port{*p})
	row := l.NewRow()
	if err := putPort(&row, l, 0, values); err != nil {
		return nil, err
	}
	return l.tensorData(&row, 0), nil
}

// tensorData is a port of a row as the data of a tensor.
func (l *Layout) tensorData(r *Row, port int) []byte {
	if l.Ports[port].DType != String {
		return slices.Clone(r.Data[l.Offset[port]:][:l.Stride[port]])
	}
	var data []byte
	for e := range l.Width[port] {
		data = AppendStringElement(data, r.StringAt(l.StringOffset[port]+e))
	}
	return data
}

func zeroElements(p *Port) []byte {
	size := p.DType.Size()
	if p.DType == String {
		size = 4 // the length of an empty one
	}
	return make([]byte, p.Width()*size)
}

// randomElements are floats below 1, and integers of 0 and 1: an index or a flag
// as well as a number.
func randomElements(p *Port, random *rand.Rand) []byte {
	var data []byte
	for range p.Width() {
		switch p.DType {
		case String:
			data = AppendStringElement(data, string(rune('a'+random.IntN(26))))
		case Float64:
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(random.Float64()))
		case Float32:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(random.Float32()))
		case Float16:
			data = binary.LittleEndian.AppendUint16(data, float16Bits(random.Float32()))
		case BFloat16:
			data = binary.LittleEndian.AppendUint16(data, bfloat16Bits(random.Float32()))
		default:
			data = append(data, byte(random.IntN(2)))
			data = append(data, make([]byte, p.DType.Size()-1)...)
		}
	}
	return data
}
