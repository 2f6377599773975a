package exposure

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// Schema is the version of the lines that AppendExposure and AppendFeedback write.
// Fields may be added to it; a field that is renamed or means something else makes
// another version.
const Schema = 1

// AppendExposure adds an event to dst as a line of JSON.
func AppendExposure(dst []byte, e *Event) []byte { return new(stamp).appendExposure(dst, e) }

// AppendFeedback adds an outcome to dst as a line of JSON. Its value is finite.
func AppendFeedback(dst []byte, f *Feedback) []byte { return new(stamp).appendFeedback(dst, f) }

func (c *stamp) appendExposure(dst []byte, e *Event) []byte {
	dst = c.append(append(dst, `{"schema":1,"type":"exposure","at":"`...), e.At)
	dst = appendText(append(dst, `","unit":`...), e.UnitName)
	dst = appendText(append(dst, `,"id":`...), shared(e.Unit))
	dst = appendText(append(dst, `,"experiment":`...), e.Experiment)
	dst = appendText(append(dst, `,"variant":`...), e.Assigned)
	dst = appendOptional(dst, `,"served_variant":`, e.Served)
	dst = append(append(append(dst, `,"reason":"`...), e.Reason.String()...), `","bucket":`...)
	dst = strconv.AppendUint(dst, uint64(e.Bucket), 10)
	dst = appendText(append(dst, `,"model":`...), e.Model)
	dst = strconv.AppendInt(append(dst, `,"version":`...), int64(e.Version), 10)
	dst = append(append(append(dst, `,"via":"`...), e.Via.String()...), '"')
	dst = appendText(append(dst, `,"code":`...), e.Code)
	for i, d := range e.Degraded {
		if i == 0 {
			dst = append(dst, `,"degraded":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendText(dst, d)
	}
	if len(e.Degraded) > 0 {
		dst = append(dst, ']')
	}
	if e.LatencyNS != 0 {
		dst = strconv.AppendInt(append(dst, `,"latency_ns":`...), e.LatencyNS, 10)
	}
	// A NaN or an infinity is not JSON; non_finite tells of it.
	if e.HasScore && !math.IsNaN(e.Score) && !math.IsInf(e.Score, 0) {
		dst = strconv.AppendFloat(append(dst, `,"score":`...), e.Score, 'g', -1, 64)
	}
	if e.NonFinite {
		dst = append(dst, `,"non_finite":true`...)
	}
	dst = append(append(dst, `,"plan":"`...), "00000000000000000000000000000000"...)
	hex.Encode(dst[len(dst)-2*len(e.Plan):], e.Plan[:])
	dst = strconv.AppendUint(append(dst, `","generation":`...), e.Generation, 10)
	dst = appendOptional(dst, `,"request_id":`, shared(e.RequestID))
	return append(dst, '}', '\n')
}

func (c *stamp) appendFeedback(dst []byte, f *Feedback) []byte {
	dst = c.append(append(dst, `{"schema":1,"type":"feedback","at":"`...), f.At)
	dst = appendText(append(dst, `","outcome":`...), shared(f.Outcome))
	dst = strconv.AppendFloat(append(dst, `,"value":`...), f.Value, 'g', -1, 64)
	if len(f.Unit) > 0 {
		dst = append(dst, `,"unit":`...)
		if len(f.UnitName) > 0 {
			dst = appendText(dst, shared(f.UnitName))
		} else {
			dst = append(dst, `"user"`...)
		}
		dst = appendText(append(dst, `,"id":`...), shared(f.Unit))
	}
	dst = appendOptional(dst, `,"experiment":`, shared(f.Experiment))
	dst = appendOptional(dst, `,"request_id":`, shared(f.RequestID))
	dst = appendOptional(dst, `,"feedback_id":`, shared(f.ID))
	return append(dst, '}', '\n')
}

func appendOptional(dst []byte, name, s string) []byte {
	if len(s) == 0 {
		return dst
	}
	return appendText(append(dst, name...), s)
}

// shared is a text without a copy of it: for the time of a call.
func shared(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

const hexDigits = "0123456789abcdef"

// plain says whether a byte stands for itself in a JSON string.
func plain(c byte) bool { return c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf }

// appendText adds a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if !plain(s[i]) {
			return append(appendOther(append(dst, s[:i]...), s[i:]), '"')
		}
	}
	return append(append(dst, s...), '"')
}

// appendOther adds what is not plain, character by character.
func appendOther(dst []byte, s string) []byte {
	for _, r := range s { // what is not UTF-8 is read as U+FFFD
		if r < utf8.RuneSelf && !plain(byte(r)) {
			dst = appendEscaped(dst, byte(r))
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// seconds is how a time begins in a line.
const seconds = "2006-01-02T15:04:05."

// stamp writes times. It keeps the last second's text: most events share it.
type stamp struct {
	known  bool
	second int64
	text   [len(seconds)]byte
}

// append adds a time in nanoseconds since 1970 as RFC 3339 in UTC.
func (c *stamp) append(dst []byte, at int64) []byte {
	second, fraction := at/1e9, at%1e9
	if fraction < 0 {
		second, fraction = second-1, fraction+1e9
	}
	if second != c.second || !c.known {
		c.known, c.second = true, second
		time.Unix(second, 0).UTC().AppendFormat(c.text[:0], seconds)
	}
	dst = append(append(dst, c.text[:]...), "000000000Z"...)
	for i := len(dst) - 2; fraction > 0; i-- {
		dst[i] = byte('0' + fraction%10)
		fraction /= 10
	}
	return dst
}
