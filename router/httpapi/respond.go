package httpapi

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/httpapi/jsonwire"
)

// appendPrediction adds the JSON of a prediction. The pipeline has made sure that
// every output is finite, so that JSON can carry it.
func appendPrediction(dst []byte, x *router.Exchange, explain bool) []byte {
	lane := x.Lane
	dst = jsonwire.AppendBytes(append(dst, `{"request_id":`...), x.Request.RequestID)
	dst = jsonwire.AppendString(append(dst, `,"model":`...), lane.Model)
	dst = strconv.AppendInt(append(dst, `,"version":`...), int64(lane.Version), 10)
	if e := x.Assignment.Experiment; e != nil {
		dst = jsonwire.AppendString(append(dst, `,"experiment":`...), e.Name())
		dst = appendVariant(dst, x.Variant)
	}
	dst = jsonwire.AppendString(append(dst, `,"reason":`...), x.Assignment.Reason.String())
	dst = append(appendOutputs(append(dst, `,"outputs":{`...), lane, x.Out()), '}')
	if lane.Prediction.Port >= 0 {
		dst = append(dst, `,"prediction":`...)
		dst, _ = jsonwire.AppendElement(dst, lane.Out, lane.Prediction.Port, lane.Prediction.Element, x.Out())
	}
	if x.Degraded != 0 {
		dst = append(dst, `,"degraded":[`...)
		dst = append(appendDegraded(dst, x.Degraded, `"`), ']')
	}
	dst = appendDefaulted(dst, x)
	if explain {
		dst = appendExplain(dst, x)
	}
	return append(dst, '}')
}

// appendVariant adds a variant's name and what it hands out.
func appendVariant(dst []byte, v *abtest.Variant) []byte {
	dst = jsonwire.AppendString(append(dst, `,"variant":`...), v.Name())
	if payload := v.Payload(); payload != nil {
		dst = append(append(dst, `,"payload":`...), payload...)
	}
	return dst
}

func appendOutputs(dst []byte, lane *router.Lane, out *models.Row) []byte {
	for i := range lane.Out.Ports {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonwire.AppendString(dst, lane.Out.Ports[i].Name), ':')
		dst, _ = jsonwire.AppendTensor(dst, lane.Out, i, out)
	}
	return dst
}

// appendDegraded adds the names of the fallbacks with commas between them.
func appendDegraded(dst []byte, d router.Degraded, quote string) []byte {
	start := len(dst)
	d.Each(func(name string) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, quote...), name...), quote...)
	})
	return dst
}

// appendDefaulted says how many features were scored with their default though
// the store should have had them, and why. Nothing is added when none was.
func appendDefaulted(dst []byte, x *router.Exchange) []byte {
	if x.In() == nil {
		return dst // a static answer: nothing was scored
	}
	var counts [models.NumOrigins]int
	any := false
	for _, o := range x.Origins {
		if o.Defaulted() {
			counts[o]++
			any = true
		}
	}
	if !any {
		return dst
	}
	dst = append(dst, `,"defaulted":{`...)
	first := true
	for o, n := range counts {
		if n == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(jsonwire.AppendString(dst, models.Origin(o).Why()), ':')
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	return append(dst, '}')
}

// appendExplain adds the decision in full: bucket, assigned variant, the vector
// as scored with the origin of each value, and the time spent per stage.
func appendExplain(dst []byte, x *router.Exchange) []byte {
	dst = append(dst, `,"explain":{`...)
	if a := x.Assignment; a.Experiment != nil {
		dst = strconv.AppendInt(append(dst, `"bucket":`...), int64(a.Bucket), 10)
		dst = jsonwire.AppendString(append(dst, `,"assigned_variant":`...), a.Variant.Name())
		dst = append(dst, ',')
	}
	dst = append(dst, `"features":[`...)
	if in := x.In(); in != nil {
		dst = appendFeatures(dst, x, in)
	}
	dst = append(dst, `],"stages_us":{`...)
	for s := router.StageDecode; s <= router.StageRun; s++ {
		if s > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonwire.AppendString(dst, s.String()), ':')
		dst = jsonwire.AppendFloat64(dst, float64(x.Stages[s]/time.Nanosecond)/1e3)
	}
	dst = strconv.AppendInt(append(dst, `},"batch_rows":`...), int64(x.Rows), 10)
	return append(dst, '}')
}

func appendFeatures(dst []byte, x *router.Exchange, in *models.Row) []byte {
	for i, f := range x.Lane.Features {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonwire.AppendString(append(dst, `{"name":`...), f.Name)
		dst = append(dst, `,"value":`...)
		if f.Width > 1 {
			dst = append(dst, '[')
		}
		for e := range f.Width {
			if e > 0 {
				dst = append(dst, ',')
			}
			// What the vector holds was checked to be finite when it was filled.
			dst, _ = jsonwire.AppendElement(dst, x.Lane.In, f.Port, f.Element+e, in)
		}
		if f.Width > 1 {
			dst = append(dst, ']')
		}
		dst = jsonwire.AppendString(append(dst, `,"origin":`...), x.Origins[i].String())
		dst = append(dst, '}')
	}
	return dst
}

// appendServerTiming adds the stages in the form of the Server-Timing header:
// durations in milliseconds.
func appendServerTiming(dst []byte, x *router.Exchange) []byte {
	for s := router.StageDecode; s <= router.StageRun; s++ {
		if s > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(append(dst, s.String()...), ";dur="...)
		dst = strconv.AppendFloat(dst, float64(x.Stages[s])/float64(time.Millisecond), 'f', 3, 64)
	}
	return dst
}

// writeError answers with the error body, its status and what to do about it.
func writeError(ctx *fasthttp.RequestCtx, e *router.Error, requestID []byte) {
	ctx.Response.ResetBody()
	ctx.SetStatusCode(e.Code.Status())
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	setErrorHeaders(ctx, e)
	ctx.Response.SetBodyRaw(jsonwire.AppendError(nil, e.Code.String(), e.Message, e.Field, requestID))
}

// writeProtocolError answers with the error body of the Open Inference Protocol and
// of TensorFlow Serving, which is a text; the code is in a header.
func writeProtocolError(ctx *fasthttp.RequestCtx, e *router.Error) {
	message := codedError(ctx, e)
	ctx.Response.SetBodyRaw(append(jsonwire.AppendString([]byte(`{"error":`), message), '}'))
}

// codedError prepares an answer whose body has no place for our code, and gives what
// the body is to say.
func codedError(ctx *fasthttp.RequestCtx, e *router.Error) (message string) {
	ctx.Response.ResetBody()
	ctx.SetStatusCode(e.Code.Status())
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	ctx.Response.Header.Set("X-Error-Code", e.Code.String())
	setErrorHeaders(ctx, e)
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// retrySeconds rounds up to the whole seconds that the header can say, at least one.
func retrySeconds(d time.Duration) int {
	return max(int((d+time.Second-1)/time.Second), 1)
}
