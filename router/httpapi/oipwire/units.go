package oipwire

import (
	"bytes"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
	"hotpath/router/oip"
)

// unit reads a parameter that brings what experiments look at beside the user; not
// known where it is another one.
func (r *Request) unit(i, depth int, key []byte) (next int, known bool, err *Error) {
	if name, ok := oip.EntityName(key); ok {
		i, err = r.entity(i, depth, key, name)
		return i, true, err
	}
	if name, ok := oip.AttributeName(key); ok {
		i, err = r.attribute(i, depth, key, name)
		return i, true, err
	}
	return i, false, nil
}

// entity reads an id: a string, or an integer, which is the same as its digits.
func (r *Request) entity(i, depth int, key, name []byte) (next int, err *Error) {
	at, v := i, models.Value{Key: name}
	if v.Raw, v.Kind, i, err = r.scan.Value(i, depth+1); err != nil {
		return i, err
	}
	switch {
	case v.Kind != models.KindString && v.Kind != models.KindNumber:
		return i, r.refuse(at, key, "must be a string or an integer, got ", v.Kind.String())
	case v.Kind == models.KindNumber && (bytes.ContainsAny(v.Raw, ".eE") || string(v.Raw) == "-0"):
		return i, r.refuse(at, key, "must be a string or an integer, got the number ", jsonscan.Shown(v.Raw))
	case len(v.Raw) == 0 || len(v.Raw) > r.limits.IDBytes:
		return i, r.refuse(at, key, "must be 1 to ", itoa(r.limits.IDBytes), " bytes long, got ", itoa(len(v.Raw)))
	}
	for _, c := range v.Raw {
		if c < ' ' || c == 0x7f {
			return i, r.refuse(at, key, "must not hold control characters")
		}
	}
	r.Entities, err = r.add(r.Entities, v, r.limits.Entities, at, key)
	return i, err
}

// attribute reads a scalar.
func (r *Request) attribute(i, depth int, key, name []byte) (next int, err *Error) {
	at, v := i, models.Value{Key: name}
	if v.Raw, v.Kind, i, err = r.scan.Value(i, depth+1); err != nil {
		return i, err
	}
	if v.Kind >= models.KindArray {
		return i, r.refuse(at, key, "must be a string, a number, a bool or null, got ", v.Kind.String())
	}
	r.Context, err = r.add(r.Context, v, r.limits.Context, at, key)
	return i, err
}

func (r *Request) add(to []models.Value, v models.Value, limit, at int, key []byte) ([]models.Value, *Error) {
	switch n := len(v.Key); {
	case n == 0 || n > r.limits.KeyBytes:
		return to, r.refuse(at, key, "is not a name: names are 1 to ", itoa(r.limits.KeyBytes), " bytes long after the dot, this one has ", itoa(n))
	case len(to) >= limit:
		return to, r.refuse(at, key, "is one parameter of its kind more than the ", itoa(limit), " that are accepted")
	}
	return append(to, v), nil
}
