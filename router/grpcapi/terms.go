package grpcapi

import (
	"context"
	"math"
	"time"

	"google.golang.org/grpc/metadata"

	"hotpath/router"
)

// readTerms fills in what a ModelInfer request asks for beside its tensors. start
// is when the server took it up.
//
// Of Triton's parameters priority is accepted and has no effect; those that it
// defines for sequences are refused where they ask for state. Those named entity. and
// context. bring what experiments look at. Parameters of other names are ignored, as
// the protocol wants.
func (a *api) readTerms(ctx context.Context, start time.Time, r *inferRequest, x *router.Exchange) *router.Error {
	if len(r.id) > maxID {
		return &router.Error{Code: router.BadRequest, Field: "id", Message: "must be at most 256 bytes long"}
	}
	x.Request.Model, x.Tensors.Version = r.model, r.version
	timeout, asked := a.options.DefaultDeadline, false
	for _, i := range r.own {
		p := &r.parameters[i]
		switch string(p.key) {
		case "user_id":
			if p.kind != parameterString || len(p.text) > maxID {
				return refuseParameter(p, "must be a string of at most 256 bytes")
			}
			x.Request.UserID = p.text
		case "timeout":
			us, ok := p.integer()
			if !ok {
				return refuseParameter(p, "must be a whole number of microseconds, 0 for none of its own")
			}
			if us > 0 {
				timeout, asked = time.Duration(min(us, math.MaxInt64/uint64(time.Microsecond)))*time.Microsecond, true
			}
		case "sequence_id", "sequence_start", "sequence_end":
			if p.isSet() {
				return refuseParameter(p, "asks for a sequence, for which the server would have to keep state; no model here has any")
			}
		default:
			if refusal := readUnit(p, &x.Request); refusal != nil {
				return refusal
			}
		}
	}
	if left, ok := timeLeft(ctx, start); ok && (!asked || left < timeout) {
		timeout = left
	}
	timeout = min(timeout, a.options.MaxDeadline)
	x.Until, x.Hurried = start.Add(timeout), timeout < a.options.DefaultDeadline
	return a.readMetadata(ctx, start, r, x)
}

// integer is the value of a parameter that counts something; false where it is of
// another type or negative.
func (p *parameter) integer() (uint64, bool) {
	switch p.kind {
	case parameterInt64:
		return p.number, int64(p.number) >= 0
	case parameterUint64:
		return p.number, true
	}
	return 0, false
}

// isSet is false for what says the same as no parameter: 0, false and "".
func (p *parameter) isSet() bool {
	if p.kind == parameterString {
		return len(p.text) > 0
	}
	return p.number != 0
}

func refuseParameter(p *parameter, message string) *router.Error {
	return &router.Error{Code: router.BadRequest, Field: "parameters." + shown(p.key), Message: message}
}

// requestIDKey is the metadata of a request's identifier, on both ways.
const requestIDKey = "x-request-id"

// readMetadata reads the request's identifier: that of the metadata, else that of
// the message, else one of our own. And the variant, where forcing one is allowed.
func (a *api) readMetadata(ctx context.Context, now time.Time, r *inferRequest, x *router.Exchange) (refusal *router.Error) {
	from := len(x.Request.Scratch)
	switch id := callerID(ctx); {
	case id != "":
		x.Request.Scratch = append(x.Request.Scratch, id...)
		x.Request.RequestID = x.Request.Scratch[from:]
	case len(r.id) > 0:
		x.Request.RequestID = r.id
	default:
		x.Request.Scratch = a.ids.Append(x.Request.Scratch)
		x.Request.RequestID = x.Request.Scratch[from:]
	}
	if a.options.ForcedHeader == "" {
		return nil
	}
	if v := metadata.ValueFromIncomingContext(ctx, a.forcedKey); len(v) > 0 && v[0] != "" {
		x.ForcedFrom = a.options.ForcedHeader
		x.Forced, refusal = a.options.Forcing.Read(x.ForcedFrom, []byte(v[0]), now)
	}
	return refusal
}

// maxID bounds the identifiers of a request and of its user, in bytes.
const maxID = 256

// callerID is the caller's identifier if it is fit to repeat, else empty.
func callerID(ctx context.Context) string {
	v := metadata.ValueFromIncomingContext(ctx, requestIDKey)
	if len(v) == 0 || len(v[0]) > maxID {
		return ""
	}
	for _, c := range []byte(v[0]) {
		if c < '!' || c > '~' {
			return ""
		}
	}
	return v[0]
}
