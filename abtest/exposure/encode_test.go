package exposure_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hotpath/abtest"
	"hotpath/abtest/exposure"
)

// TestLines pins the schema: change docs/exposures.md with it.
func TestLines(t *testing.T) {
	full := event("user-1")
	full.Degraded = []string{"features", "fallback_variant"}
	full.NonFinite = true
	bare := &exposure.Event{At: -1, Unit: []byte("s"), UnitName: "session", Experiment: "e", Assigned: "a", Reason: abtest.ReasonForced, Model: "m",
		Via: exposure.Flag, Code: "timeout"}
	nan := event("user-1")
	nan.Score = math.NaN()
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"everything", exposure.AppendExposure(nil, full), `{"schema":1,"type":"exposure","at":"2026-11-26T02:30:00.000000005Z","unit":"user","id":"user-1",` +
			`"experiment":"ranker-test","variant":"treatment","served_variant":"treatment","reason":"split","bucket":4711,"model":"ranker","version":3,` +
			`"via":"predict","code":"ok","degraded":["features","fallback_variant"],"latency_ns":412345,"score":0.8125,"non_finite":true,` +
			`"plan":"01020300000000000000000000000000","generation":7,"request_id":"r-user-1"}`},
		{"as little as there can be", exposure.AppendExposure(nil, bare), `{"schema":1,"type":"exposure","at":"1969-12-31T23:59:59.999999999Z","unit":"session","id":"s",` +
			`"experiment":"e","variant":"a","reason":"forced","bucket":0,"model":"m","version":0,"via":"flag","code":"timeout",` +
			`"plan":"00000000000000000000000000000000","generation":0}`},
		{"feedback", exposure.AppendFeedback(nil, &exposure.Feedback{At: full.At, ID: []byte("f"), RequestID: []byte("r"), Unit: []byte("u"), Experiment: []byte("e"),
			Outcome: []byte("label"), Value: -1e21}),
			`{"schema":1,"type":"feedback","at":"2026-11-26T02:30:00.000000005Z","outcome":"label","value":-1e+21,"unit":"user","id":"u","experiment":"e",` +
				`"request_id":"r","feedback_id":"f"}`},
	} {
		if string(c.got) != c.want+"\n" {
			t.Errorf("%s: %s\nnot %s", c.name, c.got, c.want)
		}
	}
	if line := exposure.AppendExposure(nil, nan); strings.Contains(string(line), "score") {
		t.Errorf("a NaN is in %s", line)
	}
}

// texts that are awkward in JSON.
var awkward = []string{"", "plain", `quote " and \ and /`, "line\nfeed\rtab\tnul\x00bell\x07del\x7f", "ünïcødé 漢字 😀", "\u2028\u2029", "\xff\xfe", "cut \xe6\xbc", "\xed\xa0\x80 surrogate",
	"<script>&", strings.Repeat("long ", 50)}

func TestAwkwardTextsAreReadBack(t *testing.T) {
	for _, s := range awkward {
		e := event("x" + s)
		e.Experiment, e.Model, e.Code, e.Degraded = "e"+s, s, s, []string{s, "more"}
		roundTrip(t, e)
	}
}

// roundTrip wants a line to say what encoding/json reads in it, and the decoder to
// return the event but for what is not UTF-8.
func roundTrip(t *testing.T, e *exposure.Event) {
	t.Helper()
	line := exposure.AppendExposure(nil, e)
	if !utf8.Valid(line) || strings.Count(string(line), "\n") != 1 {
		t.Fatalf("the line is %q", line)
	}
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	valid := func(s string) string { return string([]rune(s)) }
	if fields["id"] != valid(string(e.Unit)) || fields["model"] != valid(e.Model) || fields["variant"] != valid(e.Assigned) {
		t.Errorf("%s does not say %q, %q", line, e.Unit, e.Model)
	}
	got, _, err := exposure.NewDecoder().Decode(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	want := *e
	want.Unit, want.RequestID = []byte(valid(string(e.Unit))), []byte(valid(string(e.RequestID)))
	for _, s := range []*string{&want.UnitName, &want.Experiment, &want.Assigned, &want.Served, &want.Model, &want.Code} {
		*s = valid(*s)
	}
	want.Degraded = nil
	for _, d := range e.Degraded {
		want.Degraded = append(want.Degraded, valid(d))
	}
	if len(want.RequestID) == 0 {
		want.RequestID = got.RequestID[:0:0]
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("read %+v\nnot  %+v", *got, want)
	}
}

func FuzzLines(f *testing.F) {
	for _, s := range awkward {
		f.Add(s, int64(1), 0.5, uint16(9))
	}
	f.Fuzz(func(t *testing.T, s string, at int64, score float64, bucket uint16) {
		if math.IsNaN(score) || math.IsInf(score, 0) {
			return
		}
		e := event("x" + s)
		e.At, e.Score, e.Bucket = at, score, bucket
		e.Experiment, e.Assigned, e.Served, e.Model = "e"+s, s, s, s
		roundTrip(t, e)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(exposure.AppendExposure(nil, event("u")))
	f.Add(exposure.AppendFeedback(nil, feedback("u", "f")))
	f.Add([]byte(`{"schema":1,"type":"exposure","at":"x","degraded":[1]}`))
	d := exposure.NewDecoder()
	f.Fuzz(func(t *testing.T, line []byte) {
		e, r, err := d.Decode(line)
		if n := 0; err != nil {
			if e != nil || r != nil {
				t.Errorf("a record and %v", err)
			}
		} else if n += len(line); (e == nil) == (r == nil) || n == 0 {
			t.Errorf("%v, %v of %q", e, r, line)
		}
	})
}

func TestDecodeOfOtherLines(t *testing.T) {
	const start = `{"schema":1,"type":"exposure","at":"2026-11-26T02:30:00Z","reason":"split","via":"infer"`
	d := exposure.NewDecoder()
	for _, c := range []struct {
		line string
		want string // part of the error; empty: none
	}{
		{start + `,"id":"u","experiment":"e"}`, ""},
		{` {"via" : "infer","reason":"sticky", "id":"u","experiment":"e", "at":"2026-11-26T03:30:00.5+01:00","type":"exposure" , "schema":1 } ` + "\r\n", ""},
		{start + `,"id":"u","experiment":"e","new":{"a":[1,{"b":null}]},"other":null,"score":null,"degraded":null}`, ""},
		{start + `,"id":"u","experiment":"e","degraded":["a","b","c","d","e"]}`, ""},
		{`{"schema":2,"type":"exposure"}`, "unknown type or schema"},
		{`{"schema":1,"type":"heartbeat"}`, "unknown type or schema"},
		{`{}`, "unknown type or schema"},
		{start + `,"experiment":"e"}`, "lacks its id"},
		{start + `,"id":"u"}`, "lacks its id or experiment"},
		{strings.Replace(start, "split", "whim", 1) + `,"id":"u","experiment":"e"}`, `unknown reason "whim"`},
		{strings.Replace(start, "infer", "post", 1) + `,"id":"u","experiment":"e"}`, `unknown via "post"`},
		{strings.Replace(start, "T", " ", 1) + `,"id":"u","experiment":"e"}`, "parsing time"},
		{`{"schema":1,"type":"feedback","at":"2026-11-26T02:30:00Z"}`, "lacks its outcome"},
		{`{"schema":1,"type":"feedback","at":"2026","outcome":"o"}`, "parsing time"},
		{start + `,"id":7,"experiment":"e"}`, "jsontext"},
		{start + `,"id":"u","experiment":"e","bucket":"1"}`, "invalid syntax"},
		{start + `,"id":"u","experiment":"e","score":[]}`, "invalid syntax"},
		{start + `,"id":"u","experiment":"e","degraded":{}}`, "not an array"},
		{start + `,"id":"u","experiment":"e","plan":"zz020300000000000000000000000000"}`, "invalid byte"},
		{start + `,"id":"u","experi`, "unexpected EOF"},
		{start + `,"id":"u","experiment":"e"} {}`, "follows"},
		{`[1]`, "not an object"},
		{`garbage`, "jsontext"},
		{"\x00\x00\x00", "jsontext"},
		{``, "EOF"},
	} {
		e, r, err := d.Decode([]byte(c.line))
		switch {
		case c.want == "" && (err != nil || e == nil || r != nil || string(e.Unit) != "u" || e.Experiment != "e"):
			t.Errorf("%s: %+v, %v", c.line, e, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, not %q", c.line, err, c.want)
		case strings.Contains(c.want, "unknown type") != errors.Is(err, exposure.ErrUnknown):
			t.Errorf("%s: %v", c.line, err)
		}
	}
	if e, _, _ := d.Decode([]byte(start + `,"id":"u","experiment":"e"}`)); e == nil || len(e.Degraded) != 0 || e.HasScore {
		t.Errorf("fields of an earlier line are left in %+v", e)
	}
	e, _, err := d.Decode([]byte(`{"via":"infer","reason":"sticky","id":"u","experiment":"e","at":"2026-11-26T03:30:00.5+01:00","type":"exposure","schema":1}`))
	if want := time.Date(2026, 11, 26, 2, 30, 0, 5e8, time.UTC).UnixNano(); err != nil || e.At != want {
		t.Errorf("%v: at %d, not %d", err, e.At, want)
	}
}
