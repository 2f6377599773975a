package onnxscan

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message: bytes or number, as its wire type says.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	bytes []byte
	n     uint64
}

// eachField calls f for every field of message b. at names the message.
func eachField(b []byte, at string, f func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed(at, protowire.ParseError(n))
		}
		b = b[n:]
		v := field{num: num, typ: typ}
		switch typ {
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			v.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			v.n, n = protowire.ConsumeFixed64(b)
		case protowire.Fixed32Type:
			var u uint32
			u, n = protowire.ConsumeFixed32(b)
			v.n = uint64(u)
		default:
			return malformed(at, fmt.Errorf("field %d has wire type %d, which ONNX does not use", num, typ))
		}
		if n < 0 {
			return malformed(at, protowire.ParseError(n))
		}
		b = b[n:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

func malformed(at string, err error) error {
	return fmt.Errorf("%w: %s: %v; the copy may be unfinished or damaged", ErrNotONNX, at, err)
}

// message is the content of a field that holds a message or a string.
func (f field) message(at string) ([]byte, error) {
	if f.typ != protowire.BytesType {
		return nil, malformed(at, fmt.Errorf("field %d has wire type %d, want a message or string", f.num, f.typ))
	}
	return f.bytes, nil
}

// number is the content of an integer field.
func (f field) number(at string) (int64, error) {
	if f.typ != protowire.VarintType {
		return 0, malformed(at, fmt.Errorf("field %d has wire type %d, want an integer", f.num, f.typ))
	}
	return int64(f.n), nil
}

// Formats that people put where a model belongs.
var foreign = []struct{ magic, name string }{
	{"PK\x03\x04", "a zip archive (a PyTorch or Keras file?)"},
	{"PK\x05\x06", "an empty zip archive"},
	{"\x89HDF", "an HDF5 file (Keras .h5?)"},
	{"\x80\x02", "a Python pickle"}, {"\x80\x03", "a Python pickle"},
	{"\x80\x04", "a Python pickle"}, {"\x80\x05", "a Python pickle"},
	{"\x1f\x8b", "a gzip file"}, {"\x28\xb5\x2f\xfd", "a zstd file"},
	{"\x7fELF", "an executable"}, {"version https://git-lfs", "a Git LFS pointer; run git lfs pull"},
	{"{", "a JSON file"}, {"<", "an HTML or XML page; was the download refused?"},
}

// notONNX recognises a few common mistakes, for a better message.
func notONNX(data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("%w: the file is empty", ErrNotONNX)
	}
	for _, f := range foreign {
		if bytes.HasPrefix(data, []byte(f.magic)) {
			return fmt.Errorf("%w: it is %s", ErrNotONNX, f.name)
		}
	}
	if len(data) > 8 && string(data[4:8]) == "ORTM" {
		return fmt.Errorf("%w: it is in ONNX Runtime's own .ort format; copy the .onnx it was made from", ErrNotONNX)
	}
	return nil
}
