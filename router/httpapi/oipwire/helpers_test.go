package oipwire

import (
	"encoding/binary"
	"math"
)

func floatBytes(f float32) []byte {
	return binary.LittleEndian.AppendUint32(nil, math.Float32bits(f))
}
