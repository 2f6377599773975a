package oipwire

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
	"hotpath/router/httpapi/jsonwire"
)

// dataDepth is how many containers are open around a tensor's data.
const dataDepth = 3

// elements reads the array at i, flat or nested as the shape says, into t.Data.
func (r *Request) elements(i int, t *models.Tensor) (next int, err *Error) {
	if r.at(i) != '[' {
		return i, r.refuse(i, dataKey, "must be an array")
	}
	n, _ := models.Elements(t.Shape) // the shape was checked when it was read
	// Each element takes a byte at least, and a comma before the next.
	if n > (len(r.scan.Body)-i)/2 {
		return i, r.refuse(i, dataKey, "holds fewer elements than the ", itoa(n), " of shape ", models.ShapeText(t.Shape))
	}
	if err := r.tooLarge(i, len(r.data)+n*t.DType.Size()); err != nil {
		return i, err
	}
	from := len(r.data)
	r.data = slices.Grow(r.data, n*t.DType.Size())
	w := writer{Request: r, dtype: t.DType, dst: r.data, key: dataKey, shape: t.Shape}
	if inner := jsonscan.SkipSpace(r.scan.Body, i+1); r.at(inner) == '[' && len(t.Shape) > 1 {
		i, err = w.nested(i, t.Shape, dataDepth)
	} else {
		i, err = w.run(i, n, dataDepth)
	}
	r.data = w.dst
	t.Data = w.dst[from:len(w.dst):len(w.dst)]
	return i, err
}

// tooLarge refuses so many bytes of elements.
func (r *Request) tooLarge(i, bytes int) *Error {
	if bytes <= r.limits.TensorBytes {
		return nil
	}
	return &Error{Code: CodeTooLarge, Field: r.path(nil), Message: "the tensors take more than " + itoa(r.limits.TensorBytes) +
		" bytes (server.max_infer_body_bytes)" + jsonscan.AtByte(i), Offset: i}
}

var dataKey = []byte("data")

// writer adds elements to dst.
type writer struct {
	*Request
	dtype models.DType
	dst   []byte
	// key names the member that they belong to, and shape is theirs, for errors.
	key   []byte
	shape []int64
	// other is the number of bytes of elements beside dst.
	other int
	// base64 says that a string may be written as {"b64":"…"}.
	base64 bool
}

// nested reads the array at i, of arrays down to the last of dims.
func (w *writer) nested(i int, dims []int64, depth int) (next int, err *Error) {
	if len(dims) == 1 {
		return w.run(i, int(dims[0]), depth)
	}
	if depth >= w.limits.Depth {
		return i, w.scan.TooDeep(i)
	}
	start, n := i, int64(0)
	i, more := w.scan.Open(i, ']')
	for more {
		if w.at(i) != '[' || n == dims[0] {
			return i, w.wrongShape(i)
		}
		if i, err = w.nested(i, dims[1:], depth+1); err != nil {
			return i, err
		}
		if i, more, err = w.scan.More(i, ']'); err != nil {
			return i, err
		}
		n++
	}
	if n < dims[0] {
		return i, w.wrongShape(start)
	}
	return i, nil
}

func (w *writer) wrongShape(i int) *Error {
	return w.refuse(i, w.key, "is not flat and not nested as shape ", models.ShapeText(w.shape), " says")
}

// run reads the array at i, of n elements.
func (w *writer) run(i, n, depth int) (next int, err *Error) {
	if depth >= w.limits.Depth {
		return i, w.scan.TooDeep(i)
	}
	start := i
	i, more := w.scan.Open(i, ']')
	got := 0
	if more {
		if got, i, err = w.values(i, n); err != nil {
			return i, err
		}
	}
	if got != n {
		return i, w.wrongCount(start, got, n)
	}
	return i, nil
}

func (w *writer) wrongCount(i, got, n int) *Error {
	found := itoa(got)
	if got > n {
		found = "more"
	}
	return w.refuse(i, w.key, "needs ", itoa(n), " elements in this place for shape ", models.ShapeText(w.shape), "; it has ", found)
}

// values reads the elements from i to the end of their array, but no more than
// one beyond limit.
func (w *writer) values(i, limit int) (got, next int, err *Error) {
	if w.dtype == models.Float32 {
		return w.float32s(i, limit)
	}
	b := w.scan.Body
	for more := true; more; got++ {
		if got == limit {
			return got + 1, i, nil
		}
		if i, err = w.element(i); err != nil {
			return got, i, err
		}
		if len(b)-i >= 2 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more, err = w.scan.More(i, ']'); err != nil {
			return got, i, err
		}
	}
	return got, i, nil
}

// float32s is values for the type that nearly every tensor has.
func (w *writer) float32s(i, limit int) (got, next int, err *Error) {
	b, dst := w.scan.Body, w.dst
	for more := true; more; got++ {
		if got == limit {
			got++
			break
		}
		x, expected := scanNumber(b, i)
		if expected != "" {
			return got, i, w.notNumber(i, &x, expected)
		}
		v, ok := x.float32(b[i:x.end])
		if !ok {
			return got, i, w.unfit(i, x.end)
		}
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
		if i = x.end; len(b)-i >= 2 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more, err = w.scan.More(i, ']'); err != nil {
			return got, i, err
		}
	}
	w.dst = dst
	return got, i, nil
}

// element reads the one at i.
func (w *writer) element(i int) (next int, err *Error) {
	switch w.dtype {
	case models.String:
		return w.string(i)
	case models.Bool:
		return w.bool(i)
	}
	b := w.scan.Body
	x, expected := scanNumber(b, i)
	if expected != "" {
		return i, w.notNumber(i, &x, expected)
	}
	bits, ok := x.bits(w.dtype, b[i:x.end])
	if !ok {
		return i, w.unfit(i, x.end)
	}
	switch w.dtype.Size() {
	case 1:
		w.dst = append(w.dst, byte(bits))
	case 2:
		w.dst = binary.LittleEndian.AppendUint16(w.dst, uint16(bits))
	case 4:
		w.dst = binary.LittleEndian.AppendUint32(w.dst, uint32(bits))
	default:
		w.dst = binary.LittleEndian.AppendUint64(w.dst, bits)
	}
	return x.end, nil
}

// bits are the number as an element of a type; false when it does not fit.
func (x *number) bits(t models.DType, text []byte) (bits uint64, ok bool) {
	switch t {
	case models.Float32:
		f, ok := x.float32(text)
		return uint64(math.Float32bits(f)), ok
	case models.Float64:
		f, ok := x.float64(text)
		return math.Float64bits(f), ok
	case models.Float16, models.BFloat16:
		f, ok := x.float64(text)
		if !ok {
			return 0, false
		}
		half, ok := jsonwire.RoundHalf(t, f)
		return uint64(half), ok
	case models.Uint8, models.Uint16, models.Uint32, models.Uint64:
		return x.unsigned(8*t.Size(), text)
	}
	n, ok := x.signed(8 * t.Size())
	return uint64(n), ok
}

// unfit is the error of a number that the type cannot hold.
func (w *writer) unfit(i, end int) *Error {
	kind := "a number that fits "
	if w.dtype < models.Float16 {
		kind = "a whole number, without fraction and exponent, that fits "
	}
	return w.refuse(i, w.key, "needs ", kind, w.dtype.String(), ", got ", jsonscan.Shown(w.scan.Body[i:end]))
}

// notNumber is the error of something else where a number should be.
func (w *writer) notNumber(i int, x *number, expected string) *Error {
	if c := w.at(i); c == '-' || c-'0' <= 9 {
		return w.scan.Syntax(x.end, expected)
	}
	return w.notElement(i, "a number")
}

// notElement is the error of a value of another kind; one that is not JSON at all
// is told as such.
func (w *writer) notElement(i int, want string) *Error {
	_, kind, _, err := w.scan.Value(i, dataDepth)
	if err != nil {
		return err
	}
	return w.refuse(i, w.key, "needs ", want, " for each element of ", w.dtype.String(), ", got ", kind.String())
}

// bool reads true or false.
func (w *writer) bool(i int) (next int, err *Error) {
	b := w.scan.Body[min(i, len(w.scan.Body)):]
	switch {
	case len(b) >= 4 && string(b[:4]) == "true":
		w.dst = append(w.dst, 1)
		return i + 4, nil
	case len(b) >= 5 && string(b[:5]) == "false":
		w.dst = append(w.dst, 0)
		return i + 5, nil
	}
	return i, w.notElement(i, "true or false")
}

// string reads a string.
func (w *writer) string(i int) (next int, err *Error) {
	if w.base64 && w.at(i) == '{' {
		return w.encoded(i)
	}
	if w.at(i) != '"' {
		return i, w.notElement(i, "a string")
	}
	mark := len(w.scan.Arena)
	s, i, err := w.scan.Text(i + 1)
	if err != nil {
		return i, err
	}
	if err := w.tooLarge(i, w.other+len(w.dst)+4+len(s)); err != nil {
		return i, err
	}
	w.dst = models.AppendStringElement(w.dst, unsafe.String(unsafe.SliceData(s), len(s)))
	w.scan.Arena = w.scan.Arena[:mark]
	return i, nil
}
