package models

import "fmt"

// DType is the element type of a tensor. The names are those of the Open
// Inference Protocol, so that they can be shown to users unchanged.
type DType uint8

// The element types that ONNX Runtime can carry across its C interface.
const (
	Invalid DType = iota
	Bool
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Float16
	BFloat16
	Float32
	Float64
	String
)

var dtypes = [...]struct {
	name string
	size int
}{
	Invalid: {"INVALID", 0}, Bool: {"BOOL", 1}, Int8: {"INT8", 1}, Int16: {"INT16", 2},
	Int32: {"INT32", 4}, Int64: {"INT64", 8}, Uint8: {"UINT8", 1}, Uint16: {"UINT16", 2},
	Uint32: {"UINT32", 4}, Uint64: {"UINT64", 8}, Float16: {"FP16", 2}, BFloat16: {"BF16", 2},
	Float32: {"FP32", 4}, Float64: {"FP64", 8}, String: {"BYTES", 0},
}

// Size is the width of one element in bytes; 0 for String, whose elements have
// no fixed width.
func (d DType) Size() int { return dtypes[d].size }

// String is the protocol name of the type, such as FP32.
func (d DType) String() string { return dtypes[d].name }

// ParseDType reads a protocol name such as FP32 or BYTES.
func ParseDType(s string) (DType, error) {
	for d, t := range dtypes {
		if t.name == s && DType(d) != Invalid {
			return DType(d), nil
		}
	}
	return Invalid, fmt.Errorf("unknown tensor type %q", s)
}

// MarshalText writes the protocol name.
func (d DType) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the protocol name.
func (d *DType) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDType(string(b))
	return err
}
