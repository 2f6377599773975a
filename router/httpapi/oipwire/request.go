package oipwire

import (
	"strconv"
	"strings"
	"time"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
)

// Limits bound what one request may hold. The size of the body is bounded by
// whoever reads it.
type Limits struct {
	// Depth is how many objects and arrays may be open at once.
	Depth int
	// IDBytes bounds id and user_id, in bytes.
	IDBytes int
	// Entities and Context bound the ids and the attributes that parameters bring,
	// KeyBytes their names, in bytes.
	Entities, Context, KeyBytes int
	// TensorBytes bounds the elements that JSON is decoded to, in bytes.
	TensorBytes int
}

// maxTensors bounds the inputs, and the outputs asked for, of one request.
const maxTensors = 1024

// CodeTooLarge, beside jsonscan's codes, is a request whose tensors are over the
// limit.
const CodeTooLarge = "body_too_large"

// Error is why a request was refused.
type Error = jsonscan.Error

// Request is one decoded request and the memory that it points into, which
// includes its body. It is the models.Owner of its tensors: Free empties it and
// gives it back to where it came from. Until then it has one user at a time.
type Request struct {
	// Body is the body as it came. It is set before decoding.
	Body []byte
	// ID is the caller's own identifier, UserID who the experiments assign; empty
	// when they were not sent.
	ID, UserID []byte
	// Entities and Context are further ids and attributes for the experiments.
	Entities, Context []models.Value
	// Timeout asked for by the parameter of that name; 0 for none.
	Timeout time.Duration
	// BinaryOutput says that outputs are to be binary where nothing else is said.
	BinaryOutput bool
	// Inputs in the order sent; their data is checked.
	Inputs []models.Tensor
	// Outputs asked for; empty for all of them.
	Outputs []Output
	// Rows says that a v1 request gave its inputs row by row, so that it is
	// answered in that form.
	Rows bool

	scan    jsonscan.Scanner
	limits  Limits
	release func()

	arena   []byte // strings that had escapes
	data    []byte // elements that came as JSON
	shapes  []int64
	columns []column // of a v1 request
	// columnBytes are the elements in columns.
	columnBytes int
	// Of the answer.
	selected []selected
	classes  []byte
	nests    []nest

	// section and index are the list and the element being read, for errors: ""
	// and -1 outside of one. binary is what is left after the JSON.
	section string
	index   int
	binary  []byte
}

// Output is one output asked for.
type Output struct {
	Name string
	// Binary says how it is to be sent; Default where the request as a whole says so.
	Binary Choice
	// Classes is the number of best classes wanted instead of the tensor; 0 for
	// the tensor.
	Classes int
}

// Choice is a bool that may not have been given.
type Choice uint8

// The choices.
const (
	Default Choice = iota
	Yes
	No
)

// NewRequest makes a Request; Free calls release when nothing uses it any more.
func NewRequest(l Limits, release func()) *Request {
	r := &Request{limits: l, release: release, index: -1}
	r.scan = jsonscan.New(jsonscan.Options{Depth: l.Depth, Path: r.path,
		NaNHint: "; send such values as binary data"})
	return r
}

// What Free keeps, so that a pool of them stays small: memory of a usual request,
// and of a large one where the body shows that such are sent.
const (
	keepBytes  = 1 << 20
	keepShapes = 4 << 10
)

// Free implements models.Owner.
func (r *Request) Free() {
	if Oversized(r.Body) {
		r.Body = nil
	}
	r.Body = r.Body[:0]
	r.ID, r.UserID, r.Timeout, r.BinaryOutput, r.Rows = nil, nil, 0, false, false
	clear(r.Entities)
	clear(r.Context)
	r.Entities, r.Context = r.Entities[:0], r.Context[:0]
	clear(r.Inputs)
	clear(r.Outputs)
	r.Inputs, r.Outputs = r.Inputs[:0], r.Outputs[:0]
	r.arena, r.data, r.classes = kept(r.arena), kept(r.data), kept(r.classes)
	if cap(r.shapes) > keepShapes {
		r.shapes = nil
	}
	r.shapes = r.shapes[:0]
	r.freeColumns()
	clear(r.selected)
	clear(r.nests)
	r.section, r.index, r.binary = "", -1, nil
	r.release()
}

// Oversized says that a buffer is large and holds little: small requests would
// otherwise keep the memory of large ones.
func Oversized(b []byte) bool { return cap(b) > keepBytes && cap(b) > 4*len(b) }

func kept(b []byte) []byte {
	if cap(b) > keepBytes {
		return nil
	}
	return b[:0]
}

// begin starts to read the JSON at the start of the body.
func (r *Request) begin(json []byte) { r.scan.Begin(json, r.arena) }

// end keeps the strings, which the request points into, and lets go of the rest.
func (r *Request) end() {
	r.arena = r.scan.Arena
	r.scan.End()
}

// path names a member of what is being read, for errors.
func (r *Request) path(key []byte) string {
	at := r.section
	if r.index >= 0 {
		at += "[" + strconv.Itoa(r.index) + "]"
	}
	switch {
	case key == nil:
		return at
	case at == "":
		return jsonscan.Shown(key)
	}
	return at + "." + jsonscan.Shown(key)
}

// refuse is the error of well-formed JSON that does not say what is wanted; key is
// the member at fault, or nil for what is being read.
func (r *Request) refuse(off int, key []byte, message ...string) *Error {
	return &Error{Code: jsonscan.CodeBadRequest, Field: r.path(key), Message: strings.Join(message, "") + jsonscan.AtByte(off), Offset: off}
}

func itoa(n int) string { return strconv.Itoa(n) }
