package models

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestDifference(t *testing.T) {
	f32 := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	i64 := func(v ...int64) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
		return b
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		d    DType
		a, b []byte
		want float64
		ok   bool
	}{
		"equal":         {Float32, f32(1, 2), f32(1, 2), 0, true},
		"largest":       {Float32, f32(1, 2, 3), f32(1.25, 2, 5), 2, true},
		"both NaN":      {Float32, f32(nan, 1), f32(nan, 1.5), 0.5, true},
		"one NaN":       {Float32, f32(nan), f32(1), 0, false},
		"infinity":      {Float32, f32(inf), f32(1), 0, false},
		"infinities":    {Float32, f32(inf), f32(inf), 0, true},
		"integers":      {Int64, i64(-5), i64(7), 12, true},
		"signed bytes":  {Int8, []byte{0xff}, []byte{1}, 2, true},
		"unsigned":      {Uint8, []byte{0xff}, []byte{1}, 254, true},
		"bools":         {Bool, []byte{1, 0}, []byte{1, 1}, 1, true},
		"halves":        {Float16, []byte{0, 0x3c}, []byte{0, 0x40}, 1, true},
		"bfloats":       {BFloat16, []byte{0x80, 0x3f}, []byte{0, 0x40}, 1, true},
		"other lengths": {Float32, f32(1), f32(1, 1), 0, false},
		"strings":       {String, nil, nil, 0, false},
	} {
		if got, ok := Difference(c.d, c.a, c.b); got != c.want || ok != c.ok {
			t.Errorf("%s: %v %t, want %v %t", name, got, ok, c.want, c.ok)
		}
	}
}
