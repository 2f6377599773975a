package oipwire

import (
	"unsafe"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
)

// Decode reads Body as a request of the Open Inference Protocol. header is the
// length of its JSON, after which the binary tensors come; -1 where all of it is
// JSON. An error is an *Error; of the request only ID may then be used.
func (r *Request) Decode(header int) error {
	json := r.Body
	if header >= 0 {
		if header > len(json) {
			return &Error{Code: jsonscan.CodeBadRequest, Field: "Inference-Header-Content-Length",
				Message: "is " + itoa(header) + ", but the body has " + itoa(len(json)) + " bytes"}
		}
		json, r.binary = json[:header], json[header:]
	}
	r.begin(json)
	err := r.whole("inputs", r.object)
	if err == nil {
		err = r.checkBinary()
	}
	r.end()
	if err != nil {
		return err
	}
	return nil
}

// whole reads a body that is one object, which object reads; holding names what
// it must have.
func (r *Request) whole(holding string, object func(i int) (next int, err *Error)) *Error {
	i, err := r.scan.Start()
	if err != nil {
		return err
	}
	if r.scan.Body[i] != '{' {
		return r.refuse(i, nil, "the body must be a JSON object with ", holding)
	}
	if i, err = object(i); err != nil {
		return err
	}
	return r.scan.Finish(i)
}

// checkBinary refuses binary data that no input has asked for.
func (r *Request) checkBinary() *Error {
	if len(r.binary) > 0 {
		return &Error{Code: jsonscan.CodeBadRequest, Message: "the body has " + itoa(len(r.binary)) +
			" bytes more than its inputs' binary_data_size say", Offset: len(r.Body) - len(r.binary)}
	}
	return nil
}

// The members of the three kinds of object, as bits to know which were there.
const (
	memberID = 1 << iota
	memberParameters
	memberInputs
	memberOutputs
	memberIgnored
	memberName
	memberShape
	memberDatatype
	memberData
)

// requestMember finds a member of the request. The path names the model: that
// some clients repeat it in the body makes no difference.
func requestMember(name []byte) int {
	switch string(name) {
	case "id":
		return memberID
	case "parameters":
		return memberParameters
	case "inputs":
		return memberInputs
	case "outputs":
		return memberOutputs
	case "model_name", "model_version":
		return memberIgnored
	}
	return 0
}

// object reads the object at i that is the body.
func (r *Request) object(i int) (next int, err *Error) {
	start, seen := i, 0
	names := r.scan.OpenNames()
	i, more := r.scan.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = r.key(i, &names); err != nil {
			return i, err
		}
		m := requestMember(key)
		seen |= m
		switch m {
		case memberID:
			r.ID, i, err = r.id(i, key)
		case memberParameters:
			i, err = r.requestParameters(i, 1)
		case memberInputs:
			i, err = r.list(i, "inputs", r.input)
		case memberOutputs:
			i, err = r.list(i, "outputs", r.output)
		case memberIgnored:
			_, _, i, err = r.scan.Value(i, 1)
		default:
			err = r.refuse(at, key, "is not a member of an inference request; known are id, parameters, inputs and outputs")
		}
		if err != nil {
			return i, err
		}
		if i, more, err = r.scan.More(i, '}'); err != nil {
			return i, err
		}
	}
	r.scan.CloseNames(&names)
	if seen&memberInputs == 0 {
		return i, r.refuse(start, []byte("inputs"), "is required: a list of tensors, each with name, shape, datatype and data")
	}
	return i, nil
}

// key reads the name of a member and sees that it is there once.
func (r *Request) key(i int, names *jsonscan.Names) (key []byte, next int, err *Error) {
	at := i
	if key, i, err = r.scan.Key(i); err != nil {
		return nil, i, err
	}
	if !r.scan.AddName(names, key) {
		return nil, i, r.scan.Duplicate(at, key)
	}
	return key, i, nil
}

// list reads the array of objects at i, each with read.
func (r *Request) list(i int, section string, read func(i int) (int, *Error)) (next int, err *Error) {
	if r.at(i) != '[' {
		return i, r.refuse(i, []byte(section), "must be a list of objects")
	}
	r.section, r.index = section, 0
	i, more := r.scan.Open(i, ']')
	for more {
		switch {
		case r.index == maxTensors:
			return i, r.refuse(i, nil, "there are more than ", itoa(maxTensors))
		case r.at(i) != '{':
			return i, r.refuse(i, nil, "must be an object with a name")
		}
		if i, err = read(i); err != nil {
			return i, err
		}
		if i, more, err = r.scan.More(i, ']'); err != nil {
			return i, err
		}
		r.index++
	}
	r.section, r.index = "", -1
	return i, nil
}

// at is the byte at i; 0, which no value begins with, after the end.
func (r *Request) at(i int) byte {
	if i < len(r.scan.Body) {
		return r.scan.Body[i]
	}
	return 0
}

// text reads a member that is a string.
func (r *Request) text(i int, key []byte) (s []byte, next int, err *Error) {
	if r.at(i) != '"' {
		return nil, i, r.refuse(i, key, "must be a string")
	}
	return r.scan.Text(i + 1)
}

// name reads a tensor's name, without a copy.
func (r *Request) name(i int, key []byte) (s string, next int, err *Error) {
	b, i, err := r.text(i, key)
	if err == nil && len(b) == 0 {
		err = r.refuse(i, key, "is empty")
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), i, err
}

// id reads an identifier, which may become a part of a log line or a Redis key.
// An empty one counts as none.
func (r *Request) id(i int, key []byte) (id []byte, next int, err *Error) {
	at := i
	if id, i, err = r.text(i, key); err != nil {
		return nil, i, err
	}
	if len(id) > r.limits.IDBytes {
		return nil, i, r.refuse(at, key, "is ", itoa(len(id)), " bytes long; at most ", itoa(r.limits.IDBytes), " are accepted")
	}
	for _, c := range id {
		if c < ' ' || c == 0x7f {
			return nil, i, r.refuse(at, key, "must not hold control characters")
		}
	}
	return id, i, nil
}

// output reads the object at i that asks for an output.
func (r *Request) output(i int) (next int, err *Error) {
	start := i
	var o Output
	names := r.scan.OpenNames()
	i, more := r.scan.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = r.key(i, &names); err != nil {
			return i, err
		}
		switch string(key) {
		case "name":
			o.Name, i, err = r.name(i, key)
		case "parameters":
			i, err = r.outputParameters(i, &o)
		default:
			err = r.refuse(at, key, "is not a member of a requested output; known are name and parameters")
		}
		if err != nil {
			return i, err
		}
		if i, more, err = r.scan.More(i, '}'); err != nil {
			return i, err
		}
	}
	r.scan.CloseNames(&names)
	if o.Name == "" {
		return i, r.refuse(start, []byte("name"), "is required")
	}
	for j := range r.Outputs {
		if r.Outputs[j].Name == o.Name {
			return i, r.refuse(start, []byte("name"), `"`, jsonscan.Shown([]byte(o.Name)), `" is asked for twice`)
		}
	}
	r.Outputs = append(r.Outputs, o)
	return i, nil
}

// DecodeRaw takes all of Body as the data of a model's only input, of which shape
// is the shape with the batch dimension and -1 for sizes that vary. A batch is one
// row. A string is the whole body, without its length.
func (r *Request) DecodeRaw(name string, t models.DType, shape []int64, batched bool) error {
	tensor := models.Tensor{Name: name, DType: t, Data: r.Body}
	from := len(r.shapes)
	r.shapes = append(r.shapes, shape...)
	tensor.Shape = r.shapes[from:len(r.shapes):len(r.shapes)]
	if batched && len(tensor.Shape) > 0 {
		tensor.Shape[0] = 1
	}
	if t == models.String {
		r.data = models.AppendStringElement(r.data, unsafe.String(unsafe.SliceData(r.Body), len(r.Body)))
		tensor.Data = r.data
	}
	if message := fitVarying(tensor.Shape, t, len(r.Body)); message != "" {
		return &Error{Code: jsonscan.CodeBadRequest, Field: "inputs." + name, Message: message}
	}
	if err := tensor.CheckData(); err != nil {
		return &Error{Code: jsonscan.CodeBadRequest, Field: "inputs." + name, Message: err.Error()}
	}
	r.Inputs = append(r.Inputs, tensor)
	return nil
}

// fitVarying settles the one size that varies from the number of bytes.
func fitVarying(shape []int64, t models.DType, bytes int) (problem string) {
	varying, rest := -1, 1
	for i, d := range shape {
		if d >= 0 {
			rest *= int(d)
			continue
		}
		if varying >= 0 {
			return "has several sizes that vary: send the request with its JSON header (Inference-Header-Content-Length)"
		}
		varying = i
	}
	switch {
	case varying < 0:
	case t == models.String:
		shape[varying] = 1
	case rest == 0 || bytes%(rest*t.Size()) != 0:
		return "the body's " + itoa(bytes) + " bytes are no whole number of elements for shape " + models.ShapeText(shape)
	default:
		shape[varying] = int64(bytes / (rest * t.Size()))
	}
	return ""
}
