package oip

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"hotpath/models"
)

// elements are the bits of integers or floats in a size.
func elements(size int, bits ...uint64) (data []byte) {
	for _, b := range bits {
		data = append(data, binary.LittleEndian.AppendUint64(nil, b)[:size]...)
	}
	return data
}

func float32s(values ...float64) (bits []uint64) {
	for _, v := range values {
		bits = append(bits, uint64(math.Float32bits(float32(v))))
	}
	return bits
}

func TestAppendClasses(t *testing.T) {
	negative := func(v int64) uint64 { return uint64(v) }
	for name, c := range map[string]struct {
		dtype   models.DType
		shape   []int64
		bits    []uint64
		batched bool
		n       int
		want    []string
		wantDim []int64
	}{
		"the highest first":    {models.Float32, []int64{1, 4}, float32s(1, 5, 10, 4), true, 2, []string{"10:2", "5:1"}, []int64{1, 2}},
		"each row":             {models.Float32, []int64{2, 2}, float32s(1, 2, 0.5, -1), true, 1, []string{"2:1", "0.5:0"}, []int64{2, 1}},
		"equals in order":      {models.Float32, []int64{3}, float32s(0, math.Copysign(0, -1), 0), false, 3, []string{"0:0", "-0:1", "0:2"}, []int64{3}},
		"NaN last":             {models.Float32, []int64{4}, float32s(math.NaN(), math.Inf(-1), 1, math.Inf(1)), false, 4, []string{"+Inf:3", "1:2", "-Inf:1", "NaN:0"}, []int64{4}},
		"more than there are":  {models.Int8, []int64{1, 2}, []uint64{negative(-128), 127}, true, 9, []string{"127:1", "-128:0"}, []int64{1, 2}},
		"beyond a float's":     {models.Int64, []int64{3}, []uint64{1<<53 + 1, 1 << 53, negative(-1)}, false, 2, []string{"9007199254740993:0", "9007199254740992:1"}, []int64{2}},
		"unsigned":             {models.Uint64, []int64{2}, []uint64{1, math.MaxUint64}, false, 1, []string{"18446744073709551615:1"}, []int64{1}},
		"bytes":                {models.Uint8, []int64{2}, []uint64{200, 100}, false, 1, []string{"200:0"}, []int64{1}},
		"shorts":               {models.Int16, []int64{2}, []uint64{negative(-2), negative(-1)}, false, 1, []string{"-1:1"}, []int64{1}},
		"doubles":              {models.Float64, []int64{2}, []uint64{math.Float64bits(-0.1), math.Float64bits(-0.2)}, false, 1, []string{"-0.1:0"}, []int64{1}},
		"an element a row":     {models.Int32, []int64{2}, []uint64{3, negative(-3)}, true, 1, []string{"3:0", "-3:0"}, []int64{2, 1}},
		"dimensions of a row":  {models.Uint16, []int64{1, 2, 2}, []uint64{1, 2, 4, 3}, true, 1, []string{"4:2"}, []int64{1, 1}},
		"nothing in it":        {models.Float32, []int64{2, 0}, nil, true, 3, nil, []int64{2, 0}},
		"a scalar of no batch": {models.Float32, []int64{}, float32s(7), false, 2, []string{"7:0"}, []int64{1}},
	} {
		tensor := models.Tensor{Name: "y", DType: c.dtype, Shape: c.shape, Data: elements(c.dtype.Size(), c.bits...)}
		data, shape, err := AppendClasses(nil, &tensor, c.batched, c.n)
		if err != nil || !slices.Equal(shape, c.wantDim) {
			t.Errorf("%s: %v, shape %v, want %v", name, err, shape, c.wantDim)
		}
		var want []byte
		for _, s := range c.want {
			want = models.AppendStringElement(want, s)
		}
		if string(data) != string(want) {
			t.Errorf("%s: %q, want %q", name, data, want)
		}
	}
	for _, d := range []models.DType{models.Bool, models.Float16, models.BFloat16, models.String} {
		if _, _, err := AppendClasses(nil, &models.Tensor{DType: d}, true, 1); err == nil {
			t.Errorf("%s is classified", d)
		}
	}
}
