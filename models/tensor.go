package models

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Tensor is one input or output of a request for whole tensors, with every
// dimension that it has, the batch's included.
type Tensor struct {
	// Name of the port. It belongs to the request or to the signature.
	Name  string
	DType DType
	// Shape holds only known sizes, none below 0; empty for a scalar.
	Shape []int64
	// Data holds the elements row-major and little-endian. Each element of a
	// String tensor is its length as an uint32 and then its bytes.
	Data []byte
}

// Owner owns the memory that tensors point into. Free is called once, when
// nothing reads it any more: possibly by another goroutine, after the request
// that brought it has been answered.
type Owner interface{ Free() }

// MaxTensorRank is the most dimensions of a tensor that is accepted.
const MaxTensorRank = 32

// maxElements bounds a tensor's elements, far above what a request can send and so
// that their size in bytes cannot overflow.
const maxElements = 1 << 37

// Elements is the number of elements that a shape stands for; false when it is
// negative somewhere or the product does not fit.
func Elements(shape []int64) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > maxElements/int(d) {
			return 0, false
		}
		n *= int(d)
	}
	return n, true
}

// CheckData reports data that is not what type and shape say. Strings are
// walked, so that nobody after needs to check them again.
func (t *Tensor) CheckData() error {
	if len(t.Shape) > MaxTensorRank {
		return fmt.Errorf("has %d dimensions; at most %d are accepted", len(t.Shape), MaxTensorRank)
	}
	n, ok := Elements(t.Shape)
	if !ok {
		return fmt.Errorf("shape %s is not a size that can be sent", ShapeText(t.Shape))
	}
	if t.DType == String {
		if got, err := CountStrings(t.Data); err != nil || got != n {
			return fmt.Errorf("shape %s needs %d strings, each after its length as 4 bytes; the data holds %d", ShapeText(t.Shape), n, got)
		}
		return nil
	}
	if want := n * t.DType.Size(); len(t.Data) != want {
		return fmt.Errorf("shape %s of %s needs %d bytes, got %d", ShapeText(t.Shape), t.DType, want, len(t.Data))
	}
	return nil
}

// CountStrings counts the elements of a String tensor's data; the error says
// that the last one is cut off.
func CountStrings(data []byte) (n int, err error) {
	for len(data) > 0 {
		_, rest, ok := CutString(data)
		if !ok {
			return n, fmt.Errorf("string %d is longer than the data", n)
		}
		data = rest
		n++
	}
	return n, nil
}

// CutString takes the first element off a String tensor's data, without a copy.
func CutString(data []byte) (s, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if n > uint64(len(data)-4) {
		return nil, nil, false
	}
	return data[4 : 4+n : 4+n], data[4+n:], true
}

// CutStrings splits a String tensor's data, which was checked, after n elements.
func CutStrings(data []byte, n int) (head, tail []byte) {
	tail = data
	for range n {
		_, tail, _ = CutString(tail)
	}
	return data[:len(data)-len(tail)], tail
}

// CutRows gives n rows, from row at on, of tensors that must have rows rows.
func CutRows(whole []Tensor, rows, at, n int) ([]Tensor, error) {
	out := slices.Clone(whole)
	for i := range out {
		t := &out[i]
		if len(t.Shape) == 0 || t.Shape[0] != int64(rows) {
			return nil, fmt.Errorf("output %q has shape %s for %d rows: it has no batch dimension; set max_batch_size: 0", t.Name, ShapeText(t.Shape), rows)
		}
		t.Shape = slices.Clone(t.Shape)
		t.Shape[0] = int64(n)
		perRow, _ := Elements(t.Shape[1:])
		if t.DType == String {
			_, rest := CutStrings(t.Data, at*perRow)
			t.Data, _ = CutStrings(rest, n*perRow)
		} else {
			size := perRow * t.DType.Size()
			t.Data = t.Data[at*size : (at+n)*size]
		}
	}
	return out, nil
}

// AppendStringElement adds an element to a String tensor's data.
func AppendStringElement(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// CheckTensors compares a request's tensors with the inputs of a signature and
// brings them into the order of its ports, in dst. rows is the size of the
// batch, 1 for a model without a batch dimension. The error is a *FieldError.
func (s *Signature) CheckTensors(in []Tensor, dst []Tensor) (ordered []Tensor, rows int, err error) {
	for i := range in {
		if findPort(s.Inputs, in[i].Name) == nil {
			return dst, 0, &FieldError{in[i].Name, "the model has no such input; it has " + portNames(s.Inputs)}
		}
	}
	rows = -1
	for i := range s.Inputs {
		port := &s.Inputs[i]
		at := -1
		for j := range in {
			if in[j].Name != port.Name {
				continue
			}
			if at >= 0 {
				return dst, 0, &FieldError{port.Name, "is given twice"}
			}
			at = j
		}
		if at < 0 {
			return dst, 0, &FieldError{port.Name, "is missing: the model needs " + port.DType.String() + " " + ShapeText(s.FullShape(port))}
		}
		if err := s.checkTensor(port, &in[at], &rows); err != nil {
			return dst, 0, err
		}
		dst = append(dst, in[at])
	}
	if rows < 0 {
		rows = 1
	}
	return dst, rows, nil
}

func (s *Signature) checkTensor(port *Port, t *Tensor, rows *int) error {
	if t.DType != port.DType {
		return &FieldError{port.Name, "is " + t.DType.String() + "; the model needs " + port.DType.String()}
	}
	shape := t.Shape
	if s.Batched {
		if len(shape) == 0 {
			return &FieldError{port.Name, "has no batch dimension; the model needs " + ShapeText(s.FullShape(port))}
		}
		shape = shape[1:]
	}
	fits := len(shape) == len(port.Shape)
	for d := 0; fits && d < len(shape); d++ {
		fits = port.Shape[d] < 0 || int64(port.Shape[d]) == shape[d]
	}
	if !fits {
		return &FieldError{port.Name, "has shape " + ShapeText(t.Shape) + "; the model needs " + ShapeText(s.FullShape(port))}
	}
	if !s.Batched {
		return nil
	}
	switch n := t.Shape[0]; {
	case n < 1:
		return &FieldError{port.Name, "holds no rows: its first dimension must be at least 1"}
	case *rows >= 0 && int64(*rows) != n:
		return &FieldError{port.Name, "has " + strconv.FormatInt(n, 10) + " rows where another input has " + strconv.Itoa(*rows)}
	default:
		*rows = int(n)
	}
	return nil
}

// FullShape is a port's shape as clients see it: with the batch dimension, and
// -1 for what varies.
func (s *Signature) FullShape(p *Port) []int64 {
	var shape []int64
	if s.Batched {
		shape = append(shape, -1)
	}
	for _, d := range p.Shape {
		shape = append(shape, int64(d))
	}
	return shape
}

// Dynamic says that some dimension beside the batch's varies, or is 0, so that
// rows have no fixed layout.
func (s *Signature) Dynamic() bool {
	_, open := s.open()
	return open != nil
}

// ShapeText shows a shape as [2,3].
func ShapeText(shape []int64) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = strconv.FormatInt(d, 10)
	}
	return "[" + strings.Join(parts, ",") + "]"
}
