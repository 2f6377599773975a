package jsonwire

import (
	"hotpath/models"
	"hotpath/router"
)

// DecodeFlag reads the body of an evaluation of the OpenFeature Remote Evaluation
// Protocol into req, which it resets first: the context's targetingKey is the user,
// its other members are attributes. Those inside of objects are named by their path,
// with dots; lists are passed over, since no condition looks at one. So are members
// beside the context, which later versions of the protocol may have. Errors are
// Decode's: a context that cannot be used is CodeBadRequest.
func (d *Decoder) DecodeFlag(body []byte, req *router.Request) error {
	req.Reset()
	d.begin(body, req.Scratch)
	err := d.body(func(i int) (int, *Error) { return d.flag(i, req) })
	req.Scratch = d.Arena
	d.end()
	if err != nil {
		return err
	}
	return nil
}

// flag reads the object at i that is the body.
func (d *Decoder) flag(i int, req *router.Request) (next int, err *Error) {
	names := d.OpenNames()
	i, more := d.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = d.Key(i); err != nil {
			return i, err
		}
		if !d.AddName(&names, key) {
			return i, d.Duplicate(at, key)
		}
		if string(key) == "context" {
			i, err = d.flagContext(i, req)
		} else {
			_, _, i, err = d.Value(i, 1)
		}
		if err != nil {
			return i, err
		}
		if i, more, err = d.More(i, '}'); err != nil {
			return i, err
		}
	}
	d.CloseNames(&names)
	return i, nil
}

func (d *Decoder) flagContext(i int, req *router.Request) (next int, err *Error) {
	if i < len(d.Body) && d.Body[i] == '{' {
		d.section = "context"
		i, err = d.flagAttributes(i, 1, nil, req)
		d.section = ""
		return i, err
	}
	at := i
	_, kind, i, err := d.Value(i, 1)
	if err == nil {
		d.refuse(at, []byte("context"), "must be an object, got ", kind.String())
	}
	return i, err
}

// flagAttributes reads the object at i, whose path within the context is prefix; nil
// for the context itself.
func (d *Decoder) flagAttributes(i, depth int, prefix []byte, req *router.Request) (next int, err *Error) {
	if depth >= d.limits.Depth {
		return i, d.TooDeep(i)
	}
	names := d.OpenNames()
	i, more := d.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = d.Key(i); err != nil {
			return i, err
		}
		if !d.AddName(&names, key) {
			return i, d.Duplicate(at, key)
		}
		if prefix == nil && string(key) == "targetingKey" {
			i, err = d.targetingKey(i, depth+1, key, req)
		} else {
			i, err = d.flagAttribute(at, i, depth, d.join(prefix, key), req)
		}
		if err != nil {
			return i, err
		}
		if i, more, err = d.More(i, '}'); err != nil {
			return i, err
		}
	}
	d.CloseNames(&names)
	return i, nil
}

// flagAttribute reads the value at i of the attribute of that path, whose name
// stands at at.
func (d *Decoder) flagAttribute(at, i, depth int, path []byte, req *router.Request) (next int, err *Error) {
	if i < len(d.Body) && d.Body[i] == '{' {
		return d.flagAttributes(i, depth+1, path, req)
	}
	v, valueAt := models.Value{Key: path}, i
	if v.Raw, v.Kind, i, err = d.Value(i, depth+1); err != nil || v.Kind == models.KindArray {
		return i, err
	}
	if d.fault == nil {
		d.checkMember(at, valueAt, &v, d.limits.Context, len(req.Context))
		req.Context = append(req.Context, v)
	}
	return i, nil
}

// targetingKey reads who is asked about. An empty one is none.
func (d *Decoder) targetingKey(i, depth int, key []byte, req *router.Request) (next int, err *Error) {
	if len(d.Body)-i >= 2 && d.Body[i] == '"' && d.Body[i+1] == '"' {
		return i + 2, nil
	}
	req.UserID, i, err = d.id(i, depth, key)
	return i, err
}

// join is the path of a member.
func (d *Decoder) join(prefix, key []byte) []byte {
	if prefix == nil {
		return key
	}
	from := len(d.Arena)
	d.Arena = append(append(append(d.Arena, prefix...), '.'), key...)
	return d.Arena[from:len(d.Arena):len(d.Arena)]
}
