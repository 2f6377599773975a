package oipwire

import (
	"unsafe"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
)

// inputMember finds a member of an input.
func inputMember(name []byte) int {
	switch string(name) {
	case "name":
		return memberName
	case "shape":
		return memberShape
	case "datatype":
		return memberDatatype
	case "data":
		return memberData
	case "parameters":
		return memberParameters
	}
	return 0
}

// inputParts is an input being read. Its data can be read only once its type and
// shape are known: where it comes before them, it is passed over at first.
type inputParts struct {
	tensor models.Tensor
	seen   int
	dataAt int
	read   bool
	// binary is binary_data_size; -1 without one.
	binary int
}

// input reads the object at i that is an input.
func (r *Request) input(i int) (next int, err *Error) {
	start := i
	p := inputParts{binary: -1}
	names := r.scan.OpenNames()
	i, more := r.scan.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = r.key(i, &names); err != nil {
			return i, err
		}
		m := inputMember(key)
		if m == 0 {
			return i, r.refuse(at, key, "is not a member of an input; known are name, shape, datatype, parameters and data")
		}
		p.seen |= m
		if i, err = r.inputMember(m, i, key, &p); err != nil {
			return i, err
		}
		if i, more, err = r.scan.More(i, '}'); err != nil {
			return i, err
		}
	}
	r.scan.CloseNames(&names)
	if err := r.finishInput(start, &p); err != nil {
		return i, err
	}
	r.Inputs = append(r.Inputs, p.tensor)
	return i, nil
}

const typeAndShape = memberShape | memberDatatype

// inputMember reads the value of one member.
func (r *Request) inputMember(m, i int, key []byte, p *inputParts) (next int, err *Error) {
	switch m {
	case memberName:
		p.tensor.Name, i, err = r.name(i, key)
	case memberShape:
		p.tensor.Shape, i, err = r.shape(i, key)
	case memberDatatype:
		p.tensor.DType, i, err = r.datatype(i, key)
	case memberParameters:
		i, err = r.inputParameters(i, p)
	case memberData:
		p.dataAt = i
		if p.seen&typeAndShape != typeAndShape {
			_, _, i, err = r.scan.Value(i, 3)
			break
		}
		p.read = true
		i, err = r.elements(i, &p.tensor)
	}
	return i, err
}

// finishInput sees that everything is there, and gets the data that was not read
// on the way.
func (r *Request) finishInput(start int, p *inputParts) *Error {
	for _, m := range []struct {
		bit  int
		name string
	}{{memberName, "name"}, {memberDatatype, "datatype"}, {memberShape, "shape"}} {
		if p.seen&m.bit == 0 {
			return r.refuse(start, []byte(m.name), "is required")
		}
	}
	hasData := p.seen&memberData != 0
	switch {
	case hasData && p.binary >= 0:
		return r.refuse(p.dataAt, []byte("data"), "is given beside parameters.binary_data_size: send one of the two")
	case p.binary >= 0:
		return r.binaryData(start, p)
	case !hasData:
		return r.refuse(start, []byte("data"), "is required, unless parameters.binary_data_size says that it comes as binary data")
	case !p.read:
		_, err := r.elements(p.dataAt, &p.tensor)
		return err
	}
	return nil
}

// binaryData takes the tensor's data off what follows the JSON.
func (r *Request) binaryData(start int, p *inputParts) *Error {
	if p.binary > len(r.binary) {
		return r.refuse(start, []byte("parameters.binary_data_size"), "is ", itoa(p.binary), ", but only ", itoa(len(r.binary)),
			" bytes are left after the JSON header (Inference-Header-Content-Length) and the inputs before")
	}
	p.tensor.Data = r.binary[:p.binary:p.binary]
	r.binary = r.binary[p.binary:]
	if err := p.tensor.CheckData(); err != nil {
		return r.refuse(start, nil, err.Error())
	}
	return nil
}

// datatype reads a member that names an element type.
func (r *Request) datatype(i int, key []byte) (t models.DType, next int, err *Error) {
	at := i
	b, i, err := r.text(i, key)
	if err != nil {
		return t, i, err
	}
	t, bad := models.ParseDType(unsafe.String(unsafe.SliceData(b), len(b)))
	if bad != nil {
		err = r.refuse(at, key, `"`, jsonscan.Shown(b), `" is no type; known are BOOL, INT8 to INT64, UINT8 to UINT64, FP16, BF16, FP32, FP64 and BYTES`)
	}
	return t, i, err
}

// shape reads a member that is a list of sizes.
func (r *Request) shape(i int, key []byte) (shape []int64, next int, err *Error) {
	start := i
	if r.at(i) != '[' {
		return nil, i, r.refuse(i, key, "must be a list of sizes, such as [1,10]")
	}
	from := len(r.shapes)
	i, more := r.scan.Open(i, ']')
	for more {
		var n int64
		if n, i, err = r.size(i, key); err != nil {
			return nil, i, err
		}
		if len(r.shapes)-from == models.MaxTensorRank {
			return nil, i, r.refuse(start, key, "has more than ", itoa(models.MaxTensorRank), " dimensions")
		}
		r.shapes = append(r.shapes, n)
		if i, more, err = r.scan.More(i, ']'); err != nil {
			return nil, i, err
		}
	}
	shape = r.shapes[from:len(r.shapes):len(r.shapes)]
	if _, ok := models.Elements(shape); !ok {
		return nil, i, r.refuse(start, key, models.ShapeText(shape), " is not a size that can be sent")
	}
	return shape, i, nil
}

// maxSize bounds a number that counts bytes or elements.
const maxSize = 1 << 48

// size reads a number of bytes or elements.
func (r *Request) size(i int, key []byte) (n int64, next int, err *Error) {
	x, expected := scanNumber(r.scan.Body, i)
	switch {
	case r.at(i) != '-' && r.at(i)-'0' > 9:
		return 0, i, r.refuse(i, key, "must be a whole number")
	case expected != "":
		return 0, i, r.scan.Syntax(x.end, expected)
	case !x.integer || !x.exact || x.negative && x.mantissa != 0 || x.mantissa > maxSize:
		return 0, i, r.refuse(i, key, "must be a whole number, 0 or more, got ", jsonscan.Shown(r.scan.Body[i:x.end]))
	}
	return int64(x.mantissa), x.end, nil
}
