package grpcapi

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"hotpath/models"
	"hotpath/router"
)

// The fields of InferTensorContents, by number.
const (
	boolContents   = 1
	intContents    = 2
	int64Contents  = 3
	uintContents   = 4
	uint64Contents = 5
	fp32Contents   = 6
	fp64Contents   = 7
	bytesContents  = 8
)

var contentsNames = [...]string{boolContents: "bool_contents", intContents: "int_contents", int64Contents: "int64_contents",
	uintContents: "uint_contents", uint64Contents: "uint64_contents", fp32Contents: "fp32_contents", fp64Contents: "fp64_contents",
	bytesContents: "bytes_contents"}

// contentsOf is the field that holds the elements of a type; 0 where the protocol
// has none, and the data must come raw.
func contentsOf(d models.DType) uint64 {
	switch d {
	case models.Bool:
		return boolContents
	case models.Int8, models.Int16, models.Int32:
		return intContents
	case models.Int64:
		return int64Contents
	case models.Uint8, models.Uint16, models.Uint32:
		return uintContents
	case models.Uint64:
		return uint64Contents
	case models.Float32:
		return fp32Contents
	case models.Float64:
		return fp64Contents
	case models.String:
		return bytesContents
	}
	return 0
}

// elements are the values that one field of contents holds, packed or not.
type elements struct {
	number uint64 // of the field
	one    field  // for a field that was not packed
	packed []byte
	isOne  bool
}

// elementsOf says what a field holds; false for one that is none of ours.
func elementsOf(f field) (e elements, ok bool) {
	e.number = f.key >> 3
	want := wireVarint
	switch {
	case e.number < boolContents || e.number > bytesContents:
		return e, false
	case e.number == bytesContents:
		e.one, e.isOne = f, true
		return e, f.key&7 == wireBytes
	case e.number == fp32Contents:
		want = wireFixed32
	case e.number == fp64Contents:
		want = wireFixed64
	}
	switch f.key & 7 {
	case want:
		e.one, e.isOne = f, true
	case wireBytes:
		e.packed = f.bytes
	default:
		return e, false
	}
	return e, true
}

// next takes the next value; more is false behind the last, ok where the bytes are
// no value.
func (e *elements) next() (f field, more, ok bool) {
	if e.isOne {
		e.isOne = false
		return e.one, true, true
	}
	if len(e.packed) == 0 {
		return f, false, true
	}
	var n int
	switch e.number {
	case fp32Contents:
		var v uint32
		v, n = protowire.ConsumeFixed32(e.packed)
		f.number = uint64(v)
	case fp64Contents:
		f.number, n = protowire.ConsumeFixed64(e.packed)
	default:
		f.number, n = protowire.ConsumeVarint(e.packed)
	}
	if n < 0 {
		return f, false, false
	}
	e.packed = e.packed[n:]
	return f, true, true
}

// checkContents refuses contents that are malformed, whether they are used or not.
func checkContents(b []byte) *router.Error {
	for len(b) > 0 {
		f, rest, ok := cutField(b)
		if !ok {
			return errMalformed
		}
		b = rest
		e, ours := elementsOf(f)
		for more := ours; more; {
			if _, more, ok = e.next(); !ok {
				return errMalformed
			}
		}
	}
	return nil
}

// appendContents adds the elements of checked contents in the form of raw contents,
// up to limit bytes. The message says what is wrong with them.
func appendContents(dst, b []byte, d models.DType, limit int) (_ []byte, message string) {
	want := contentsOf(d)
	if want == 0 {
		return dst, d.String() + " has no contents field of its own; send it in raw_input_contents"
	}
	from := len(dst)
	for len(b) > 0 {
		f, rest, _ := cutField(b)
		b = rest
		e, ours := elementsOf(f)
		if !ours {
			continue
		}
		for n := 0; ; n++ {
			v, more, _ := e.next()
			if !more {
				break
			}
			if e.number != want {
				return dst, fmt.Sprintf("has contents.%s; the elements of %s belong in %s", contentsNames[e.number], d, contentsNames[want])
			}
			var fits bool
			if dst, fits = appendElement(dst, v, d); !fits {
				return dst, fmt.Sprintf("%s[%d] does not fit %s", contentsNames[want], n, d)
			}
			if len(dst)-from > limit {
				return dst, fmt.Sprintf("is larger than %d bytes (server.grpc_max_message_bytes)", limit)
			}
		}
	}
	return dst, ""
}

// appendElement adds one element, little-endian; false where the type cannot hold it.
func appendElement(dst []byte, v field, d models.DType) (_ []byte, fits bool) {
	signed, unsigned := int32(v.number), uint32(v.number)
	switch d {
	case models.Bool:
		return append(dst, byte(min(v.number, 1))), true
	case models.Int8:
		return append(dst, byte(signed)), signed >= math.MinInt8 && signed <= math.MaxInt8
	case models.Int16:
		return binary.LittleEndian.AppendUint16(dst, uint16(signed)), signed >= math.MinInt16 && signed <= math.MaxInt16
	case models.Uint8:
		return append(dst, byte(unsigned)), unsigned <= math.MaxUint8
	case models.Uint16:
		return binary.LittleEndian.AppendUint16(dst, uint16(unsigned)), unsigned <= math.MaxUint16
	case models.Int32, models.Uint32, models.Float32:
		return binary.LittleEndian.AppendUint32(dst, unsigned), true
	case models.String:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v.bytes)))
		return append(dst, v.bytes...), true
	}
	return binary.LittleEndian.AppendUint64(dst, v.number), true
}
