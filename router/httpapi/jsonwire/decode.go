package jsonwire

import (
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/httpapi/jsonscan"
)

// Decoder reads requests. It keeps working memory between them and serves one
// goroutine at a time: keep Decoders in a pool.
type Decoder struct {
	jsonscan.Scanner
	limits Limits
	// section is the object whose members are being read, for errors: "" or
	// "features" and its like.
	section string
	// index is the instance of a batch being read; -1 outside of one.
	index int
	// fault is the first thing wrong with the request being read, other than
	// its syntax.
	fault *Error
}

// NewDecoder makes a Decoder. Limits are taken as they are: see Limits.Validate.
func NewDecoder(l Limits) *Decoder {
	d := &Decoder{limits: l}
	d.Scanner = jsonscan.New(jsonscan.Options{Depth: l.Depth, Path: d.path, NaNHint: "; leave an unknown feature out"})
	return d
}

// Decode reads the body of POST /predict into req, which it resets first. The
// request's bytes point into body or into req.Scratch. An error is an *Error:
// CodeBadJSON for every body that is not JSON, CodeBadRequest for the first
// mistake in one that is. Of req only RequestID may then be used; it is set if
// it was read and is a good one.
func (d *Decoder) Decode(body []byte, req *router.Request) error {
	req.Reset()
	d.begin(body, req.Scratch)
	err := d.body(func(i int) (int, *Error) { return d.request(i, 0, req) })
	req.Scratch = d.Arena
	d.end()
	if err != nil {
		return err
	}
	return nil
}

func (d *Decoder) begin(body, arena []byte) {
	d.Begin(body, arena)
	d.section, d.index, d.fault = "", -1, nil
}

func (d *Decoder) end() {
	d.fault = nil
	d.End()
}

// start finds the object that is the body. Where another kind of value is, it
// notes that and gives the index after it.
func (d *Decoder) start() (int, *Error) {
	i, err := d.Start()
	if err != nil || d.Body[i] == '{' {
		return i, err
	}
	_, kind, next, err := d.Value(i, 0)
	if err == nil {
		d.refuse(i, nil, "the body must be a JSON object, got ", kind.String())
	}
	return next, err
}

// The members of a request, as bits to know which ones were there.
const (
	memberUserID = 1 << iota
	memberModel
	memberRequestID
	memberFeatures
	memberEntities
	memberContext
	memberInstances
)

const requestMembers = "user_id, model, request_id, features, entities, context"

func requestMember(name []byte) int {
	switch string(name) {
	case "user_id":
		return memberUserID
	case "model":
		return memberModel
	case "request_id":
		return memberRequestID
	case "features":
		return memberFeatures
	case "entities":
		return memberEntities
	case "context":
		return memberContext
	}
	return 0
}

// request reads the object at i, which lies depth objects and arrays deep.
func (d *Decoder) request(i, depth int, req *router.Request) (next int, err *Error) {
	start, seen := i, 0
	unknown := d.OpenNames()
	i, more := d.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = d.Key(i); err != nil {
			return i, err
		}
		m := requestMember(key)
		if m == 0 {
			if i, err = d.unknown(at, i, depth, key, &unknown, requestMembers); err != nil {
				return i, err
			}
		} else if seen&m != 0 {
			return i, d.Duplicate(at, key)
		} else if i, err = d.member(m, i, depth+1, key, req); err != nil {
			return i, err
		}
		seen |= m
		if i, more, err = d.More(i, '}'); err != nil {
			return i, err
		}
	}
	d.CloseNames(&unknown)
	if seen&memberUserID == 0 {
		d.refuse(start, []byte("user_id"), `is required: a string, such as "user_id":"u1"`)
	}
	return i, nil
}

// member reads the value of one known member.
func (d *Decoder) member(m, i, depth int, key []byte, req *router.Request) (next int, err *Error) {
	switch m {
	case memberUserID:
		req.UserID, i, err = d.id(i, depth, key)
	case memberModel:
		req.Model, i, err = d.id(i, depth, key)
	case memberRequestID:
		req.RequestID, i, err = d.requestID(i, depth, key)
	case memberFeatures:
		req.Features, i, err = d.members(i, depth, "features", d.limits.Features, req.Features)
	case memberEntities:
		req.Entities, i, err = d.members(i, depth, "entities", d.limits.Entities, req.Entities)
	case memberContext:
		req.Context, i, err = d.members(i, depth, "context", d.limits.Context, req.Context)
	}
	return i, err
}

// unknown refuses a member that the API does not know, and checks that its name
// is there once.
func (d *Decoder) unknown(at, i, depth int, key []byte, n *jsonscan.Names, known string) (next int, err *Error) {
	if d.fault == nil {
		hint := "known are " + known
		if s := nearest(key, known); s != "" {
			hint = `did you mean "` + s + `"?`
		}
		d.refuse(at, key, "is not a member of this request; ", hint)
	}
	if !d.AddName(n, key) {
		return i, d.Duplicate(at, key)
	}
	_, _, i, err = d.Value(i, depth+1)
	return i, err
}

// id reads a member that is a string fit for an id; nil when it is refused.
func (d *Decoder) id(i, depth int, key []byte) (id []byte, next int, err *Error) {
	at := i
	id, kind, i, err := d.Value(i, depth)
	switch {
	case err != nil:
	case kind != models.KindString:
		d.refuse(at, key, "must be a string, got ", kind.String(), stringHint(kind))
		return nil, i, nil
	default:
		if problem := d.idProblem(id); problem != "" {
			d.refuse(at, key, problem)
			return nil, i, nil
		}
	}
	return id, i, err
}

// requestID reads an id that is also fit for a header and a log line.
func (d *Decoder) requestID(i, depth int, key []byte) (id []byte, next int, err *Error) {
	at := i
	id, i, err = d.id(i, depth, key)
	for _, c := range id {
		if c <= ' ' || c > '~' {
			d.refuse(at, key, "must be visible ASCII characters without spaces")
			return nil, i, nil
		}
	}
	return id, i, err
}

func stringHint(k models.Kind) string {
	switch k {
	case models.KindNumber, models.KindBool:
		return ": write it as a string, in double quotes"
	case models.KindNull:
		return ": leave it out instead"
	}
	return ""
}

// idProblem says what is wrong with an id: ids become parts of Redis keys and
// of log lines.
func (d *Decoder) idProblem(id []byte) string {
	if len(id) == 0 || len(id) > d.limits.IDBytes {
		return "must be 1 to " + itoa(d.limits.IDBytes) + " bytes long, got " + itoa(len(id))
	}
	for _, c := range id {
		if c < ' ' || c == 0x7f {
			return "must not hold control characters"
		}
	}
	return ""
}
