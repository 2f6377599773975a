package jsonwire

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hotpath/models"
	"hotpath/router"
	"hotpath/router/httpapi/jsonscan/jsonscantest"
)

// fuzzLimits are small, so that a fuzzer can reach them.
func fuzzLimits() Limits {
	return Limits{Depth: 6, Features: 70, Entities: 3, Context: 3, IDBytes: 12, KeyBytes: 12, Instances: 4}
}

func addSeeds(f *testing.F) {
	f.Helper()
	for _, c := range refusals {
		if len(c.body) < 1000 {
			f.Add([]byte(c.body))
		}
	}
	for _, v := range append(goodValues, badValues...) {
		f.Add([]byte(`{"user_id":"u","features":{"f":` + v + `}}`))
	}
	f.Add([]byte(members("features", 70)))
	f.Add(featureBody(30))
	f.Add(tensorBody())
	f.Add([]byte(`{"user_id":"\u0061","model":"m","request_id":"r","entities":{"m":1},"context":{"c":"d"}}`))
}

// agree compares what the decoder said of one request with the reference.
func agree(t *testing.T, body []byte, req *router.Request, e *Error, ref reference) {
	t.Helper()
	switch {
	case (e == nil) != (ref.json && !ref.deep && ref.wanted):
		t.Fatalf("%q: error %v, reference %+v", body, e, ref)
	case e != nil && e.Code == CodeBadJSON && ref.json && !ref.deep:
		t.Fatalf("%q is JSON: %v", body, e)
	case e != nil:
		return
	}
	if string(req.UserID) != ref.userID || string(req.Model) != ref.model {
		t.Fatalf("%q: user %q model %q, reference %+v", body, req.UserID, req.Model, ref)
	}
	seen := 0
	check := func(section string, values []models.Value) {
		for _, v := range values {
			want, there := ref.texts[section+"."+string(v.Key)]
			if !there || v.Kind == models.KindString && string(v.Raw) != want {
				t.Fatalf("%q: %s.%s is %q, reference %+v", body, section, v.Key, v.Raw, ref)
			}
			if v.Kind != models.KindString && !jsontext.Value(v.Raw).IsValid() {
				t.Fatalf("%q: %s.%s is not JSON: %q", body, section, v.Key, v.Raw)
			}
			seen++
		}
	}
	check("features", req.Features)
	check("entities", req.Entities)
	check("context", req.Context)
	if seen != len(ref.texts) {
		t.Fatalf("%q: %d members, reference %+v", body, seen, ref)
	}
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	return e
}

func FuzzDecode(f *testing.F) {
	addSeeds(f)
	d, req := NewDecoder(fuzzLimits()), new(router.Request)
	f.Fuzz(func(t *testing.T, body []byte) {
		e := asError(t, d.Decode(body, req))
		agree(t, body, req, e, refer(body, fuzzLimits()))
	})
}

// FuzzBatch puts an instance between two good ones: its mistakes are its own
// unless they are mistakes of syntax.
func FuzzBatch(f *testing.F) {
	addSeeds(f)
	d, b := NewDecoder(fuzzLimits()), new(Batch)
	f.Fuzz(func(t *testing.T, instance []byte) {
		const before, after = `{"instances":[{"user_id":"u0"},`, `,{"user_id":"u2"}],"model":"dm"}`
		body := []byte(before + string(instance) + after)
		e := asError(t, d.DecodeBatch(body, b))
		if !jsontext.Value(body).IsValid() || jsonscantest.Depth(body) > fuzzLimits().Depth {
			if e == nil || e.Code != CodeBadJSON {
				t.Fatalf("%q is not JSON: %v", body, e)
			}
			return
		}
		if !jsontext.Value(instance).IsValid() { // it closed the list: another batch than the one meant
			return
		}
		if e != nil {
			t.Fatalf("%q: %v", body, e)
		}
		if len(b.Items) != 3 || b.Items[0].Err != nil || b.Items[2].Err != nil || string(b.Items[2].Request.UserID) != "u2" {
			t.Fatalf("%q: %+v", body, b.Items)
		}
		ref := refer(instance, fuzzLimits())
		if ref.model == "" {
			ref.model = "dm"
		}
		agree(t, body, &b.Items[1].Request, b.Items[1].Err, ref)
	})
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é€😀", "\xff\xc0\x80\xed\xa0\x80", "\u2028\u2029<>&", "abc\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := AppendString([]byte("x"), s)[1:]
		if string(AppendBytes(nil, []byte(s))) != string(got) {
			t.Fatalf("%q: bytes and string differ", s)
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q gives %s: %v", s, got, err)
		}
		if want := string([]rune(s)); back != want {
			t.Fatalf("%q reads back as %q, want %q", s, back, want)
		}
	})
}
