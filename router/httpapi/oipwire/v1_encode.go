package oipwire

import (
	"encoding/base64"
	"strings"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
	"hotpath/router/httpapi/jsonwire"
)

// AppendPredictions adds the answer to a v1 request, in the form of the request:
// "predictions" row by row, or "outputs" by column. A model with one output is
// answered without its name. The error is an *Error.
func (r *Request) AppendPredictions(dst []byte, outputs []models.Tensor) ([]byte, error) {
	r.nests = r.nests[:0]
	for i := range outputs {
		t := &outputs[i]
		r.nests = append(r.nests, nest{Tensor: t, rest: t.Data, base64: strings.HasSuffix(t.Name, "_bytes")})
	}
	if !r.Rows {
		dst, err := appendNests(append(dst, `{"outputs":`...), r.nests, 0)
		return append(dst, '}'), asError(err)
	}
	rows := r.columns[0].rows
	for i := range outputs {
		if s := outputs[i].Shape; len(s) == 0 || s[0] != int64(rows) {
			return dst, &Error{Code: jsonscan.CodeBadRequest, Field: "outputs." + outputs[i].Name,
				Message: "has shape " + models.ShapeText(s) + ", which has no row for each instance; send inputs instead of instances"}
		}
	}
	dst = append(dst, `{"predictions":[`...)
	for row := range rows {
		if row > 0 {
			dst = append(dst, ',')
		}
		var err *Error
		if dst, err = appendNests(dst, r.nests, 1); err != nil {
			return dst, err
		}
	}
	return append(dst, "]}"...), nil
}

// asError keeps a nil *Error from becoming an error.
func asError(err *Error) error {
	if err != nil {
		return err
	}
	return nil
}

// nest is an output on its way out, and the data of it that is left.
type nest struct {
	*models.Tensor
	rest   []byte
	base64 bool
}

// appendNests adds the next value of each output, which leaves the first skip
// dimensions out.
func appendNests(dst []byte, nests []nest, skip int) (out []byte, err *Error) {
	if len(nests) == 1 {
		return nests[0].append(dst, nests[0].Shape[skip:])
	}
	dst = append(dst, '{')
	for i := range nests {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonwire.AppendString(dst, nests[i].Name), ':')
		if dst, err = nests[i].append(dst, nests[i].Shape[skip:]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// append adds a value of that shape, nested.
func (n *nest) append(dst []byte, shape []int64) (out []byte, err *Error) {
	if len(shape) == 0 {
		return n.elements(dst, 1)
	}
	dst = append(dst, '[')
	if len(shape) == 1 {
		dst, err = n.elements(dst, int(shape[0]))
		return append(dst, ']'), err
	}
	for i := range shape[0] {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = n.append(dst, shape[1:]); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// elements adds the next k elements.
func (n *nest) elements(dst []byte, k int) (out []byte, err *Error) {
	size := k * n.DType.Size()
	if n.DType == models.String {
		if n.base64 {
			return n.encoded(dst, k), nil
		}
		size = len(n.rest) - len(n.after(k))
	}
	dst, ok := appendElements(dst, n.DType, n.rest[:size])
	if n.rest = n.rest[size:]; !ok {
		return dst, unwritable(n.Tensor, "POST /v2/models/{model}/infer can give it as binary data")
	}
	return dst, nil
}

// after is what is left behind the next k strings.
func (n *nest) after(k int) []byte {
	rest := n.rest
	for range k {
		_, rest, _ = models.CutString(rest)
	}
	return rest
}

// encoded adds the next k strings in base64.
func (n *nest) encoded(dst []byte, k int) []byte {
	for i := range k {
		if i > 0 {
			dst = append(dst, ',')
		}
		var s []byte
		s, n.rest, _ = models.CutString(n.rest)
		dst = base64.StdEncoding.AppendEncode(append(dst, `{"b64":"`...), s)
		dst = append(dst, `"}`...)
	}
	return dst
}
