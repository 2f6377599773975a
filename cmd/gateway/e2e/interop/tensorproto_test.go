//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protowire"

	"hotpath/models"
)

// protoTypes are the element types of a TensorProto that the protocol carries.
var protoTypes = map[uint64]models.DType{
	1: models.Float32, 2: models.Uint8, 3: models.Int8, 4: models.Uint16, 5: models.Int16, 6: models.Int32, 7: models.Int64,
	8: models.String, 9: models.Bool, 10: models.Float16, 11: models.Float64, 12: models.Uint32, 13: models.Uint64, 16: models.BFloat16,
}

// readTensorProto reads a file that holds one TensorProto.
func readTensorProto(path string) (models.Tensor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return models.Tensor{}, err
	}
	t, err := parseTensorProto(data)
	if err != nil {
		return t, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// parseTensorProto puts a TensorProto's elements, in raw_data or in one of the
// typed fields, into the form of a request.
func parseTensorProto(data []byte) (models.Tensor, error) {
	t := models.Tensor{Shape: []int64{}}
	var typed tensorFields
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return t, protowire.ParseError(n)
		}
		data = data[n:]
		n = protowire.ConsumeFieldValue(number, kind, data)
		if n < 0 {
			return t, protowire.ParseError(n)
		}
		if err := typed.take(&t, number, kind, data[:n]); err != nil {
			return t, err
		}
		data = data[n:]
	}
	if err := typed.finish(&t); err != nil {
		return t, err
	}
	return t, t.CheckData()
}

// tensorFields collects the fields until the type is known.
type tensorFields struct {
	dtype    uint64
	raw      []byte
	hasRaw   bool
	varints  []uint64 // of int32_data, int64_data, uint64_data
	floats   []byte   // of float_data and double_data: as they lie
	strings  []byte
	external bool
}

// take reads one field; value is the encoded value, its length included.
func (f *tensorFields) take(t *models.Tensor, number protowire.Number, kind protowire.Type, value []byte) error {
	switch number {
	case 1: // dims
		dims, err := varints(kind, value)
		for _, d := range dims {
			t.Shape = append(t.Shape, int64(d))
		}
		return err
	case 2: // data_type
		f.dtype, _ = protowire.ConsumeVarint(value)
	case 4, 10: // float_data, double_data
		f.floats = append(f.floats, fixed(kind, value)...)
	case 5, 7, 11: // int32_data, int64_data, uint64_data
		more, err := varints(kind, value)
		f.varints = append(f.varints, more...)
		return err
	case 6: // string_data
		s, _ := protowire.ConsumeBytes(value)
		f.strings = models.AppendStringElement(f.strings, string(s))
	case 8: // name
		name, _ := protowire.ConsumeBytes(value)
		t.Name = string(name)
	case 9: // raw_data
		f.raw, _ = protowire.ConsumeBytes(value)
		f.hasRaw = true
	case 14: // data_location
		at, _ := protowire.ConsumeVarint(value)
		f.external = at != 0
	}
	return nil
}

func (f *tensorFields) finish(t *models.Tensor) error {
	t.DType = protoTypes[f.dtype]
	switch {
	case t.DType == models.Invalid:
		return fmt.Errorf("element type %d is none that the protocol carries", f.dtype)
	case f.external:
		return fmt.Errorf("the data lies in another file")
	case t.DType == models.String:
		t.Data = f.strings
	case f.hasRaw:
		t.Data = f.raw
	case t.DType == models.Float32 || t.DType == models.Float64:
		t.Data = f.floats
	default:
		for _, v := range f.varints {
			t.Data = appendElement(t.Data, t.DType.Size(), v)
		}
	}
	return nil
}

// appendElement appends the low bytes of v.
func appendElement(dst []byte, size int, v uint64) []byte {
	return append(dst, binary.LittleEndian.AppendUint64(nil, v)[:size]...)
}

// varints reads a repeated integer field, packed or not.
func varints(kind protowire.Type, value []byte) (all []uint64, err error) {
	if kind == protowire.BytesType {
		value, _ = protowire.ConsumeBytes(value)
	}
	for len(value) > 0 {
		v, n := protowire.ConsumeVarint(value)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		all, value = append(all, v), value[n:]
	}
	return all, nil
}

// fixed gives the bytes of a repeated float or double field, packed or not.
func fixed(kind protowire.Type, value []byte) []byte {
	if kind == protowire.BytesType {
		value, _ = protowire.ConsumeBytes(value)
	}
	return value
}
