package router

import (
	"strconv"
	"time"
	"unsafe"

	"hotpath/abtest"
	"hotpath/models"
)

// assignable is the request as the experiments see it.
func (x *Exchange) assignable(now time.Time) abtest.Request {
	return abtest.Request{User: x.Request.UserID, Units: x, Attributes: x, Forced: x.Forced, Now: now.Unix()}
}

// attribute converts a context value for targeting, which decides by type. The
// decoder has checked the syntax of numbers already.
func attribute(r *Request, name string) (abtest.Value, bool) {
	v, ok := r.ContextValue(name)
	if !ok {
		return abtest.Value{}, false
	}
	switch v.Kind {
	case models.KindString:
		return abtest.Value{Kind: abtest.String, Str: v.Raw}, true
	case models.KindBool:
		return abtest.Value{Kind: abtest.Bool, Bool: v.Raw[0] == 't'}, true
	case models.KindNumber:
		n, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v.Raw), len(v.Raw)), 64)
		if err != nil {
			return abtest.Value{}, false
		}
		return abtest.Value{Kind: abtest.Number, Num: n}, true
	}
	return abtest.Value{}, false
}
