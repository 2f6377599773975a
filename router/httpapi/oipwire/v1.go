package oipwire

import (
	"encoding/base64"
	"math"
	"strings"

	"hotpath/models"
)

// DecodeV1 reads Body as a request of TensorFlow Serving's REST form: "instances",
// row by row, or "inputs", column by column. It says neither types nor shapes: the
// types are the model's, the shapes follow from how the values are nested. An
// error is an *Error.
func (r *Request) DecodeV1(inputs []models.Port) error {
	r.begin(r.Body)
	r.openColumns(inputs)
	err := r.whole("instances or inputs", r.objectV1)
	if err == nil {
		r.takeColumns()
	}
	r.end()
	if err != nil {
		return err
	}
	return nil
}

// objectV1 reads the object at i that is the body.
func (r *Request) objectV1(i int) (next int, err *Error) {
	start, form := i, ""
	names := r.scan.OpenNames()
	i, more := r.scan.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = r.key(i, &names); err != nil {
			return i, err
		}
		switch string(key) {
		case "signature_name": // an ONNX model has one signature, whatever it is called
			_, i, err = r.text(i, key)
		case "instances", "inputs":
			if form != "" {
				return i, r.refuse(at, key, "is given beside ", form, ": send one of the two")
			}
			if r.Rows = string(key) == "instances"; r.Rows {
				form = "instances"
				i, err = r.instances(i)
			} else {
				form = "inputs"
				i, err = r.columnForm(i)
			}
		default:
			err = r.refuse(at, key, "is not a member of a predict request; known are instances, inputs and signature_name")
		}
		if err != nil {
			return i, err
		}
		if i, more, err = r.scan.More(i, '}'); err != nil {
			return i, err
		}
	}
	r.scan.CloseNames(&names)
	if form == "" {
		return i, r.refuse(start, nil, "needs instances, a list of rows, or inputs, by column")
	}
	return i, nil
}

// instances reads the list at i: each element is a row, as an object of values by
// input, or as the value itself where the model has one input.
func (r *Request) instances(i int) (next int, err *Error) {
	start := i
	if r.at(i) != '[' {
		return i, r.refuse(i, []byte("instances"), "must be a list of rows")
	}
	if len(r.columns) == 0 {
		return i, r.refuse(i, []byte("instances"), `has no rows where the model has no inputs; send "inputs": {}`)
	}
	r.section, r.index = "instances", 0
	i, more := r.scan.Open(i, ']')
	for more {
		if r.named(i) {
			i, err = r.values(i, 2)
		} else if err = r.single(i); err == nil {
			i, err = r.value(i, &r.columns[0], 2)
		}
		if err != nil {
			return i, err
		}
		if i, more, err = r.scan.More(i, ']'); err != nil {
			return i, err
		}
		r.index++
	}
	r.section, r.index = "", -1
	if r.columns[0].rows == 0 {
		return i, r.refuse(start, []byte("instances"), "is empty: send one row at least")
	}
	return i, nil
}

// columnForm reads the value at i of all rows: an object of tensors by input, or
// the tensor itself where the model has one input.
func (r *Request) columnForm(i int) (next int, err *Error) {
	r.section = "inputs"
	if r.named(i) {
		i, err = r.values(i, 1)
	} else if err = r.single(i); err == nil {
		i, err = r.value(i, &r.columns[0], 1)
	}
	r.section = ""
	return i, err
}

// named says whether an object of values by input is at i, and not a string as
// {"b64":"…"}.
func (r *Request) named(i int) bool {
	if r.at(i) != '{' {
		return false
	}
	i, more := r.scan.Open(i, '}')
	return !more || !strings.HasPrefix(string(r.scan.Body[i:min(i+5, len(r.scan.Body))]), `"b64"`) || r.column([]byte("b64")) != nil
}

// single refuses a value without a name where the model has several inputs.
func (r *Request) single(i int) *Error {
	if len(r.columns) == 1 {
		return nil
	}
	return r.refuse(i, nil, "must be an object of values by name: the model has the inputs ", r.inputNames())
}

// values reads the object at i, which lies depth containers deep, of a value for
// each input.
func (r *Request) values(i, depth int) (next int, err *Error) {
	start := i
	names := r.scan.OpenNames()
	i, more := r.scan.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = r.key(i, &names); err != nil {
			return i, err
		}
		c := r.column(key)
		if c == nil {
			return i, r.refuse(at, key, "is no input of the model; it has ", r.inputNames())
		}
		if i, err = r.value(i, c, depth+1); err != nil {
			return i, err
		}
		if i, more, err = r.scan.More(i, '}'); err != nil {
			return i, err
		}
	}
	r.scan.CloseNames(&names)
	for c := range r.columns {
		if r.columns[c].rows != max(r.index+1, 1) {
			return i, r.refuse(start, r.columns[c].key, "is missing: the model has the inputs ", r.inputNames())
		}
	}
	return i, nil
}

// value reads the value at i, which lies depth containers deep, into a column.
func (r *Request) value(i int, c *column, depth int) (next int, err *Error) {
	w := writer{Request: r, dtype: c.dtype, dst: c.data, other: r.columnBytes - len(c.data), key: c.key, base64: true}
	i, err = w.inferred(i, c, 0, depth)
	r.columnBytes += len(w.dst) - len(c.data)
	c.data = w.dst
	c.rows++
	if err == nil {
		err = w.tooLarge(i, r.columnBytes)
	}
	return i, err
}

// inferred reads the value at i and sees that it is nested as those before it.
func (w *writer) inferred(i int, c *column, level, depth int) (next int, err *Error) {
	start := i
	if w.at(i) != '[' {
		if c.rank >= 0 && c.rank != level {
			return i, w.ragged(i)
		}
		c.rank = level
		return w.element(i)
	}
	switch {
	case c.rank == level:
		return i, w.ragged(i)
	case level == models.MaxTensorRank:
		return i, w.refuse(i, w.key, "has more than ", itoa(models.MaxTensorRank), " dimensions")
	case depth >= w.limits.Depth:
		return i, w.scan.TooDeep(i)
	}
	i, more := w.scan.Open(i, ']')
	n := 0
	if more && w.at(i) == '[' {
		for more {
			if i, err = w.inferred(i, c, level+1, depth+1); err != nil {
				return i, err
			}
			if i, more, err = w.scan.More(i, ']'); err != nil {
				return i, err
			}
			n++
		}
	} else {
		if c.rank >= 0 && c.rank != level+1 {
			return i, w.ragged(i)
		}
		c.rank = level + 1
		if more {
			if n, i, err = w.values(i, math.MaxInt); err != nil {
				return i, err
			}
		}
		if err := w.tooLarge(i, w.other+len(w.dst)); err != nil {
			return i, err
		}
	}
	if c.dims[level] >= 0 && c.dims[level] != int64(n) {
		return i, w.ragged(start)
	}
	c.dims[level] = int64(n)
	return i, nil
}

func (w *writer) ragged(i int) *Error {
	return w.refuse(i, w.key, "is not nested evenly: every row, and every array within one, must have the same size")
}

// encoded reads a string written as {"b64":"…"}.
func (w *writer) encoded(i int) (next int, err *Error) {
	start := i
	i, more := w.scan.Open(i, '}')
	if !more {
		return i, w.refuse(start, w.key, `must be a string or {"b64":"…"}`)
	}
	key, i, err := w.scan.Key(i)
	if err != nil {
		return i, err
	}
	if string(key) != "b64" || w.at(i) != '"' {
		return i, w.refuse(start, w.key, `must be a string or {"b64":"…"}`)
	}
	mark := len(w.scan.Arena)
	text, i, err := w.scan.Text(i + 1)
	if err != nil {
		return i, err
	}
	if i, more, err = w.scan.More(i, '}'); err != nil {
		return i, err
	}
	if more {
		return i, w.refuse(start, w.key, `must be a string or {"b64":"…"}, without further members`)
	}
	from := len(w.dst)
	w.dst = append(w.dst, 0, 0, 0, 0)
	var bad error
	if w.dst, bad = base64.StdEncoding.AppendDecode(w.dst, text); bad != nil {
		return i, w.refuse(start, w.key, "b64 is not base64: ", bad.Error())
	}
	n := len(w.dst) - from - 4
	w.dst[from], w.dst[from+1], w.dst[from+2], w.dst[from+3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	w.scan.Arena = w.scan.Arena[:mark]
	return i, w.tooLarge(i, w.other+len(w.dst))
}
