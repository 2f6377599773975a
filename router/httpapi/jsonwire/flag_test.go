package jsonwire

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hotpath/router"
	"hotpath/router/httpapi/jsonscan/jsonscantest"
)

func TestDecodeFlag(t *testing.T) {
	for body, want := range map[string]string{
		`{}`:                              "user=",
		`{"context":{}}`:                  "user=",
		`{"context":{"targetingKey":""}}`: "user=",
		`{"context":{"targetingKey":"\u0061"},"flags":[{}]}`:                                               "user=a",
		`{"context":{"targetingKey":"u","a":1,"b":"x","c":true,"d":null,"list":[{"x":[1]}]}}`:              "user=u context|a:2:1|b:3:x|c:1:true|d:0:null",
		`{"context":{"user":{"country":"de","deep":{"\u0061":7}},"targetingKey":"u","o":{},"l":{"m":[]}}}`: "user=u context|user.country:3:de|user.deep.a:2:7",
		`{"context":{"user":{"targetingKey":"x"}}}`:                                                        "user= context|user.targetingKey:3:x",
	} {
		var req router.Request
		if err := NewDecoder(DefaultLimits()).DecodeFlag([]byte(body), &req); err != nil {
			t.Errorf("%s: %v", body, err)
		} else if got := show(&req); got != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
}

// flatten is the reference for attributes.
func flatten(prefix string, v jsontext.Value, l Limits, all map[string]int) (n int, ok bool) {
	var list map[string]jsontext.Value
	if json.Unmarshal(v, &list) != nil {
		return 0, false
	}
	for name, v := range list {
		path := prefix + name
		switch {
		case prefix == "" && name == "targetingKey", v.Kind() == '[':
			continue
		case v.Kind() == '{':
			inner, ok := flatten(path+".", v, l, all)
			if !ok {
				return 0, false
			}
			n += inner
			continue
		case path == "" || len(path) > l.KeyBytes:
			return 0, false
		}
		all[path]++
		n++
	}
	return n, true
}

func FuzzFlag(f *testing.F) {
	for _, s := range []string{`{"context":{"targetingKey":"u","a":{"b":{"c":1}},"d":[1,{"e":2}]}}`, `{"context":7}`, `{"context":{"":1}}`, `{"context":{"targetingKey":7}}`,
		`{"x":{"context":{}},"context":{"a.b":1,"a":{"b":2}}}`, `{"context":{"a":1,"a":2}}`, `{"context":{"a":{"":1}}}`} {
		f.Add([]byte(s))
	}
	l := fuzzLimits()
	d, req := NewDecoder(l), new(router.Request)
	f.Fuzz(func(t *testing.T, body []byte) {
		e := asError(t, d.DecodeFlag(body, req))
		valid := jsontext.Value(body).IsValid() && jsonscantest.Depth(body) <= l.Depth
		if valid == (e != nil && e.Code == CodeBadJSON) {
			t.Fatalf("%q: valid %v, error %v", body, valid, e)
		}
		var top, context map[string]jsontext.Value
		if !valid {
			return
		}
		ok := jsontext.Value(body).Kind() == '{' && json.Unmarshal(body, &top) == nil
		all, key := map[string]int{}, ""
		if v, there := top["context"]; ok && there {
			var n int
			n, ok = flatten("", v, l, all)
			ok = ok && n <= l.Context && json.Unmarshal(v, &context) == nil
			if v, there := context["targetingKey"]; ok && there {
				ok = text(v, &key) && (key == "" || idAllowed(key, l))
			}
		}
		if ok != (e == nil) {
			t.Fatalf("%q: error %v, reference accepts it: %v", body, e, ok)
		}
		if e != nil {
			return
		}
		got := map[string]int{}
		for _, v := range req.Context {
			got[string(v.Key)]++
		}
		if fmt.Sprint(got) != fmt.Sprint(all) || string(req.UserID) != key {
			t.Fatalf("%q: user %q, %v; reference %q, %v", body, req.UserID, got, key, all)
		}
	})
}
