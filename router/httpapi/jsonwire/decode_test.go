package jsonwire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hotpath/models"
	"hotpath/router"
)

// show writes a request in a form that tables can hold.
func show(r *router.Request) string {
	var s strings.Builder
	fmt.Fprintf(&s, "user=%s", r.UserID)
	if r.Model != nil {
		fmt.Fprintf(&s, " model=%s", r.Model)
	}
	if r.RequestID != nil {
		fmt.Fprintf(&s, " id=%s", r.RequestID)
	}
	list := func(name string, values []models.Value) {
		if len(values) == 0 {
			return
		}
		fmt.Fprintf(&s, " %s", name)
		for _, v := range values {
			fmt.Fprintf(&s, "|%s:%d:%s", v.Key, v.Kind, v.Raw)
		}
	}
	list("features", r.Features)
	list("entities", r.Entities)
	list("context", r.Context)
	return s.String()
}

func TestDecodeReadsEveryMember(t *testing.T) {
	for body, want := range map[string]string{
		`{"user_id":"u1"}`: `user=u1`,
		"\r\n\t {\"user_id\" :\t\"u1\" ,\n \"model\": \"risk\" } \n":                                 `user=u1 model=risk`,
		`{"request_id":"r-1","user_id":"u1"}`:                                                        `user=u1 id=r-1`,
		`{"user_id":"u1","features":{},"entities":{},"context":{}}`:                                  `user=u1`,
		`{"user_id":"u1","features":{"a":1.50,"b":"x","c":true,"d":null,"e":[1,[2,"z"]]}}`:           `user=u1 features|a:2:1.50|b:3:x|c:1:true|d:0:null|e:4:[1,[2,"z"]]`,
		`{"user_id":"u1","entities":{"merchant":"m9","card":7,"shop":-12}}`:                          `user=u1 entities|merchant:3:m9|card:2:7|shop:2:-12`,
		`{"user_id":"u1","context":{"country":"de","age":18,"vip":false,"x":null}}`:                  `user=u1 context|country:3:de|age:2:18|vip:1:false|x:0:null`,
		`{"\u0075ser_id":"\u00e4\ud83d\ude00\"\\\/"}`:                                                `user=ä😀"\/`,
		`{"user_id":"ü€😀"}`:                                                                          `user=ü€😀`,
		`{"user_id":"u1","features":{"\u0061b":"\n"}}`:                                               "user=u1 features|ab:3:\n",
		`{"user_id":"u1","features":{"a":[ 1 , 2 ]}}`:                                                `user=u1 features|a:4:[ 1 , 2 ]`,
		`{"user_id":"u1","features":{"a":1e400}}`:                                                    `user=u1 features|a:2:1e400`,
		`{"user_id":"u1","features":{"a":-0}}`:                                                       `user=u1 features|a:2:-0`,
		`{"user_id":"u1","features":{"a":9007199254740993,"b":12345678,"c":0.5e-7,"d":123456789.5}}`: `user=u1 features|a:2:9007199254740993|b:2:12345678|c:2:0.5e-7|d:2:123456789.5`,
	} {
		var req router.Request
		if err := NewDecoder(DefaultLimits()).Decode([]byte(body), &req); err != nil {
			t.Errorf("%s: %v", body, err)
		} else if got := show(&req); got != want {
			t.Errorf("%s:\n got %q\nwant %q", body, got, want)
		}
	}
}

// A body and an id of 257 bytes.
var tooLong = strings.Repeat("x", 257)

var refusals = []struct {
	name, body, code, field, message string
}{
	// What FAULTS.md says of numbers, sizes, names and bytes.
	{"NaN", `{"user_id":"u","features":{"a":NaN}}`, CodeBadJSON, "features", "no NaN"},
	{"Infinity", `{"user_id":"u","features":{"a":Infinity}}`, CodeBadJSON, "features", "no Infinity"},
	{"minus Infinity", `{"user_id":"u","features":{"a":-Infinity}}`, CodeBadJSON, "features", "expected a digit, found 'I' (byte 32)"},
	{"nan", `{"user_id":"u","features":{"a":nan}}`, CodeBadJSON, "features", "NaN is not JSON"},
	{"depth 33", `{"user_id":"u","features":{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}}`, CodeBadJSON, "features", "more than 32 objects and arrays inside one another (byte 61)"},
	{"100k brackets", strings.Repeat("[", 100_000), CodeBadJSON, "", "more than 32"},
	{"100k brackets in a member", `{"user_id":"u","context":{"a":` + strings.Repeat(`{"a":`, 100_000), CodeBadJSON, "context", "more than 32"},
	{"duplicate user_id", `{"user_id":"u","user_id":"v"}`, CodeBadJSON, "user_id", `member "user_id" is there twice`},
	{"duplicate, other spelling", `{"user_id":"u","\u0075ser_id":"v"}`, CodeBadJSON, "user_id", "twice"},
	{"duplicate features", `{"features":{},"features":{},"user_id":"u"}`, CodeBadJSON, "features", "twice"},
	{"duplicate feature", `{"user_id":"u","features":{"a":1,"a":1}}`, CodeBadJSON, "features.a", "twice; send it once (byte 33)"},
	{"duplicate feature, other spelling", `{"user_id":"u","features":{"a":1,"\u0061":2}}`, CodeBadJSON, "features.a", "twice"},
	{"duplicate empty names", `{"user_id":"u","context":{"x":1,"":1,"":1}}`, CodeBadJSON, "context.", "twice"},
	{"duplicate entity", `{"user_id":"u","entities":{"m":"1","m":"2"}}`, CodeBadJSON, "entities.m", "twice"},
	{"duplicate attribute", `{"user_id":"u","context":{"m":"1","n":1,"m":"2"}}`, CodeBadJSON, "context.m", "twice"},
	{"duplicate deep inside", `{"user_id":"u","features":{"a":[{"x":[{"y":1,"y":2}]}]}}`, CodeBadJSON, "features.y", "twice"},
	{"case variant", `{"User_ID":"u"}`, CodeBadRequest, "User_ID", `did you mean "user_id"?`},
	{"unknown", `{"user_id":"u","zzz":1}`, CodeBadRequest, "zzz", "known are user_id, model, request_id, features, entities, context (byte 15)"},
	{"unknown, near", `{"user_id":"u","feature":{}}`, CodeBadRequest, "feature", `did you mean "features"?`},
	{"unknown, other style", `{"userId":"u"}`, CodeBadRequest, "userId", `did you mean "user_id"?`},
	{"unknown, other server", `{"user_id":"u","inputs":{}}`, CodeBadRequest, "inputs", `did you mean "features"?`},
	{"unknown, long", `{"` + tooLong + `":1}`, CodeBadRequest, strings.Repeat("x", 64) + "…", "known are"},
	{"trailing bytes", `{"user_id":"u"}x`, CodeBadJSON, "", "expected nothing after the JSON object, found 'x' (byte 15)"},
	{"second value", `{"user_id":"u"}{"user_id":"u"}`, CodeBadJSON, "", "nothing after"},
	{"NUL after the value", "{\"user_id\":\"u\"}\x00", CodeBadJSON, "", "nothing after"},
	{"byte order mark", "\xef\xbb\xbf{\"user_id\":\"u\"}", CodeBadJSON, "", "byte order mark"},
	{"UTF-16", "\xff\xfe{\x00\"\x00", CodeBadJSON, "", "not valid UTF-8 (byte 0)"},
	{"bad UTF-8 in the user", "{\"user_id\":\"a\xff\"}", CodeBadJSON, "", "not valid UTF-8 (byte 13)"},
	{"overlong UTF-8", "{\"user_id\":\"\xc0\xaf\"}", CodeBadJSON, "", "not valid UTF-8"},
	{"UTF-8 surrogate", "{\"user_id\":\"\xed\xa0\x80\"}", CodeBadJSON, "", "not valid UTF-8"},
	{"cut UTF-8", "{\"user_id\":\"é\xc3", CodeBadJSON, "", "not valid UTF-8 (byte 14)"},
	{"bad UTF-8 in a name", "{\"user_id\":\"u\",\"features\":{\"\x80\":1}}", CodeBadJSON, "", "not valid UTF-8"},
	{"lone high surrogate", `{"user_id":"\ud800"}`, CodeBadJSON, "", "half of a surrogate pair"},
	{"lone low surrogate", `{"user_id":"\udc00"}`, CodeBadJSON, "", "half of a surrogate pair"},
	{"high surrogate, then text", `{"user_id":"\ud800abcdef"}`, CodeBadJSON, "", "half of a surrogate pair"},
	{"two high surrogates", `{"user_id":"\ud800\ud800"}`, CodeBadJSON, "", "half of a surrogate pair"},
	{"surrogates in the wrong order", `{"user_id":"\udc00\ud800"}`, CodeBadJSON, "", "half of a surrogate pair"},
	{"surrogate in a name", `{"user_id":"u","features":{"\ud800":1}}`, CodeBadJSON, "features", "half of a surrogate pair"},
	{"surrogate in a skipped string", `{"user_id":"u","features":{"a":["\ud800"]}}`, CodeBadJSON, "features", "half of a surrogate pair"},
	{"NUL, escaped", `{"user_id":"a\u0000"}`, CodeBadRequest, "user_id", "control characters"},
	{"NUL, bare", "{\"user_id\":\"a\x00\"}", CodeBadJSON, "", "control characters in a string must be escaped"},
	{"line feed in the user", `{"user_id":"a\n"}`, CodeBadRequest, "user_id", "control characters"},
	{"delete in the user", "{\"user_id\":\"a\x7f\"}", CodeBadRequest, "user_id", "control characters"},
	// What a request must be.
	{"empty body", ``, CodeBadJSON, "", "expected a JSON object, found the end of the body (byte 0)"},
	{"only spaces", `   `, CodeBadJSON, "", "found the end of the body (byte 3)"},
	{"array", ` [{"user_id":"u"}]`, CodeBadRequest, "", "must be a JSON object, got an array (byte 1)"},
	{"string", `"user_id"`, CodeBadRequest, "", "must be a JSON object, got a string"},
	{"null", `null`, CodeBadRequest, "", "must be a JSON object, got null"},
	{"no user", `{}`, CodeBadRequest, "user_id", "is required"},
	{"no user but others", `{"model":"m"}`, CodeBadRequest, "user_id", "is required"},
	{"user a number", `{"user_id":42}`, CodeBadRequest, "user_id", "must be a string, got a number: write it as a string, in double quotes (byte 11)"},
	{"user null", `{"user_id":null}`, CodeBadRequest, "user_id", "got null: leave it out instead"},
	{"user an object", `{"user_id":{}}`, CodeBadRequest, "user_id", "got an object"},
	{"user empty", `{"user_id":""}`, CodeBadRequest, "user_id", "must be 1 to 256 bytes long, got 0"},
	{"user too long", `{"user_id":"` + tooLong + `"}`, CodeBadRequest, "user_id", "must be 1 to 256 bytes long, got 257"},
	{"model a number", `{"user_id":"u","model":1}`, CodeBadRequest, "model", "must be a string, got a number"},
	{"model empty", `{"user_id":"u","model":""}`, CodeBadRequest, "model", "1 to 256 bytes"},
	{"request id too long", `{"user_id":"u","request_id":"` + tooLong + `"}`, CodeBadRequest, "request_id", "1 to 256 bytes"},
	{"request id with a space", `{"user_id":"u","request_id":"a b"}`, CodeBadRequest, "request_id", "visible ASCII"},
	{"request id not ASCII", `{"user_id":"u","request_id":"é"}`, CodeBadRequest, "request_id", "visible ASCII"},
	{"request id with an escaped line feed", `{"user_id":"u","request_id":"a\n"}`, CodeBadRequest, "request_id", "control characters"},
	{"request id a bool", `{"user_id":"u","request_id":true}`, CodeBadRequest, "request_id", "got a bool: write it as a string"},
	{"features an array", `{"user_id":"u","features":[1]}`, CodeBadRequest, "features", "must be an object, got an array (byte 26)"},
	{"features null", `{"user_id":"u","features":null}`, CodeBadRequest, "features", "got null: leave it out instead"},
	{"feature an object", `{"user_id":"u","features":{"a":{"b":1}}}`, CodeBadRequest, "features.a", "must be a number, a string, a bool or an array, got an object (byte 31)"},
	{"object in a feature's array", `{"user_id":"u","features":{"a":[1,[{}]]}}`, CodeBadRequest, "features.a", "with an object in it (byte 35)"},
	{"feature without a name", `{"user_id":"u","features":{"":1}}`, CodeBadRequest, "features.", "names are 1 to 256 bytes long, this one has 0"},
	{"feature with a long name", `{"user_id":"u","features":{"` + tooLong + `":1}}`, CodeBadRequest, "features." + tooLong[:64] + "…", "this one has 257"},
	{"attribute an array", `{"user_id":"u","context":{"a":[1]}}`, CodeBadRequest, "context.a", "must be a string, a number, a bool or null, got an array"},
	{"attribute an object", `{"user_id":"u","context":{"a":{}}}`, CodeBadRequest, "context.a", "got an object"},
	{"entity a float", `{"user_id":"u","entities":{"m":1.5}}`, CodeBadRequest, "entities.m", "must be a string or an integer, got the number 1.5"},
	{"entity with an exponent", `{"user_id":"u","entities":{"m":1e3}}`, CodeBadRequest, "entities.m", "got the number 1e3"},
	{"entity minus zero", `{"user_id":"u","entities":{"m":-0}}`, CodeBadRequest, "entities.m", "got the number -0"},
	{"entity null", `{"user_id":"u","entities":{"m":null}}`, CodeBadRequest, "entities.m", "got null"},
	{"entity a bool", `{"user_id":"u","entities":{"m":true}}`, CodeBadRequest, "entities.m", "got a bool"},
	{"entity empty", `{"user_id":"u","entities":{"m":""}}`, CodeBadRequest, "entities.m", "1 to 256 bytes"},
	{"entity with a NUL", `{"user_id":"u","entities":{"m":"\u0000"}}`, CodeBadRequest, "entities.m", "control characters"},
	{"entity of many digits", `{"user_id":"u","entities":{"m":` + strings.Repeat("1", 257) + `}}`, CodeBadRequest, "entities.m", "got 257"},
	{"too many features", members("features", 4097), CodeBadRequest, "features", "holds more than 4096 members"},
	{"too many entities", members("entities", 65), CodeBadRequest, "entities", "holds more than 64 members"},
	{"too many attributes", members("context", 257), CodeBadRequest, "context", "holds more than 256 members"},
}

// members is a request with n members in one of its objects.
func members(section string, n int) string {
	var s strings.Builder
	s.WriteString(`{"user_id":"u","` + section + `":{`)
	for i := range n {
		if i > 0 {
			s.WriteByte(',')
		}
		fmt.Fprintf(&s, `"m%d":%d`, i, i)
	}
	return s.String() + "}}"
}

func TestDecodeRefuses(t *testing.T) {
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			var e *Error
			if err := d.Decode([]byte(c.body), req); !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Code != c.code || e.Field != c.field || !strings.Contains(e.Message, c.message) {
				t.Errorf("got %s %q %q\nwant %s %q %q", e.Code, e.Field, e.Message, c.code, c.field, c.message)
			}
			if e.Offset < 0 || e.Offset > len(c.body) {
				t.Errorf("offset %d is outside of the body of %d bytes", e.Offset, len(c.body))
			}
		})
	}
}

func TestDecodeAcceptsUpToTheLimits(t *testing.T) {
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	for name, body := range map[string]string{
		"features": members("features", 4096),
		"entities": members("entities", 64),
		"context":  members("context", 256),
		"depth":    `{"user_id":"u","features":{"a":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}}`,
		"ids":      `{"user_id":"` + tooLong[1:] + `","request_id":"` + tooLong[1:] + `","features":{"` + tooLong[1:] + `":1}}`,
	} {
		if err := d.Decode([]byte(body), req); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeSpellingsOfOneUserAreOneUser(t *testing.T) {
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	for _, spelt := range []string{`añ`, `\u0061ñ`, `a\u00f1`, `\u0061\u00F1`} {
		if err := d.Decode([]byte(`{"user_id":"`+spelt+`"}`), req); err != nil {
			t.Fatal(err)
		}
		if string(req.UserID) != "añ" {
			t.Errorf("%s is user %q", spelt, req.UserID)
		}
	}
}

func TestDecodeKeepsTheRequestIDForTheError(t *testing.T) {
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	err := d.Decode([]byte(`{"request_id":"r1","user_id":1}`), req)
	if err == nil || string(req.RequestID) != "r1" {
		t.Errorf("request id %q, error %v", req.RequestID, err)
	}
	err = d.Decode([]byte(`{"zzz":1,"request_id":"r2"}`), req)
	if err == nil || string(req.RequestID) != "r2" {
		t.Errorf("request id %q, error %v", req.RequestID, err)
	}
	err = d.Decode([]byte(`{"request_id":"r\u00e91","user_id":"u"}`), req)
	if err == nil || req.RequestID != nil {
		t.Errorf("a refused request id %q is used (error %v)", req.RequestID, err)
	}
}

// What one body leaves behind must not reach the next one.
func TestDecoderIsCleanAfterAnError(t *testing.T) {
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	good := []byte(members("features", 200))
	for _, c := range refusals {
		_ = d.Decode([]byte(c.body), req)
		if err := d.Decode(good, req); err != nil || len(req.Features) != 200 {
			t.Fatalf("after %s: %v, %d features", c.name, err, len(req.Features))
		}
	}
}

// Every place in an object of every size class sees a duplicate, and no other.
func TestDecodeFindsEveryDuplicate(t *testing.T) {
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	for _, n := range []int{1, 2, 3, 63, 64, 65, 66, 129, 500} {
		body := strings.TrimSuffix(members("features", n), "}}")
		if err := d.Decode([]byte(body+"}}"), req); err != nil {
			t.Fatalf("%d members: %v", n, err)
		}
		for i := range n {
			twice := fmt.Sprintf(`%s,"m%d":0}}`, body, i)
			if err := d.Decode([]byte(twice), req); err == nil || !strings.Contains(err.Error(), "twice") {
				t.Fatalf("m%d of %d members is there twice: %v", i, n, err)
			}
		}
	}
}

// Names made to have one quick hash, in objects inside one another.
func TestDecodeNamesWithOneHash(t *testing.T) {
	var object strings.Builder
	for i := range 300 {
		fmt.Fprintf(&object, `"prefix..%03d..suffix..":0,`, i)
	}
	inner := "{" + strings.TrimSuffix(object.String(), ",") + "}"
	body := `{"user_id":"u","features":{` + object.String() + `"x":[{` + object.String() + `"y":` + inner + `,"z":` + inner + `}]}}`
	err := NewDecoder(DefaultLimits()).Decode([]byte(body), new(router.Request))
	if err == nil || strings.Contains(err.Error(), "twice") || !strings.Contains(err.Error(), "with an object in it") {
		t.Errorf("got %v, want only the objects in the array refused", err)
	}
}

// No body makes the decoder slow: the worst may cost a small multiple of the
// usual, never its square.
func TestDecodeHostileBodiesInLinearTime(t *testing.T) {
	for name, body := range hostileBodies() {
		d, req := NewDecoder(DefaultLimits()), new(router.Request)
		best := time.Duration(1 << 62)
		for range 5 {
			start := time.Now()
			_ = d.Decode(body, req)
			best = min(best, time.Since(start))
		}
		// 2 ms is the figure on a free machine; the race detector and busy
		// neighbours take their share. A quadratic decoder needs seconds.
		if best > 100*time.Millisecond {
			t.Errorf("%s: %d bytes took %v", name, len(body), best)
		}
	}
}

func TestLimitsValidate(t *testing.T) {
	if err := DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	err := Limits{Depth: 4}.Validate()
	for _, name := range []string{"depth", "features", "entities", "context", "id_bytes", "key_bytes", "instances"} {
		if err == nil || !strings.Contains(err.Error(), "limit "+name+" is") {
			t.Errorf("%s is not reported: %v", name, err)
		}
	}
}
