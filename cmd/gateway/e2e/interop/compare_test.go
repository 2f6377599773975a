//go:build interop

package interop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"hotpath/models"
)

// tolerance is that of onnx's own runner: |got-want| <= atol + rtol*|want|.
type tolerance struct {
	Rtol float64 `json:"rtol"`
	Atol float64 `json:"atol"`
}

// bfloat16Rtol is two units in a bfloat16's last place.
const bfloat16Rtol = 1.0 / 64

// compare says how outputs differ from those expected; nil where they do not.
// Integers, strings and booleans must be equal, and so must NaNs.
func compare(got, want []models.Tensor, within tolerance) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d outputs, expected %d", len(got), len(want))
	}
	for i := range want {
		at := slices.IndexFunc(got, func(t models.Tensor) bool { return t.Name == want[i].Name })
		if at < 0 {
			return fmt.Errorf("output %q is missing", want[i].Name)
		}
		if err := compareTensor(&got[at], &want[i], within); err != nil {
			return fmt.Errorf("output %q: %w", want[i].Name, err)
		}
	}
	return nil
}

func compareTensor(got, want *models.Tensor, within tolerance) error {
	if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Errorf("is %s %s, expected %s %s", got.DType, models.ShapeText(got.Shape), want.DType, models.ShapeText(want.Shape))
	}
	if err := got.CheckData(); err != nil {
		return err
	}
	switch want.DType {
	case models.BFloat16:
		within.Rtol = max(within.Rtol, bfloat16Rtol)
	case models.Float16, models.Float32, models.Float64:
	default:
		if !bytes.Equal(got.Data, want.Data) {
			return fmt.Errorf("has other elements")
		}
		return nil
	}
	a, b := floats(got), floats(want)
	for i := range b {
		if !near(a[i], b[i], within) {
			return fmt.Errorf("element %d is %v, expected %v", i, a[i], b[i])
		}
	}
	return nil
}

func near(got, want float64, within tolerance) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return got == want || math.IsNaN(got) && math.IsNaN(want)
	}
	return math.Abs(got-want) <= within.Atol+within.Rtol*math.Abs(want)
}

// floats are the elements of a tensor of one of the float types.
func floats(t *models.Tensor) []float64 {
	size := t.DType.Size()
	out := make([]float64, len(t.Data)/size)
	for i := range out {
		e := t.Data[i*size:]
		switch t.DType {
		case models.Float16:
			out[i] = fromFloat16(binary.LittleEndian.Uint16(e))
		case models.BFloat16:
			out[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(e)) << 16))
		case models.Float32:
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(e)))
		case models.Float64:
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(e))
		}
	}
	return out
}

func fromFloat16(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	exponent, mantissa := int(h>>10&0x1f), float64(h&0x3ff)
	switch exponent {
	case 0:
		return sign * math.Ldexp(mantissa, -24)
	case 0x1f:
		if mantissa != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+mantissa/1024, exponent-15)
}

// finite says that no tensor holds a NaN or an infinity, which JSON has no
// numbers for.
func finite(tensors []models.Tensor) bool {
	for i := range tensors {
		switch tensors[i].DType {
		case models.Float16, models.BFloat16, models.Float32, models.Float64:
			if slices.ContainsFunc(floats(&tensors[i]), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
				return false
			}
		}
	}
	return true
}
