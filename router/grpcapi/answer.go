package grpcapi

import (
	"strconv"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"hotpath/models"
	"hotpath/router"
)

// answer is a ModelInferResponse, or a ModelStreamInferResponse around one, on the
// wire. Whoever sends it frees its buffers.
type answer struct {
	buffers mem.BufferSlice
	// delivery is told when the buffers are written; nil for a small answer.
	delivery *delivery
	one      [1]mem.Buffer // memory of buffers where there is only one
}

// send writes the answer, or leaves it to grpc to be written. grpc drops what is put
// behind the end of a call that its client has cancelled, without a word; what is put
// before is given back.
func (a *answer) send(stream grpc.ServerStream) error {
	err := stream.SendMsg(a)
	if err == nil && a.delivery != nil && stream.Context().Err() != nil {
		a.delivery.abandon()
	}
	return err
}

// The keys of the fields written here.
const (
	keyModelName    = 1<<3 | wireBytes
	keyModelVersion = 2<<3 | wireBytes
	keyID           = 3<<3 | wireBytes
	keyParameters   = 4<<3 | wireBytes
	keyOutputs      = 5<<3 | wireBytes
	keyRaw          = 6<<3 | wireBytes

	keyOutputName     = 1<<3 | wireBytes
	keyOutputDatatype = 2<<3 | wireBytes
	keyOutputShape    = 3<<3 | wireBytes

	keyEntryName   = 1<<3 | wireBytes
	keyEntryValue  = 2<<3 | wireBytes
	keyBoolParam   = 1<<3 | wireVarint
	keyStringParam = 3<<3 | wireBytes

	keyStreamError    = 1<<3 | wireBytes
	keyStreamResponse = 2<<3 | wireBytes
)

// appendHead adds everything of an answer but the outputs' data.
func appendHead(dst []byte, x *router.Exchange, id []byte, outputs []models.Tensor) []byte {
	dst = appendText(dst, keyModelName, x.Lane.Model)
	dst = protowire.AppendVarint(dst, keyModelVersion)
	var digits [20]byte
	dst = protowire.AppendBytes(dst, strconv.AppendInt(digits[:0], int64(x.Lane.Version), 10))
	if len(id) > 0 {
		dst = protowire.AppendBytes(protowire.AppendVarint(dst, keyID), id)
	}
	if e := x.Assignment.Experiment; e != nil {
		dst = appendParameter(dst, "experiment", e.Name())
		dst = appendParameter(dst, "variant", x.Variant.Name())
		if payload := x.Variant.Payload(); payload != nil {
			dst = appendParameter(dst, "payload", unsafe.String(unsafe.SliceData(payload), len(payload)))
		}
		dst = appendParameter(dst, "reason", x.Assignment.Reason.String())
	}
	if x.Degraded != 0 {
		names := ""
		x.Degraded.Each(func(name string) {
			if names != "" {
				names += ","
			}
			names += name
		})
		dst = appendParameter(dst, "degraded", names)
	}
	for i := range outputs {
		dst = appendOutput(dst, &outputs[i])
	}
	return dst
}

func appendText(dst []byte, key uint64, s string) []byte {
	return protowire.AppendString(protowire.AppendVarint(dst, key), s)
}

// sizeText is the length of a field of n bytes, its key of one byte included.
func sizeText(n int) int { return 1 + protowire.SizeBytes(n) }

// appendParameter adds an entry of the parameters whose value is a string.
func appendParameter(dst []byte, name, value string) []byte {
	inner := sizeText(len(value))
	dst = protowire.AppendVarint(dst, keyParameters)
	dst = protowire.AppendVarint(dst, uint64(sizeText(len(name))+sizeText(inner)))
	dst = appendText(dst, keyEntryName, name)
	dst = protowire.AppendVarint(dst, keyEntryValue)
	dst = protowire.AppendVarint(dst, uint64(inner))
	return appendText(dst, keyStringParam, value)
}

// finalResponse is the parameter that tells clients of Triton's streams that no more
// answers to a request follow. Some read it without looking whether it is there.
const finalResponse = "triton_final_response"

// appendFinal adds it, as true.
func appendFinal(dst []byte) []byte {
	const value = 2
	dst = protowire.AppendVarint(dst, keyParameters)
	dst = protowire.AppendVarint(dst, uint64(sizeText(len(finalResponse))+sizeText(value)))
	dst = appendText(dst, keyEntryName, finalResponse)
	return append(dst, byte(keyEntryValue), value, byte(keyBoolParam), 1)
}

// appendOutput adds an output's name, type and shape.
func appendOutput(dst []byte, t *models.Tensor) []byte {
	shape := 0
	for _, d := range t.Shape {
		shape += protowire.SizeVarint(uint64(d))
	}
	datatype := t.DType.String()
	size := sizeText(len(t.Name)) + sizeText(len(datatype))
	if shape > 0 {
		size += sizeText(shape)
	}
	dst = protowire.AppendVarint(dst, keyOutputs)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = appendText(dst, keyOutputName, t.Name)
	dst = appendText(dst, keyOutputDatatype, datatype)
	if shape == 0 {
		return dst
	}
	dst = protowire.AppendVarint(dst, keyOutputShape)
	dst = protowire.AppendVarint(dst, uint64(shape))
	for _, d := range t.Shape {
		dst = protowire.AppendVarint(dst, uint64(d))
	}
	return dst
}

// appendRawKey adds what stands before an output's data.
func appendRawKey(dst []byte, size int) []byte {
	return protowire.AppendVarint(protowire.AppendVarint(dst, keyRaw), uint64(size))
}

// streamError is a ModelStreamInferResponse that says why a request was refused. The
// request's id goes with it.
func streamError(message string, id []byte) *answer {
	b := appendText(nil, keyStreamError, clipped(message))
	if len(id) > 0 {
		b = protowire.AppendVarint(b, keyStreamResponse)
		b = protowire.AppendVarint(b, uint64(sizeText(len(id))))
		b = protowire.AppendBytes(protowire.AppendVarint(b, keyID), id)
	}
	return single(mem.SliceBuffer(b))
}

// single is an answer in one buffer.
func single(b mem.Buffer) *answer {
	a := &answer{}
	a.one[0] = b
	a.buffers = a.one[:]
	return a
}
