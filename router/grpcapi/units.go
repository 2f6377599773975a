package grpcapi

import (
	"bytes"
	"math"
	"strconv"

	"hotpath/models"
	"hotpath/router"
	"hotpath/router/oip"
)

// The bounds of what a request brings for experiments, as over HTTP.
const (
	maxEntities   = 64
	maxAttributes = 256
	maxName       = 256 // of an entity or an attribute, in bytes
)

// readUnit adds a parameter that brings what experiments look at beside the user;
// others are passed over.
func readUnit(p *parameter, r *router.Request) (refusal *router.Error) {
	if name, ok := oip.EntityName(p.key); ok {
		switch p.kind {
		case parameterString, parameterInt64, parameterUint64:
		default:
			return refuseParameter(p, "must be a string or an integer")
		}
		v := p.value(name, r)
		if !isID(v.Raw) {
			return refuseParameter(p, "must be 1 to 256 bytes long, without control characters")
		}
		r.Entities, refusal = addUnit(r.Entities, v, maxEntities, p)
		return refusal
	}
	name, ok := oip.AttributeName(p.key)
	if !ok || p.kind == parameterNone {
		return nil
	}
	if f := math.Float64frombits(p.number); p.kind == parameterDouble && f-f != 0 {
		return refuseParameter(p, "must be a finite number")
	}
	r.Context, refusal = addUnit(r.Context, p.value(name, r), maxAttributes, p)
	return refusal
}

// isID says whether a text is fit for an id, which may become a part of a log line.
func isID(id []byte) bool {
	return len(id) > 0 && len(id) <= maxID && bytes.IndexFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0
}

// addUnit adds a value, or replaces that of the same name: of a map's entries on the
// wire the last one counts.
func addUnit(to []models.Value, v models.Value, limit int, p *parameter) ([]models.Value, *router.Error) {
	for i := range to {
		if bytes.Equal(to[i].Key, v.Key) {
			to[i] = v
			return to, nil
		}
	}
	switch {
	case len(v.Key) == 0 || len(v.Key) > maxName:
		return to, refuseParameter(p, "is not a name: names are 1 to 256 bytes long after the dot")
	case len(to) >= limit:
		return to, refuseParameter(p, "is one parameter of its kind more than the "+strconv.Itoa(limit)+" that are accepted")
	}
	return append(to, v), nil
}

var boolTexts = [2][]byte{[]byte("false"), []byte("true")}

// value is the parameter as JSON would have brought it. Numbers are written into the
// request's scratch memory.
func (p *parameter) value(name []byte, r *router.Request) models.Value {
	from := len(r.Scratch)
	switch p.kind {
	case parameterString:
		return models.Value{Key: name, Kind: models.KindString, Raw: p.text}
	case parameterBool:
		return models.Value{Key: name, Kind: models.KindBool, Raw: boolTexts[p.number]}
	case parameterInt64:
		r.Scratch = strconv.AppendInt(r.Scratch, int64(p.number), 10)
	case parameterUint64:
		r.Scratch = strconv.AppendUint(r.Scratch, p.number, 10)
	case parameterDouble:
		r.Scratch = strconv.AppendFloat(r.Scratch, math.Float64frombits(p.number), 'g', -1, 64)
	}
	return models.Value{Key: name, Kind: models.KindNumber, Raw: r.Scratch[from:len(r.Scratch):len(r.Scratch)]}
}
