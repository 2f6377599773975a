package features

import (
	"strconv"

	"hotpath/models"
)

// maxQuoted bounds how much of a refused value an error message repeats.
const maxQuoted = 40

// Override fills features with the values of a request, found by qualified name
// or by bare name where only one entity has it. It returns a *models.FieldError
// that names the first value it refuses:
//
//   - numbers must fit the input's own type: 1e39 does not fit FP32. An integer
//     may be written 3, 3.0 or 3e0, the latter two below 2^53;
//   - a bool is true or false, a string has no NUL, null is never taken;
//   - a feature of several elements is a JSON array, flat or nested as the
//     input's shape says, of exactly as many elements;
//   - names that the model does not read, names given twice, and features whose
//     schema says override: false are refused.
//
// It allocates only for errors and, at most, to grow the row's text.
func (v *View) Override(values []models.Value, row *models.Row, origins []models.Origin) error {
	for i := range values {
		val := &values[i]
		first, known := v.names[string(val.Key)]
		if !known || first == ambiguous {
			return v.unknown(val.Key, known)
		}
		for at := first; at >= 0; at = v.slots[at].next {
			s := &v.slots[at]
			if !s.canSend {
				return &models.FieldError{Field: sentAs(val), Message: "cannot be sent with a request (override: false in the feature schema)"}
			}
			if origins[at] == models.OriginRequest {
				return &models.FieldError{Field: sentAs(val), Message: "is given twice"}
			}
			if verdict, elem := s.putValue(row, val); verdict != ok {
				return s.refused(verdict, val, elem)
			}
			origins[at] = models.OriginRequest
		}
	}
	return nil
}

// putValue converts one request value; elem is the array element that was refused.
func (s *slot) putValue(row *models.Row, val *models.Value) (v verdict, elem int) {
	if val.Kind == models.KindArray {
		return s.putArray(row, val.Raw, fromRequest)
	}
	if s.width != 1 {
		return badShape, 0
	}
	want := models.KindNumber
	switch s.kind {
	case kindBool:
		want = models.KindBool
	case kindString:
		want = models.KindString
	}
	if val.Kind != want {
		return badKind, 0
	}
	return s.put(row, 0, val.Raw), 0
}

// unknown refuses a name that leads to no feature, or to several.
func (v *View) unknown(key []byte, several bool) error {
	err := &models.FieldError{Field: sentAs(&models.Value{Key: key})}
	if several {
		err.Message = "is the name of features of several entities; write entity.name"
		return err
	}
	err.Message = "the model has no such feature" + meant(string(key), sortedKeys(v.names))
	return err
}

// sentAs is the path of a value in the request, with the name that it was sent
// under.
func sentAs(val *models.Value) string {
	return "features." + string(val.Key[:min(len(val.Key), maxNameBytes)])
}

// refused says what is wrong with a value.
func (s *slot) refused(v verdict, val *models.Value, elem int) error {
	err := &models.FieldError{Field: sentAs(val)}
	if val.Kind == models.KindArray && v != badShape {
		err.Field += "[" + strconv.Itoa(elem) + "]"
	}
	shown := "the value"
	if val.Kind == models.KindNumber || val.Kind == models.KindBool {
		shown = string(val.Raw[:min(len(val.Raw), maxQuoted)])
	}
	switch v {
	case badRange:
		err.Message = shown + " does not fit " + s.dtype.String()
	case badWhole:
		err.Message = shown + " is not a whole number, which " + s.kind.String() + " needs"
	case badString:
		err.Message = "must be UTF-8 without NUL"
	case badShape:
		err.Message = s.shapeMessage(val.Kind)
	case badKind:
		err.Message = s.kindMessage(val.Kind)
	default:
		err.Message = shown + " is not a " + s.kind.String()
	}
	return err
}

func (s *slot) shapeMessage(k models.Kind) string {
	m := "must be an array of " + strconv.Itoa(s.width) + " elements"
	if s.width == 1 {
		m = "must be one value"
	}
	if len(s.shape) > 1 {
		m += ", flat or nested as "
		for i, d := range s.shape {
			if i > 0 {
				m += "x"
			}
			m += strconv.Itoa(d)
		}
	}
	if k != models.KindArray {
		m += ", not " + k.String()
	}
	return m
}

func (s *slot) kindMessage(k models.Kind) string {
	if k == models.KindNull {
		return "null is not taken; leave the feature out to use its stored or default value"
	}
	want := [numKinds]string{"a number", "a whole number", "true or false", "a string"}[s.kind]
	if k == models.KindArray {
		return "must be " + want
	}
	return "must be " + want + ", not " + k.String()
}
