package oipwire

import (
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
	"hotpath/router/httpapi/jsonwire"
	"hotpath/router/oip"
)

// CodeInternal, beside jsonscan's codes, is an answer that cannot be written in
// the form asked for.
const CodeInternal = "internal"

// Answer is what an answer says beside its tensors.
type Answer struct {
	ID      []byte // left out when empty
	Model   string
	Version int
	// Experiment, Variant and Reason tell an assignment; left out without one.
	Experiment, Variant, Reason string
	// Payload is the JSON value that the variant hands out; left out when empty.
	Payload []byte
	// Degraded names the fallbacks; left out when empty.
	Degraded []byte
	// Signature and Outputs are the model's, in its order.
	Signature *models.Signature
	Outputs   []models.Tensor
}

// selected is an output on its way out.
type selected struct {
	models.Tensor
	binary bool
}

// AppendAnswer adds the answer to the request: JSON and then, where outputs are
// binary, their data. header is the length of the JSON, -1 where there is nothing
// else. The error is an *Error.
func (r *Request) AppendAnswer(dst []byte, a *Answer) (out []byte, header int, err error) {
	if err := r.choose(a); err != nil {
		return dst, 0, err
	}
	from := len(dst)
	dst = append(dst, '{')
	if len(a.ID) > 0 {
		dst = append(jsonwire.AppendBytes(append(dst, `"id":`...), a.ID), ',')
	}
	dst = jsonwire.AppendString(append(dst, `"model_name":`...), a.Model)
	dst = strconv.AppendInt(append(dst, `,"model_version":"`...), int64(a.Version), 10)
	dst = append(dst, '"')
	dst = a.appendParameters(dst)
	dst = append(dst, `,"outputs":[`...)
	header = -1
	for i := range r.selected {
		if i > 0 {
			dst = append(dst, ',')
		}
		if r.selected[i].binary {
			header = 0
		}
		var bad *Error
		if dst, bad = r.selected[i].append(dst); bad != nil {
			return dst, 0, bad
		}
	}
	dst = append(dst, "]}"...)
	if header < 0 {
		return dst, header, nil
	}
	header = len(dst) - from
	for i := range r.selected {
		if r.selected[i].binary {
			dst = append(dst, r.selected[i].Data...)
		}
	}
	return dst, header, nil
}

func (a *Answer) appendParameters(dst []byte) []byte {
	start := len(dst)
	add := func(name, value string) {
		lead := byte(',')
		if len(dst) == start {
			dst, lead = append(dst, `,"parameters":`...), '{'
		}
		dst = jsonwire.AppendString(append(jsonwire.AppendString(append(dst, lead), name), ':'), value)
	}
	if a.Experiment != "" {
		add("experiment", a.Experiment)
		add("variant", a.Variant)
		add("reason", a.Reason)
	}
	if len(a.Payload) > 0 {
		add("payload", unsafe.String(unsafe.SliceData(a.Payload), len(a.Payload)))
	}
	if len(a.Degraded) > 0 {
		add("degraded", unsafe.String(unsafe.SliceData(a.Degraded), len(a.Degraded)))
	}
	if len(dst) > start {
		dst = append(dst, '}')
	}
	return dst
}

// choose finds the outputs that were asked for, and turns those into classes that
// are wanted as such.
func (r *Request) choose(a *Answer) error {
	r.selected, r.classes = r.selected[:0], r.classes[:0]
	if len(r.Outputs) == 0 {
		for i := range a.Outputs {
			r.selected = append(r.selected, selected{a.Outputs[i], r.BinaryOutput})
		}
		return nil
	}
	for i := range r.Outputs {
		o := &r.Outputs[i]
		s := selected{binary: o.Binary == Yes || o.Binary == Default && r.BinaryOutput}
		found := false
		for j := range a.Outputs {
			if found = a.Outputs[j].Name == o.Name; found {
				s.Tensor = a.Outputs[j]
				break
			}
		}
		if !found {
			return &Error{Code: jsonscan.CodeBadRequest, Field: "outputs." + jsonscan.Shown([]byte(o.Name)),
				Message: "the model has no such output; it has " + outputNames(a.Outputs)}
		}
		if o.Classes > 0 {
			if err := r.classify(&s.Tensor, a.Signature.Batched, o.Classes); err != nil {
				return &Error{Code: jsonscan.CodeBadRequest, Field: "outputs." + o.Name, Message: err.Error()}
			}
		}
		r.selected = append(r.selected, s)
	}
	return nil
}

// classify replaces a tensor by its n best classes.
func (r *Request) classify(t *models.Tensor, batched bool, n int) (err error) {
	from := len(r.classes)
	if r.classes, t.Shape, err = oip.AppendClasses(r.classes, t, batched, n); err != nil {
		return err
	}
	t.DType, t.Data = models.String, r.classes[from:len(r.classes):len(r.classes)]
	return nil
}

func outputNames(outputs []models.Tensor) string {
	names := make([]string, len(outputs))
	for i := range outputs {
		names[i] = outputs[i].Name
	}
	return strings.Join(names, ", ")
}

// append adds the JSON of one output.
func (s *selected) append(dst []byte) ([]byte, *Error) {
	dst = jsonwire.AppendString(append(dst, `{"name":`...), s.Name)
	dst = append(append(append(dst, `,"datatype":"`...), s.DType.String()...), `","shape":[`...)
	for i, d := range s.Shape {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, d, 10)
	}
	if s.binary {
		dst = strconv.AppendInt(append(dst, `],"parameters":{"binary_data_size":`...), int64(len(s.Data)), 10)
		return append(dst, "}}"...), nil
	}
	dst, ok := appendElements(append(dst, `],"data":[`...), s.DType, s.Data)
	if !ok {
		return dst, unwritable(&s.Tensor, `ask for it as binary data: parameters {"binary_data":true} of the output`)
	}
	return append(dst, "]}"...), nil
}

// unwritable is the error of an output that JSON cannot carry.
func unwritable(t *models.Tensor, instead string) *Error {
	what := "holds a NaN or an infinity"
	if t.DType == models.String {
		what = "holds a string that is not UTF-8"
	}
	return &Error{Code: CodeInternal, Field: "outputs." + t.Name, Message: what + ", which JSON cannot carry; " + instead}
}

// appendElements adds elements with commas between them; false where JSON cannot
// carry one.
func appendElements(dst []byte, t models.DType, data []byte) ([]byte, bool) {
	if t != models.String {
		return jsonwire.AppendElements(dst, t, data)
	}
	for first := true; len(data) > 0; first = false {
		s, rest, _ := models.CutString(data)
		if !utf8.Valid(s) {
			return dst, false
		}
		if !first {
			dst = append(dst, ',')
		}
		dst, data = jsonwire.AppendBytes(dst, s), rest
	}
	return dst, true
}
