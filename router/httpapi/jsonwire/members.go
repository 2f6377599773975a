package jsonwire

import (
	"bytes"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
)

// members reads the object of features, entities or context at i.
func (d *Decoder) members(i, depth int, section string, limit int, dst []models.Value) (out []models.Value, next int, err *Error) {
	d.section = section
	if i >= len(d.Body) || d.Body[i] != '{' {
		at := i
		_, kind, i, err := d.Value(i, depth)
		if err == nil {
			d.refuse(at, nil, "must be an object, got ", kind.String(), objectHint(kind))
		}
		d.section = ""
		return dst, i, err
	}
	if depth >= d.limits.Depth {
		return dst, i, d.TooDeep(i)
	}
	b := d.Body
	n := d.OpenNames()
	i, more := d.Open(i, '}')
	for more {
		at := i
		d.ObjectAt = -1
		var v models.Value
		if v.Key, i, err = d.Key(i); err != nil {
			return dst, i, err
		}
		if !d.AddName(&n, v.Key) {
			return dst, i, d.Duplicate(at, v.Key)
		}
		valueAt := i
		if i < len(b) && b[i]-'0' <= 9 { // what nearly every feature is
			end, expected := jsonscan.ScanNumber(b, i)
			if expected != "" {
				return dst, i, d.Syntax(end, expected)
			}
			v.Raw, v.Kind, i = b[i:end:end], models.KindNumber, end
		} else if v.Raw, v.Kind, i, err = d.Value(i, depth+1); err != nil {
			return dst, i, err
		}
		if d.fault == nil {
			d.checkMember(at, valueAt, &v, limit, len(dst))
			dst = append(dst, v)
		}
		if len(b)-i >= 2 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more, err = d.More(i, '}'); err != nil {
			return dst, i, err
		}
	}
	d.CloseNames(&n)
	d.section = ""
	return dst, i, nil
}

func objectHint(k models.Kind) string {
	if k == models.KindNull {
		return ": leave it out instead"
	}
	return ""
}

// checkMember refuses a member that its section does not allow.
func (d *Decoder) checkMember(at, valueAt int, v *models.Value, limit, have int) {
	if have >= limit {
		d.refuse(at, nil, "holds more than ", itoa(limit), " members")
	}
	if n := len(v.Key); n == 0 || n > d.limits.KeyBytes {
		d.refuse(at, v.Key, "is not a name: names are 1 to ", itoa(d.limits.KeyBytes), " bytes long, this one has ", itoa(n))
	}
	switch d.section {
	case "features":
		if v.Kind == models.KindObject {
			d.refuse(valueAt, v.Key, "must be a number, a string, a bool or an array, got an object")
		} else if v.Kind == models.KindArray && d.ObjectAt >= 0 {
			d.refuse(d.ObjectAt, v.Key, "must be an array of numbers, strings or bools, got one with an object in it")
		}
	case "context":
		if v.Kind >= models.KindArray {
			d.refuse(valueAt, v.Key, "must be a string, a number, a bool or null, got ", v.Kind.String())
		}
	case "entities":
		d.checkEntity(valueAt, v)
	}
}

// checkEntity takes a string or an integer; 7 and "7" are the same id.
func (d *Decoder) checkEntity(at int, v *models.Value) {
	if v.Kind != models.KindString && v.Kind != models.KindNumber {
		d.refuse(at, v.Key, "must be a string or an integer, got ", v.Kind.String())
	} else if v.Kind == models.KindNumber && (bytes.ContainsAny(v.Raw, ".eE") || string(v.Raw) == "-0") {
		d.refuse(at, v.Key, "must be a string or an integer, got the number ", jsonscan.Shown(v.Raw))
	} else if problem := d.idProblem(v.Raw); problem != "" {
		d.refuse(at, v.Key, problem)
	}
}
