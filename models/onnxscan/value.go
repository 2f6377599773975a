package onnxscan

import (
	"fmt"
	"strconv"
	"strings"

	"hotpath/models"
)

// Kind is the kind of an input's or output's type.
type Kind uint8

// The kinds of ONNX types. Only a Tensor can be served.
const (
	Unknown Kind = iota
	Tensor
	SparseTensor
	Sequence
	Map
	Optional
	Opaque
)

var kindNames = [...]string{"unknown", "tensor", "sparse_tensor", "seq", "map", "optional", "opaque"}

// String is ONNX's name of the kind.
func (k Kind) String() string { return kindNames[k] }

// Value is an input or output of the graph.
type Value struct {
	Name string
	Kind Kind
	// DType of a tensor's elements; Invalid when Hotpath cannot carry them.
	DType models.DType
	// Dims of a tensor; HasShape is false when the model does not say.
	Dims     []Dim
	HasShape bool
	// inner is the text of the types that this one is made of.
	inner string
}

// Dim is one dimension: a size, or a name when the size is free; neither when
// the model says nothing.
type Dim struct {
	Size int64
	Name string
}

// Known reports whether the size is fixed.
func (d Dim) Known() bool { return d.Name == "" && d.Size > 0 }

// Type is the type as ONNX tools print it: tensor(FP32)[N,30], seq(map(INT64,tensor(FP32))).
func (v Value) Type() string {
	switch v.Kind {
	case Tensor, SparseTensor:
		if !v.HasShape {
			return fmt.Sprintf("%s(%s)", v.Kind, v.DType)
		}
		dims := make([]string, len(v.Dims))
		for i, d := range v.Dims {
			switch {
			case d.Name != "":
				dims[i] = d.Name
			case d.Size > 0:
				dims[i] = strconv.FormatInt(d.Size, 10)
			default:
				dims[i] = "?"
			}
		}
		return fmt.Sprintf("%s(%s)[%s]", v.Kind, v.DType, strings.Join(dims, ","))
	case Unknown:
		return v.Kind.String()
	}
	return fmt.Sprintf("%s(%s)", v.Kind, v.inner)
}

// elemTypes maps TensorProto.DataType to what Hotpath can carry.
var elemTypes = [...]models.DType{1: models.Float32, 2: models.Uint8, 3: models.Int8, 4: models.Uint16,
	5: models.Int16, 6: models.Int32, 7: models.Int64, 8: models.String, 9: models.Bool, 10: models.Float16,
	11: models.Float64, 12: models.Uint32, 13: models.Uint64, 16: models.BFloat16}

func dtype(n int64) models.DType {
	if n < 0 || n >= int64(len(elemTypes)) {
		return models.Invalid
	}
	return elemTypes[n]
}

// value reads a ValueInfoProto.
func (s *scanner) value(b []byte, at string) (Value, error) {
	var v Value
	err := eachField(b, at, func(f field) (err error) {
		switch f.num {
		case 1:
			v.Name, err = text(f, at)
		case 2:
			var m []byte
			if m, err = f.message(at); err == nil {
				err = s.valueType(m, at, &v, 0)
			}
		}
		return err
	})
	return v, err
}

// maxTypes bounds a sequence of sequences of …, which no model has.
const maxTypes = 8

// valueType reads a TypeProto into v.
func (s *scanner) valueType(b []byte, at string, v *Value, depth int) error {
	if depth > maxTypes {
		return fmt.Errorf("%w: %s: types nested deeper than %d", ErrLimit, at, maxTypes)
	}
	kinds := map[int]Kind{1: Tensor, 8: SparseTensor, 4: Sequence, 5: Map, 9: Optional, 7: Opaque}
	return eachField(b, at, func(f field) error {
		kind, ok := kinds[int(f.num)]
		if !ok {
			return nil
		}
		v.Kind = kind
		m, err := f.message(at)
		if err != nil {
			return err
		}
		if kind == Tensor || kind == SparseTensor {
			return tensorType(m, at, v)
		}
		if kind == Opaque {
			return nil
		}
		return s.innerType(m, at, v, depth)
	})
}

// innerType reads the type parameters of a sequence, map or optional.
func (s *scanner) innerType(b []byte, at string, v *Value, depth int) error {
	var parts []string
	err := eachField(b, at, func(f field) error {
		if f.num == 1 && v.Kind == Map {
			n, err := f.number(at)
			parts = append(parts, dtype(n).String())
			return err
		}
		m, err := f.message(at)
		if err != nil {
			return err
		}
		var inner Value
		if err := s.valueType(m, at, &inner, depth+1); err != nil {
			return err
		}
		parts = append(parts, inner.Type())
		return nil
	})
	v.inner = strings.Join(parts, ",")
	return err
}

// tensorType reads a TypeProto.Tensor: element type and shape.
func tensorType(b []byte, at string, v *Value) error {
	return eachField(b, at, func(f field) error {
		switch f.num {
		case 1:
			n, err := f.number(at)
			v.DType = dtype(n)
			return err
		case 2:
			m, err := f.message(at)
			if err != nil {
				return err
			}
			v.HasShape = true
			return shape(m, at, v)
		}
		return nil
	})
}

// maxDims bounds the dimensions of one tensor.
const maxDims = 64

func shape(b []byte, at string, v *Value) error {
	return eachField(b, at, func(f field) error {
		if f.num != 1 {
			return nil
		}
		if len(v.Dims) == maxDims {
			return fmt.Errorf("%w: %s: more than %d dimensions", ErrLimit, at, maxDims)
		}
		m, err := f.message(at)
		if err != nil {
			return err
		}
		var d Dim
		err = eachField(m, at, func(f field) (err error) {
			switch f.num {
			case 1:
				d.Size, err = f.number(at)
			case 2:
				d.Name, err = text(f, at)
			}
			return err
		})
		v.Dims = append(v.Dims, d)
		return err
	})
}
