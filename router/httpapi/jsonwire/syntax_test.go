package jsonwire

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"hotpath/router"
)

// Values that are JSON (RFC 8259 with names unique and no lone surrogates).
var goodValues = []string{
	`0`, `-0`, `1`, `-1`, `12`, `123456789012345678901234567890`, `0.0`, `0.1`, `-0.1`, `1.0`, `10.01`, `0e0`, `0E0`, `0e+0`,
	`0e-0`, `1e5`, `1E5`, `1e+5`, `1e-5`, `1.5e5`, `-1.5E-10`, `1e400`, `-1e400`, `1e-400`, `0.00000000000000000001`,
	`12345678`, `1234567`, `123456.7`, `12345.67`, `1.2345678`, `20e1`, `100000000000000000000000000.5`, `9007199254740993`,
	`true`, `false`, `null`,
	`""`, `"a"`, `"abcdefg"`, `"abcdefgh"`, `"abcdefghi"`, `" "`, `"\""`, `"\\"`, `"\/"`, `"/"`, `"\b\f\n\r\t"`, `"\u0000"`,
	`"\u0041"`, `"\u00e9"`, `"\u00E9"`, `"\uFFFF"`, `"\uFDD0"`, `"\ud83d\ude00"`, `"\uD83D\uDE00"`, `"\udbff\udfff"`,
	`"\ud800\udc00"`, `"é"`, `"€"`, `"😀"`, "\"\u2028\u2029\"", "\"\x7f\"", "\"\ufeff\"", `"\\u0000"`, `"\\\""`, `"{"`, `"]"`,
	`"\u0022"`, `"\u005c"`, `"[,]"`, `"a\u0062c"`, "\"\u0080\"", "\"\U0010ffff\"", `"//"`, `"/*"`, `"\\n"`,
	`[]`, `[ ]`, "[\n]", `[1]`, `[1,2]`, `[ 1 , 2 ]`, "[\t1\r,\n2 ]", `[[]]`, `[[],[]]`, `[[1],[2,[3]]]`, `["a"]`, `["a",1,null,true,[]]`,
	`["\n"]`, `[-1,-2.5e3]`, `[1.5,2.25,0.125]`, `["","",""]`, `[null]`, `[[[[[[[[1]]]]]]]]`,
	`{}`, `{ }`, `{"a":1}`, `{"a":1,"b":2}`, `{"":0}`, `{"a":{"a":{"a":1}}}`, `{"a":[{"a":1},{"a":1}]}`, `{"a":1,"A":1}`, `{"a":1,"\u0062":1}`,
	`{"a" : 1 }`, "{\n\"a\"\t:\r1}", `[{}]`, `[{},{"a":[]}]`, `{"\u0000":1}`, `{"a\"b":1}`, `{"a":1,"aa":1,"aaa":1}`, `{"é":1,"e":1}`,
}

// Values that are not.
var badValues = []string{
	``, `00`, `01`, `-01`, `-00`, `00.1`, `012345678`, `+1`, `+0`, `.5`, `-.5`, `5.`, `-5.`, `1.e5`, `1.e`, `1e`, `1e+`, `1e-`, `1E`, `1.5e`,
	`0e`, `0.e1`, `0.`, `1..2`, `1.2.3`, `--1`, `-`, `- 1`, `1 2`, `1,2`, `1_000`, `0x10`, `0b1`, `0o7`, `1a`, `1e5.5`, `1e1e1`, `1f`, `1.0f`, `٣`, `１`,
	`NaN`, `nan`, `-NaN`, `Infinity`, `-Infinity`, `inf`, `-inf`, `1/2`, `1e5 e`, `12345678.`, `1234567e`, `0.1e`, `-a`,
	`True`, `TRUE`, `tru`, `truee`, `t`, `fals`, `falsee`, `False`, `nul`, `nulll`, `Null`, `None`, `undefined`, `n`, `f`, `yes`,
	`"`, `"a`, `a"`, `'a'`, `"a'`, "\"\n\"", "\"\t\"", "\"\x00\"", "\"\x1f\"", `"\"`, `"\x"`, `"\a"`, `"\v"`, `"\0"`, `"\'"`, `"\ "`, `"\u"`, `"\u1"`,
	`"\u12"`, `"\u123"`, `"\u123g"`, `"\u 123"`, `"\U0041"`, `"\u+123"`, `"\u-123"`, `"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `"\ud800\n"`,
	`"\ud800\u0041"`, `"\ud800\u"`, `"\ud800\`, `"\ud800x"`, `"\udfff\ud800"`, "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
	"\"\xe2\x82\"", "\"\x80\"", "\"abcdefgh\xc3\"", "\"abcdefg\n\"", `"a"b`, `"a" "b"`, `""""`, `"\u00`, `"\`,
	`[`, `]`, `[1`, `[1,`, `[1,]`, `[,1]`, `[,]`, `[1,,2]`, `[1 2]`, `[1;2]`, `[1}`, `[1]]`, `[[1]`, `["a]`, `[a]`, `[1,2`, `[1:2]`, `[01]`, `[1.]`, `[-]`, `[1e]`,
	`[NaN]`, `[tru]`, `["\x"]`, `["a" 1]`, `[1]x`, `[,`, `[[`, `[1,x]`, `[ ,1]`, `[1, ]`, "[1\v]", "[\f1]", "[\u00a01]", "[\u20281]", "[1\x00]",
	`{`, `}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,"a":1}`, `{"a"}`, `{"a":}`, `{"a",1}`, `{"a"=1}`, `{a:1}`, `{'a':1}`, `{1:1}`, `{null:1}`,
	`{"a":1 "b":2}`, `{"a":1;"b":2}`, `{"a":1]`, `{"a":1}}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`, `{"a":{"b":1,"b":2}}`,
	`{"\ud800":1}`, `{"a":01}`, `{[]:1}`, `{"a"::1}`, `{"a":1,,"b":2}`, `{:1}`, `{"a":1:2}`, `{"é":1,"\u00e9":1}`, `[{"a":1,"a":1}]`, `{"x":[{"y":{"z":1,"z":1}}]}`,
	`/**/1`, `1/**/`, `//1`, `#1`, "1//\n", `[1]/**/`, `;`, `:`, `,`, `\`, `$`, `(1)`, `<1>`, `*`, "\u00a01", "\ufeff1", "1\x00", "\x0b1", "\x0c1", "\u20281",
}

func decodeValue(t *testing.T, value string) *Error {
	t.Helper()
	body := []byte(`{"user_id":"u","features":{"f":` + value + `}}`)
	return asError(t, NewDecoder(DefaultLimits()).Decode(body, new(router.Request)))
}

func isJSON(s string) bool { return jsontext.Value(s).IsValid() }

func TestSyntaxOfValues(t *testing.T) {
	if n := len(goodValues) + len(badValues); n < 150 {
		t.Fatalf("only %d cases", n)
	}
	for _, v := range goodValues {
		if !isJSON(v) {
			t.Errorf("case %q is not JSON", v)
		}
		if e := decodeValue(t, v); e != nil && e.Code == CodeBadJSON {
			t.Errorf("%q is JSON: %v", v, e)
		}
	}
	for _, v := range badValues {
		if isJSON(v) {
			t.Errorf("case %q is JSON", v)
		}
		if e := decodeValue(t, v); e == nil || e.Code != CodeBadJSON {
			t.Errorf("%q is not JSON: %v", v, e)
		}
	}
}

// Every beginning of a body is no body.
func TestSyntaxOfCutBodies(t *testing.T) {
	body := `{"user_id":"u\u00e4","features":{"a":[1.5,"x",[true,null]],"b":-0.5e+3},"context":{"c":false}}`
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	for n := range len(body) {
		var e *Error
		if err := d.Decode([]byte(body[:n]), req); !errors.As(err, &e) || e.Code != CodeBadJSON || e.Offset > n {
			t.Errorf("%q: %v", body[:n], err)
		}
	}
}

// A byte changed to any other byte is refused as JSON exactly when it is none.
func TestSyntaxOfChangedBytes(t *testing.T) {
	body := `{"user_id":"u1","features":{"a":[1.5,"x\n",true],"b":-0.5e3}}`
	d, req := NewDecoder(DefaultLimits()), new(router.Request)
	for i := range len(body) {
		for c := range 256 {
			changed := []byte(body)
			changed[i] = byte(c)
			var e *Error
			bad := errors.As(d.Decode(changed, req), &e) && e.Code == CodeBadJSON
			if bad == isJSON(string(changed)) {
				t.Errorf("%q: got %v", changed, e)
			}
		}
	}
}
