package grpcapi

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"hotpath/models"
	"hotpath/router/grpcapi/pb"
)

// contentsCase is a tensor sent as contents, and the same raw.
type contentsCase struct {
	datatype string
	n        int
	contents *pb.InferTensorContents
	raw      []byte
}

// littleEndian is a value as raw contents have it.
func littleEndian(v any) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return b
}

func everyContents() []contentsCase {
	return []contentsCase{
		{"BOOL", 3, &pb.InferTensorContents{BoolContents: []bool{true, false, true}}, []byte{1, 0, 1}},
		{"INT8", 3, &pb.InferTensorContents{IntContents: []int32{-128, 0, 127}}, littleEndian([]int8{-128, 0, 127})},
		{"INT16", 2, &pb.InferTensorContents{IntContents: []int32{-32768, 32767}}, littleEndian([]int16{-32768, 32767})},
		{"INT32", 2, &pb.InferTensorContents{IntContents: []int32{math.MinInt32, math.MaxInt32}}, littleEndian([]int32{math.MinInt32, math.MaxInt32})},
		{"INT64", 2, &pb.InferTensorContents{Int64Contents: []int64{math.MinInt64, math.MaxInt64}}, littleEndian([]int64{math.MinInt64, math.MaxInt64})},
		{"UINT8", 2, &pb.InferTensorContents{UintContents: []uint32{0, 255}}, []byte{0, 255}},
		{"UINT16", 2, &pb.InferTensorContents{UintContents: []uint32{1, 65535}}, littleEndian([]uint16{1, 65535})},
		{"UINT32", 2, &pb.InferTensorContents{UintContents: []uint32{1, math.MaxUint32}}, littleEndian([]uint32{1, math.MaxUint32})},
		{"UINT64", 2, &pb.InferTensorContents{Uint64Contents: []uint64{1, math.MaxUint64}}, littleEndian([]uint64{1, math.MaxUint64})},
		{"FP32", 2, &pb.InferTensorContents{Fp32Contents: []float32{-1.5, float32(math.Inf(1))}}, littleEndian([]float32{-1.5, float32(math.Inf(1))})},
		{"FP64", 2, &pb.InferTensorContents{Fp64Contents: []float64{-1.5, 1e300}}, littleEndian([]float64{-1.5, 1e300})},
		{"BYTES", 2, &pb.InferTensorContents{BytesContents: [][]byte{[]byte("ab"), {}}}, []byte("\x02\x00\x00\x00ab\x00\x00\x00\x00")},
	}
}

func TestContentsBecomeRaw(t *testing.T) {
	for _, c := range everyContents() {
		packed, err := proto.Marshal(c.contents)
		if err != nil {
			t.Fatal(err)
		}
		d := dtypeOf([]byte(c.datatype))
		for form, b := range map[string][]byte{"packed": packed, "unpacked": unpacked(t, packed), "with others around": append(append([]byte{0x98, 6, 5}, packed...), 10<<3, 1)} {
			if refusal := checkContents(b); refusal != nil {
				t.Fatalf("%s %s: %v", c.datatype, form, refusal)
			}
			got, message := appendContents([]byte("before"), b, d, 1<<20)
			if message != "" || string(got) != "before"+string(c.raw) {
				t.Errorf("%s %s: %x %s, want %x", c.datatype, form, got, message, c.raw)
			}
		}
	}
}

// unpacked writes each packed element as a field of its own.
func unpacked(t *testing.T, b []byte) (out []byte) {
	for len(b) > 0 {
		f, rest, ok := cutField(b)
		if !ok {
			t.Fatal("malformed")
		}
		b = rest
		for e, _ := elementsOf(f); ; {
			v, more, _ := e.next()
			if !more {
				break
			}
			switch e.number {
			case bytesContents:
				out = protowire.AppendBytes(protowire.AppendVarint(out, f.key), v.bytes)
			case fp32Contents:
				out = protowire.AppendFixed32(protowire.AppendVarint(out, e.number<<3|wireFixed32), uint32(v.number))
			case fp64Contents:
				out = protowire.AppendFixed64(protowire.AppendVarint(out, e.number<<3|wireFixed64), v.number)
			default:
				out = protowire.AppendVarint(protowire.AppendVarint(out, e.number<<3|wireVarint), v.number)
			}
		}
	}
	return out
}

func TestContentsThatDoNotFitAreRefused(t *testing.T) {
	for _, c := range []struct {
		d        models.DType
		contents *pb.InferTensorContents
		want     string
	}{
		{models.Int8, &pb.InferTensorContents{IntContents: []int32{0, 128}}, "int_contents[1] does not fit INT8"},
		{models.Int8, &pb.InferTensorContents{IntContents: []int32{-129}}, "int_contents[0] does not fit INT8"},
		{models.Int16, &pb.InferTensorContents{IntContents: []int32{32768}}, "does not fit INT16"},
		{models.Uint8, &pb.InferTensorContents{UintContents: []uint32{256}}, "does not fit UINT8"},
		{models.Uint16, &pb.InferTensorContents{UintContents: []uint32{65536}}, "does not fit UINT16"},
		{models.Float32, &pb.InferTensorContents{Fp64Contents: []float64{1}}, "has contents.fp64_contents; the elements of FP32 belong in fp32_contents"},
		{models.Int64, &pb.InferTensorContents{Int64Contents: []int64{1}, IntContents: []int32{1}}, "has contents.int_contents; the elements of INT64 belong in int64_contents"},
		{models.Float16, &pb.InferTensorContents{Fp32Contents: []float32{1}}, "FP16 has no contents field of its own; send it in raw_input_contents"},
		{models.BFloat16, nil, "BF16 has no contents"},
		{models.Float32, &pb.InferTensorContents{Fp32Contents: make([]float32, 300)}, "is larger than 1000 bytes (server.grpc_max_message_bytes)"},
	} {
		b, err := proto.Marshal(c.contents)
		if err != nil {
			t.Fatal(err)
		}
		if _, message := appendContents(nil, b, c.d, 1000); message == "" || !strings.Contains(message, c.want) {
			t.Errorf("%s: %q, want %q", c.d, message, c.want)
		}
	}
	for _, b := range [][]byte{{1<<3 | 2, 1, 0x80}, {6<<3 | 2, 3, 0, 0, 0}, {7<<3 | 2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {2<<3 | 2, 5}} {
		if checkContents(b) == nil {
			t.Errorf("%x is accepted", b)
		}
	}
}
