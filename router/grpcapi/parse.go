package grpcapi

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"hotpath/models"
	"hotpath/router"
)

// The bounds of one request, so that a few bytes on the wire cannot become much
// memory here.
const (
	maxTensors    = 1024 // inputs, outputs and raw contents, each
	maxParameters = 1024 // of the request and of all its tensors
)

// inferRequest is a ModelInferRequest. Its slices point into the message, except
// for contents that were sent in several pieces.
type inferRequest struct {
	model, version, id []byte
	// parameters of the request, then of each tensor: spans name their ranges.
	parameters []parameter
	own        []int // indexes of the request's own parameters
	inputs     []inputTensor
	outputs    []wantedOutput
	raw        [][]byte
	shapes     []int64 // memory of the inputs' shapes
}

// span is a range of a slice of the request.
type span struct{ from, to int }

type inputTensor struct {
	name, datatype []byte
	shape          span
	parameters     span
	// contents is an InferTensorContents; nil where the field is not set.
	contents []byte
}

type wantedOutput struct {
	name       []byte
	parameters span
}

// parameter is an entry of a parameters map.
type parameter struct {
	key  []byte
	kind parameterKind
	// number holds a bool, an integer, or the bits of a double.
	number uint64
	text   []byte
}

// parameterKind is which field of InferParameter is set.
type parameterKind uint8

const (
	parameterNone parameterKind = iota
	parameterBool
	parameterInt64
	parameterString
	parameterDouble
	parameterUint64
)

var (
	errMalformed = &router.Error{Code: router.BadRequest, Message: "the message is not a well-formed protobuf message of its type"}
	errTooMany   = &router.Error{Code: router.BadRequest,
		Message: "the request has too many parts: at most 1024 inputs, 1024 outputs and 1024 parameters are accepted"}
	errRank = &router.Error{Code: router.BadRequest, Field: "inputs", Message: "an input has more than 32 dimensions"}
)

// reset empties the request and keeps its memory.
func (r *inferRequest) reset() {
	r.model, r.version, r.id = nil, nil, nil
	clear(r.parameters)
	clear(r.inputs)
	clear(r.outputs)
	clear(r.raw)
	r.parameters, r.own, r.inputs, r.outputs, r.raw, r.shapes =
		r.parameters[:0], r.own[:0], r.inputs[:0], r.outputs[:0], r.raw[:0], r.shapes[:0]
}

// parse finds the fields of a ModelInferRequest. It accepts exactly what the
// protobuf library accepts, within the bounds above.
func (r *inferRequest) parse(b []byte) *router.Error {
	for len(b) > 0 {
		f, rest, ok := cutField(b)
		if !ok {
			return errMalformed
		}
		b = rest
		var err *router.Error
		switch f.key {
		case 1<<3 | wireBytes:
			err = setText(&r.model, f.bytes)
		case 2<<3 | wireBytes:
			err = setText(&r.version, f.bytes)
		case 3<<3 | wireBytes:
			err = setText(&r.id, f.bytes)
		case 4<<3 | wireBytes:
			r.own = append(r.own, len(r.parameters))
			err = r.parseParameter(f.bytes)
		case 5<<3 | wireBytes:
			err = r.parseInput(f.bytes)
		case 6<<3 | wireBytes:
			err = r.parseOutput(f.bytes)
		case 7<<3 | wireBytes:
			r.raw = append(r.raw, f.bytes)
		}
		if err != nil {
			return err
		}
		if max(len(r.inputs), len(r.outputs), len(r.raw)) > maxTensors || len(r.parameters) > maxParameters {
			return errTooMany
		}
	}
	return nil
}

// setText sets a string field: the last one sent counts, and all are UTF-8.
func setText(to *[]byte, text []byte) *router.Error {
	if !utf8.Valid(text) {
		return errMalformed
	}
	*to = text
	return nil
}

func (r *inferRequest) parseInput(b []byte) *router.Error {
	r.inputs = append(r.inputs, inputTensor{})
	in := &r.inputs[len(r.inputs)-1]
	in.shape.from, in.parameters.from = len(r.shapes), len(r.parameters)
	for len(b) > 0 {
		f, rest, ok := cutField(b)
		if !ok {
			return errMalformed
		}
		b = rest
		var err *router.Error
		switch f.key {
		case 1<<3 | wireBytes:
			err = setText(&in.name, f.bytes)
		case 2<<3 | wireBytes:
			err = setText(&in.datatype, f.bytes)
		case 3<<3 | wireVarint:
			r.shapes = append(r.shapes, int64(f.number))
		case 3<<3 | wireBytes:
			err = r.parseShape(f.bytes)
		case 4<<3 | wireBytes:
			err = r.parseParameter(f.bytes)
		case 5<<3 | wireBytes:
			in.addContents(f.bytes)
		}
		if err != nil {
			return err
		}
		if len(r.shapes)-in.shape.from > models.MaxTensorRank {
			return errRank
		}
		if len(r.parameters) > maxParameters {
			return errTooMany
		}
	}
	in.shape.to, in.parameters.to = len(r.shapes), len(r.parameters)
	return checkContents(in.contents)
}

func (r *inferRequest) parseShape(b []byte) *router.Error {
	for n := 0; len(b) > 0; n++ {
		v, used := protowire.ConsumeVarint(b)
		if used < 0 {
			return errMalformed
		}
		if n > models.MaxTensorRank {
			return errRank
		}
		r.shapes = append(r.shapes, int64(v))
		b = b[used:]
	}
	return nil
}

// addContents sets the contents. Sent in several pieces they are merged, which for
// a message on the wire is to put the pieces one behind the other.
func (in *inputTensor) addContents(b []byte) {
	if in.contents == nil {
		in.contents = b[:len(b):len(b)]
		return
	}
	in.contents = append(in.contents, b...)
}

func (r *inferRequest) parseOutput(b []byte) *router.Error {
	r.outputs = append(r.outputs, wantedOutput{})
	out := &r.outputs[len(r.outputs)-1]
	out.parameters.from = len(r.parameters)
	for len(b) > 0 {
		f, rest, ok := cutField(b)
		if !ok {
			return errMalformed
		}
		b = rest
		var err *router.Error
		switch f.key {
		case 1<<3 | wireBytes:
			err = setText(&out.name, f.bytes)
		case 2<<3 | wireBytes:
			err = r.parseParameter(f.bytes)
		}
		if err != nil {
			return err
		}
		if len(r.parameters) > maxParameters {
			return errTooMany
		}
	}
	out.parameters.to = len(r.parameters)
	return nil
}

// parseParameter adds an entry of a parameters map.
func (r *inferRequest) parseParameter(b []byte) *router.Error {
	r.parameters = append(r.parameters, parameter{})
	p := &r.parameters[len(r.parameters)-1]
	for len(b) > 0 {
		f, rest, ok := cutField(b)
		if !ok {
			return errMalformed
		}
		b = rest
		var err *router.Error
		switch f.key {
		case 1<<3 | wireBytes:
			err = setText(&p.key, f.bytes)
		case 2<<3 | wireBytes:
			err = p.parseValue(f.bytes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseValue reads an InferParameter; of a oneof the last field sent counts.
func (p *parameter) parseValue(b []byte) *router.Error {
	for len(b) > 0 {
		f, rest, ok := cutField(b)
		if !ok {
			return errMalformed
		}
		b = rest
		switch f.key {
		case 1<<3 | wireVarint:
			p.kind, p.number = parameterBool, min(f.number, 1)
		case 2<<3 | wireVarint:
			p.kind, p.number = parameterInt64, f.number
		case 3<<3 | wireBytes:
			p.kind = parameterString
			if err := setText(&p.text, f.bytes); err != nil {
				return err
			}
		case 4<<3 | wireFixed64:
			p.kind, p.number = parameterDouble, f.number
		case 5<<3 | wireVarint:
			p.kind, p.number = parameterUint64, f.number
		}
	}
	return nil
}
