package oipwire

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan/jsonscantest"
)

// refer decodes a request whose tensors are all JSON by other means: json/v2 for
// what is JSON, encoding/json for its values, and a plain reading of the
// protocol. It is slow and easy to check. ok is false for what is to be refused.
func refer(body []byte, l Limits) (r reference, ok bool) {
	if !jsontext.Value(body).IsValid() || jsonscantest.Depth(body) > l.Depth {
		return r, false
	}
	top, ok := members(body, "id", "parameters", "inputs", "outputs", "model_name", "model_version")
	if !ok || top["inputs"] == nil {
		return r, false
	}
	if v := top["id"]; v != nil && (!text(v, &r.id) || !idAllowed(r.id, l)) {
		return r, false
	}
	if !r.parameters(top["parameters"], l) || !r.outputList(top["outputs"]) {
		return r, false
	}
	var inputs []json.RawMessage
	if top["inputs"][0] != '[' || json.Unmarshal(top["inputs"], &inputs) != nil || len(inputs) > maxTensors {
		return r, false
	}
	for _, v := range inputs {
		t, ok := referTensor(v)
		if !ok {
			return r, false
		}
		r.inputs = append(r.inputs, t)
	}
	return r, true
}

type reference struct {
	id, userID string
	timeout    int64
	binary     bool
	units      string
	outputs    []Output
	inputs     []models.Tensor
}

// members reads an object of which all names are known; nil values for those that
// are not there.
func members(v json.RawMessage, known ...string) (m map[string]json.RawMessage, ok bool) {
	v = json.RawMessage(strings.TrimSpace(string(v)))
	if len(v) == 0 || v[0] != '{' || jsonv2.Unmarshal(v, &m) != nil {
		return nil, false
	}
	for name := range m {
		found := known == nil
		for _, k := range known {
			found = found || k == name
		}
		if !found {
			return nil, false
		}
	}
	return m, true
}

func text(v json.RawMessage, s *string) bool {
	return len(v) > 0 && v[0] == '"' && json.Unmarshal(v, s) == nil
}

func idAllowed(id string, l Limits) bool {
	return len(id) <= l.IDBytes && !strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// count reads a number of bytes or elements.
func count(v json.RawMessage, n *int64) bool {
	s := string(v)
	if s == "-0" {
		s = "0"
	}
	var err error
	*n, err = strconv.ParseInt(s, 10, 64)
	return err == nil && *n >= 0 && *n <= maxSize
}

func (r *reference) parameters(v json.RawMessage, l Limits) bool {
	if v == nil {
		return true
	}
	m, ok := members(v)
	if !ok {
		return false
	}
	if v := m["timeout"]; v != nil && !count(v, &r.timeout) {
		return false
	}
	if v := m["user_id"]; v != nil && (!text(v, &r.userID) || !idAllowed(r.userID, l)) {
		return false
	}
	if v := m["binary_data_output"]; v != nil && (v[0] != 't' && v[0] != 'f' || json.Unmarshal(v, &r.binary) != nil) {
		return false
	}
	for _, name := range []string{"sequence_id", "sequence_start", "sequence_end"} {
		s := string(m[name])
		if text(m[name], &s); s != "" && s != "0" && s != "false" {
			return false
		}
	}
	return r.readUnits(m, l)
}

func (r *reference) outputList(v json.RawMessage) bool {
	if v == nil {
		return true
	}
	var list []json.RawMessage
	if v[0] != '[' || json.Unmarshal(v, &list) != nil || len(list) > maxTensors {
		return false
	}
	seen := map[string]bool{}
	for _, v := range list {
		m, ok := members(v, "name", "parameters")
		var o Output
		if !ok || !text(m["name"], &o.Name) || o.Name == "" || seen[o.Name] {
			return false
		}
		seen[o.Name] = true
		if m["parameters"] != nil {
			p, ok := members(m["parameters"])
			if !ok || p["shared_memory_region"] != nil {
				return false
			}
			var wanted bool
			if v := p["binary_data"]; v != nil {
				if v[0] != 't' && v[0] != 'f' || json.Unmarshal(v, &wanted) != nil {
					return false
				}
				if o.Binary = No; wanted {
					o.Binary = Yes
				}
			}
			var n int64
			if v := p["classification"]; v != nil && !count(v, &n) {
				return false
			}
			o.Classes = int(min(n, math.MaxInt32))
		}
		r.outputs = append(r.outputs, o)
	}
	return true
}

func referTensor(v json.RawMessage) (t models.Tensor, ok bool) {
	m, ok := members(v, "name", "shape", "datatype", "parameters", "data")
	var datatype string
	if !ok || !text(m["name"], &t.Name) || t.Name == "" || !text(m["datatype"], &datatype) || m["shape"] == nil || m["data"] == nil {
		return t, false
	}
	if m["parameters"] != nil {
		p, ok := members(m["parameters"])
		if !ok || p["shared_memory_region"] != nil || p["binary_data_size"] != nil {
			return t, false
		}
	}
	var err error
	if t.DType, err = models.ParseDType(datatype); err != nil {
		return t, false
	}
	var sizes []json.RawMessage
	if m["shape"][0] != '[' || json.Unmarshal(m["shape"], &sizes) != nil || len(sizes) > models.MaxTensorRank {
		return t, false
	}
	for _, v := range sizes {
		var n int64
		if !count(v, &n) {
			return t, false
		}
		t.Shape = append(t.Shape, n)
	}
	n, ok := models.Elements(t.Shape)
	if !ok {
		return t, false
	}
	return t, referData(&t, m["data"], n)
}

// referData reads a flat or nested array of n elements.
func referData(t *models.Tensor, v json.RawMessage, n int) bool {
	var list []json.RawMessage
	if v[0] != '[' || json.Unmarshal(v, &list) != nil {
		return false
	}
	if len(list) > 0 && list[0][0] == '[' && len(t.Shape) > 1 {
		return referNested(t, v, t.Shape)
	}
	if len(list) != n {
		return false
	}
	for _, v := range list {
		if !referElement(t, v) {
			return false
		}
	}
	return true
}

func referNested(t *models.Tensor, v json.RawMessage, shape []int64) bool {
	if len(shape) == 0 {
		return referElement(t, v)
	}
	var list []json.RawMessage
	if v[0] != '[' || json.Unmarshal(v, &list) != nil || int64(len(list)) != shape[0] {
		return false
	}
	for _, v := range list {
		if !referNested(t, v, shape[1:]) {
			return false
		}
	}
	return true
}

func referElement(t *models.Tensor, v json.RawMessage) bool {
	s := string(v)
	switch t.DType {
	case models.String:
		if !text(v, &s) {
			return false
		}
		t.Data = models.AppendStringElement(t.Data, s)
	case models.Bool:
		if s != "true" && s != "false" {
			return false
		}
		t.Data = append(t.Data, byte(len("false")-len(s)))
	case models.Float32:
		f, err := strconv.ParseFloat(s, 32)
		if err != nil || v[0] == '"' {
			return false
		}
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(f)))
	case models.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return false
		}
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(f))
	case models.Float16, models.BFloat16:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return false
		}
		bits, ok := nearestHalf(t.DType, f)
		if !ok {
			return false
		}
		t.Data = binary.LittleEndian.AppendUint16(t.Data, bits)
	default:
		return referInteger(t, s)
	}
	return true
}

func referInteger(t *models.Tensor, s string) bool {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || s[0] == '+' {
		return false
	}
	size := t.DType.Size()
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(8*size))
	if t.DType <= models.Int64 {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	if n.Cmp(low) < 0 || n.Cmp(high) >= 0 {
		return false
	}
	bits := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	for i := range size {
		t.Data = append(t.Data, byte(bits>>(8*i)))
	}
	return true
}

// halfValue widens a 16-bit float by the definition of its format.
func halfValue(t models.DType, bits uint16) float64 {
	exponentBits, fractionBits := 5, 10
	if t == models.BFloat16 {
		exponentBits, fractionBits = 8, 7
	}
	bias := 1<<(exponentBits-1) - 1
	exponent := int(bits>>fractionBits) & (1<<exponentBits - 1)
	fraction := float64(bits & (1<<fractionBits - 1))
	v := math.Ldexp(1+math.Ldexp(fraction, -fractionBits), exponent-bias)
	if exponent == 0 {
		v = math.Ldexp(fraction, 1-bias-fractionBits)
	}
	if bits>>15 != 0 {
		v = -v
	}
	return v
}

// nearestHalf finds the nearest finite 16-bit float by looking through them all in
// halves: their bits, without the sign, are in the order of their values.
func nearestHalf(t models.DType, f float64) (bits uint16, ok bool) {
	infinity := uint16(0x7c00)
	if t == models.BFloat16 {
		infinity = 0x7f80
	}
	abs := math.Abs(f)
	low, high := uint16(0), infinity-1
	for low < high {
		if mid := low + (high-low+1)/2; halfValue(t, mid) <= abs {
			low = mid
		} else {
			high = mid - 1
		}
	}
	below := halfValue(t, low)
	above := below + (below - halfValue(t, low-min(low, 1)))
	if low+1 < infinity {
		above = halfValue(t, low+1)
	}
	if rest := (abs - below) - (above - abs); rest > 0 || rest == 0 && low&1 == 1 {
		low++
	}
	if math.Signbit(f) {
		return low | 0x8000, low < infinity
	}
	return low, low < infinity
}
