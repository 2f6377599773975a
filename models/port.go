package models

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Port is one named input or output tensor of a model, seen from one row: a
// leading batch dimension is left out.
type Port struct {
	Name  string `json:"name"`
	DType DType  `json:"datatype"`
	// Shape of one row, without the batch dimension where the model has one; -1
	// for a dimension that varies.
	Shape []int `json:"shape"`
}

// Width is the number of elements in one row.
func (p Port) Width() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// varies says that the port has no one size above 0.
func (p *Port) varies() bool { return slices.ContainsFunc(p.Shape, func(d int) bool { return d < 1 }) }

// Stride is the size of one row in bytes; 0 for a String port.
func (p Port) Stride() int { return p.Width() * p.DType.Size() }

func (p Port) String() string { return fmt.Sprintf("%s %s%v", p.Name, p.DType, p.Shape) }

// Signature is what a model takes and gives, as read from its graph.
type Signature struct {
	// Batched says that every tensor has a leading batch dimension, which the
	// ports' shapes leave out.
	Batched bool   `json:"batched"`
	Inputs  []Port `json:"inputs"`
	Outputs []Port `json:"outputs"`
}

// Layout says where each port of one side of a signature lies in a Row. It is
// computed once per model version and shared by everyone who touches its rows.
type Layout struct {
	Ports []Port
	// Offset of each fixed-width port in Row.Data, in bytes, 8-byte aligned.
	Offset []int
	// First of each string port's elements in Row.Strings.
	StringOffset []int
	// Stride and Width of each port, computed once.
	Stride []int
	Width  []int
	// Bytes and Strings are the lengths of Row.Data and Row.Strings.
	Bytes   int
	Strings int
}

// NewLayout lays ports out one after the other, each aligned to 8 bytes.
func NewLayout(ports []Port) *Layout {
	n := len(ports)
	l := &Layout{Ports: ports, Offset: make([]int, n), StringOffset: make([]int, n), Stride: make([]int, n), Width: make([]int, n)}
	for i, p := range ports {
		l.Stride[i], l.Width[i] = p.Stride(), p.Width()
		l.Offset[i], l.StringOffset[i] = l.Bytes, l.Strings
		if p.DType == String {
			l.Strings += p.Width()
		} else {
			l.Bytes += (p.Stride() + 7) &^ 7
		}
	}
	return l
}

// Port finds a port by name; -1 when there is none.
func (l *Layout) Port(name string) int {
	for i := range l.Ports {
		if l.Ports[i].Name == name {
			return i
		}
	}
	return -1
}

// Bounds are the sizes of a model's rows that are accepted; above them a model
// is refused at load, so that no request can make a row larger.
const (
	MaxRowBytes   = 64 << 20
	MaxRowStrings = 1 << 20
)

// Validate reports every port that cannot be served. Where sizes vary, the rest
// of a row alone is bounded here, and requests at their own gates.
func (s *Signature) Validate() error {
	var errs []error
	check := func(side string, ports []Port) {
		var bytes, strings int
		for _, p := range ports {
			fixed := make([]int64, 0, len(p.Shape))
			for _, d := range p.Shape {
				if d > 0 {
					fixed = append(fixed, int64(d))
				}
			}
			n, ok := Elements(fixed)
			switch {
			case p.DType == Invalid:
				errs = append(errs, fmt.Errorf("%s %q: element type is not supported", side, p.Name))
			case len(p.Shape) >= MaxTensorRank:
				errs = append(errs, fmt.Errorf("%s %q has %d dimensions; at most %d are accepted", side, p.Name, len(p.Shape), MaxTensorRank-1))
			case !ok:
				errs = append(errs, fmt.Errorf("%s %q: shape %v is over the limit of %d bytes", side, p.Name, p.Shape, MaxRowBytes))
			case p.DType == String:
				strings += n
			default:
				bytes += n * p.DType.Size()
			}
		}
		if bytes > MaxRowBytes || strings > MaxRowStrings {
			errs = append(errs, fmt.Errorf("%s row of %d bytes and %d strings is over the limit of %d bytes and %d strings",
				side, bytes, strings, MaxRowBytes, MaxRowStrings))
		}
	}
	if len(s.Outputs) == 0 {
		errs = append(errs, errors.New("model has no outputs"))
	}
	check("inputs", s.Inputs)
	check("outputs", s.Outputs)
	return errors.Join(errs...)
}

// NonFinite finds a NaN or an infinity in a row: the port that holds it, or -1.
func (l *Layout) NonFinite(r *Row) (port int) {
	for i := range l.Ports {
		if NonFiniteData(l.Ports[i].DType, r.Data[l.Offset[i]:l.Offset[i]+l.Stride[i]]) {
			return i
		}
	}
	return -1
}

// NonFiniteData says whether the elements of a tensor hold a NaN or an infinity.
func NonFiniteData(d DType, data []byte) bool {
	switch d {
	case Float32:
		for ; len(data) >= 4; data = data[4:] {
			if binary.LittleEndian.Uint32(data)&0x7f800000 == 0x7f800000 {
				return true
			}
		}
	case Float64:
		for ; len(data) >= 8; data = data[8:] {
			if binary.LittleEndian.Uint64(data)&(0x7ff<<52) == 0x7ff<<52 {
				return true
			}
		}
	case Float16:
		return exponentFull(data, len(data)/2, 0x7c00)
	case BFloat16:
		return exponentFull(data, len(data)/2, 0x7f80)
	}
	return false
}

// exponentFull says whether one of n 16-bit floats has every bit of its exponent
// set, as NaNs and infinities do.
func exponentFull(data []byte, n int, exponent uint16) bool {
	for e := range n {
		if binary.LittleEndian.Uint16(data[2*e:])&exponent == exponent {
			return true
		}
	}
	return false
}
