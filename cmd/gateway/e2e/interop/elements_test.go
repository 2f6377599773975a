//go:build interop

package interop

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"hotpath/models"
)

// appendJSONData appends a tensor's elements as one flat JSON array.
func appendJSONData(dst []byte, t *models.Tensor) []byte {
	dst = append(dst, '[')
	first := true
	each(t, func(e []byte) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendJSONElement(dst, t.DType, e)
	})
	return append(dst, ']')
}

// each calls f with the bytes of each element; for a string, with its text.
func each(t *models.Tensor, f func(e []byte)) {
	if t.DType == models.String {
		for data := t.Data; len(data) > 0; {
			s, rest, _ := models.CutString(data)
			f(s)
			data = rest
		}
		return
	}
	for data := t.Data; len(data) > 0; data = data[t.DType.Size():] {
		f(data[:t.DType.Size()])
	}
}

func appendJSONElement(dst []byte, d models.DType, e []byte) []byte {
	switch d {
	case models.String:
		text, _ := json.Marshal(string(e)) // a string never fails
		return append(dst, text...)
	case models.Bool:
		return strconv.AppendBool(dst, e[0] != 0)
	case models.Float16, models.BFloat16, models.Float32, models.Float64:
		bits := 32
		if d == models.Float64 {
			bits = 64
		}
		return strconv.AppendFloat(dst, floats(&models.Tensor{DType: d, Data: e})[0], 'g', -1, bits)
	case models.Uint8, models.Uint16, models.Uint32, models.Uint64:
		return strconv.AppendUint(dst, unsigned(e), 10)
	}
	shift := 64 - 8*len(e)
	return strconv.AppendInt(dst, int64(unsigned(e)<<shift)>>shift, 10)
}

// unsigned reads an integer of up to 8 bytes.
func unsigned(e []byte) uint64 {
	var b [8]byte
	copy(b[:], e)
	return binary.LittleEndian.Uint64(b[:])
}

// parseJSONData reads elements from an array, nested or flat.
func parseJSONData(text json.RawMessage, d models.DType) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return appendParsed(nil, value, d)
}

func appendParsed(dst []byte, value any, d models.DType) (_ []byte, err error) {
	switch v := value.(type) {
	case []any:
		for _, e := range v {
			if dst, err = appendParsed(dst, e, d); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case string:
		if d == models.String {
			return models.AppendStringElement(dst, v), nil
		}
	case bool:
		if d == models.Bool {
			return append(dst, map[bool]byte{true: 1}[v]), nil
		}
	case json.Number:
		return appendNumber(dst, v.String(), d)
	}
	return nil, fmt.Errorf("%v is no element of %s", value, d)
}

// appendNumber appends a number that its type must hold as it is.
func appendNumber(dst []byte, text string, d models.DType) ([]byte, error) {
	var bits uint64
	var err error
	switch d {
	case models.Float64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		bits = math.Float64bits(f)
	case models.Float32, models.Float16, models.BFloat16:
		var f float64
		f, err = strconv.ParseFloat(text, 32)
		bits = floatBits(float32(f), d)
	case models.Uint8, models.Uint16, models.Uint32, models.Uint64:
		bits, err = strconv.ParseUint(text, 10, 8*d.Size())
	case models.Int8, models.Int16, models.Int32, models.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, 8*d.Size())
		bits = uint64(n)
	default:
		err = fmt.Errorf("%s is no element of %s", text, d)
	}
	return appendElement(dst, d.Size(), bits), err
}

// floatBits are the bits of the value of a type that is nearest to f.
func floatBits(f float32, d models.DType) uint64 {
	row := models.Row{Data: make([]byte, 8)}
	switch d {
	case models.BFloat16:
		row.PutBFloat16(0, f)
	case models.Float16:
		row.PutFloat16(0, f)
	default:
		row.PutFloat32(0, f)
	}
	return binary.LittleEndian.Uint64(row.Data)
}
