package grpcapi

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a protobuf message, as it stands on the wire.
type field struct {
	// key is the field's number and wire type, as keyOf makes it.
	key uint64
	// bytes of a length-delimited field.
	bytes []byte
	// number of a varint or of one of fixed width.
	number uint64
}

// The wire types of a key.
const (
	wireVarint  = uint64(protowire.VarintType)
	wireFixed64 = uint64(protowire.Fixed64Type)
	wireBytes   = uint64(protowire.BytesType)
	wireFixed32 = uint64(protowire.Fixed32Type)
)

// cutField takes the first field off a message. A field of another wire type than
// its number's is skipped by the caller like one that it does not know: its key is
// another.
func cutField(b []byte) (f field, rest []byte, ok bool) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num > protowire.MaxValidNumber {
		return f, nil, false
	}
	b = b[n:]
	switch typ {
	case protowire.VarintType:
		f.number, n = protowire.ConsumeVarint(b)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	case protowire.Fixed64Type:
		f.number, n = protowire.ConsumeFixed64(b)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(b)
		f.number = uint64(v)
	default: // a group, which no message of ours has
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	if n < 0 {
		return f, nil, false
	}
	f.key = uint64(num)<<3 | uint64(typ)
	return f, b[n:], true
}
