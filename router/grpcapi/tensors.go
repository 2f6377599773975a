package grpcapi

import (
	"fmt"
	"strconv"

	"hotpath/models"
	"hotpath/router"
)

// tensors adds the request's inputs to dst, each with its data checked against its
// type and shape. limit bounds what contents may become, in bytes.
func (m *message) tensors(dst []models.Tensor, limit int) ([]models.Tensor, *router.Error) {
	r := &m.request
	if len(r.raw) > 0 && len(r.raw) != len(r.inputs) {
		return dst, &router.Error{Code: router.BadRequest, Field: "raw_input_contents",
			Message: "holds the data of " + strconv.Itoa(len(r.raw)) + " inputs where inputs names " + strconv.Itoa(len(r.inputs))}
	}
	for i := range r.inputs {
		in := &r.inputs[i]
		t := models.Tensor{Name: m.name(i, in.name), Shape: r.shapes[in.shape.from:in.shape.to:in.shape.to]}
		message := ""
		if t.DType = dtypeOf(in.datatype); t.DType == models.Invalid {
			message = fmt.Sprintf("datatype %.32q is not one of the protocol's, such as FP32, INT64 and BYTES", in.datatype)
		} else if r.find(in.parameters, "shared_memory_region") != nil {
			message = "names a shared memory region; this server has no shared memory, so the data must come with the request"
		} else if message = m.data(i, &t, limit); message == "" {
			if err := t.CheckData(); err != nil {
				message = err.Error()
			}
		}
		if message != "" {
			return dst, &router.Error{Code: router.BadRequest, Field: "inputs." + shown(in.name), Message: message}
		}
		dst = append(dst, t)
	}
	m.count(len(m.typed))
	return dst, nil
}

// data gives a tensor the data of the i-th input. The message says what is wrong.
func (m *message) data(i int, t *models.Tensor, limit int) (message string) {
	in := &m.request.inputs[i]
	switch {
	case len(m.request.raw) == 0:
		from := len(m.typed)
		m.typed, message = appendContents(m.typed, in.contents, t.DType, limit-from)
		t.Data = m.typed[from:len(m.typed):len(m.typed)]
	case len(in.contents) > 0:
		return "has contents, but the request also has raw_input_contents, which hold the data of every input; send one of the two"
	default:
		t.Data = m.request.raw[i]
	}
	return message
}

// find is the last parameter of a name in a tensor's parameters; nil for none.
func (r *inferRequest) find(in span, key string) *parameter {
	for i := in.to - 1; i >= in.from; i-- {
		if string(r.parameters[i].key) == key {
			return &r.parameters[i]
		}
	}
	return nil
}

// dtypeOf is the type of a protocol name; Invalid for none.
func dtypeOf(name []byte) models.DType {
	for d := models.Bool; d <= models.String; d++ {
		if d.String() == string(name) {
			return d
		}
	}
	return models.Invalid
}

// maxShown is how much of a name from a request an error repeats, in bytes.
const maxShown = 64

// shown is a name as an error repeats it.
func shown(name []byte) string {
	if len(name) > maxShown {
		return string(name[:maxShown]) + "..."
	}
	return string(name)
}
