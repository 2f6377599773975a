package jsonscan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"hotpath/router/httpapi/jsonscan/jsonscantest"
)

// depth is small, so that a fuzzer can reach it.
const depth = 6

func newScanner() *Scanner {
	s := New(Options{Depth: depth, Path: func(key []byte) string { return "at:" + Shown(key) }})
	return &s
}

// read reads a whole body, as a decoder that expects nothing does.
func read(s *Scanner, body []byte) (err *Error) {
	s.Begin(body, s.Arena)
	defer s.End()
	i, err := s.Start()
	if err == nil {
		_, _, i, err = s.Value(i, 0)
	}
	if err == nil {
		err = s.Finish(i)
	}
	return err
}

// object is an object with n members.
func object(n int, tail string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"name%d":%d,`, i, i)
	}
	return b.String() + `"last":1` + tail
}

// FuzzValue compares with json/v2, and looks that nothing of a body stays in the
// scanner.
func FuzzValue(f *testing.F) {
	for _, body := range []string{`{}`, `[1,{"a":[]}]`, `"\u0061\ud83d\ude00"`, `-1.5e+3`, `{"a":1,"\u0061":2}`, `[[[[[[1]]]]]]`, `[[[[[[[1]]]]]]]`, "\xef\xbb\xbf{}",
		`{"a":{"b":{"a":1,"b":2}},"b":3}`, "{\"a\":\"\xff\"}", `[1 2]`, object(80, "}"), object(80, `,"name3":1}`), object(80, ``), `truE`, `[01]`, `"\x"`} {
		f.Add([]byte(body))
	}
	s := newScanner()
	f.Fuzz(func(t *testing.T, body []byte) {
		err := read(s, body)
		if want := jsontext.Value(body).IsValid() && jsonscantest.Depth(body) <= depth; (err == nil) != want {
			t.Fatalf("%q: error %v, want it accepted: %v", body, err, want)
		}
		if s.names.used != 0 || len(s.names.list) != 0 {
			t.Fatalf("%q leaves %d names and %d slots behind", body, len(s.names.list), s.names.used)
		}
	})
}

func TestErrorsNameThePlace(t *testing.T) {
	s := newScanner()
	for body, want := range map[string]string{
		`{"a":1,"a":2}`: `at:a: member "a" is there twice; send it once (byte 7)`,
		`[1,]`:          `at:: expected a value, found ']' (byte 3)`,
		`[NaN]`:         `at:: expected a value: JSON has no NaN, no Infinity, and no number that begins with a plus sign or a decimal point (byte 1)`,
		``:              `at:: expected a JSON object, found the end of the body (byte 0)`,
	} {
		if err := read(s, []byte(body)); err == nil || err.Error() != CodeBadJSON+": "+want {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
}
