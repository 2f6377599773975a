package jsonwire

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hotpath/router/httpapi/jsonscan/jsonscantest"
)

func showAssign(a *Assign) string {
	s := show(&a.Request)
	if a.Experiment != nil {
		s += " experiment=" + string(a.Experiment)
	}
	if a.Look {
		s += " look"
	}
	if a.Err != nil {
		s += " " + a.Err.Field
	}
	return s
}

func TestDecodeAssign(t *testing.T) {
	d, b := NewDecoder(DefaultLimits()), new(AssignBatch)
	for body, want := range map[string]string{
		`{"user_id":"u"}`: "user=u",
		`{"experiment":"e","expose":false,"entities":{"s":1},"context":{"c":true},"model":"m","request_id":"r"}`:                                     "user= model=m id=r entities|s:2:1 context|c:1:true experiment=e look",
		`{"instances":[{"user_id":"a"},{"user_id":"b","expose":true,"model":"n"},{"user_id":"c","experiment":"f"}],"expose":false,"experiment":"e"}`: "user=a experiment=e look; user=b model=n; user=c experiment=f look",
		`{"model":"m","instances":[{"user_id":"a"},{"user_id":7},{}]}`:                                                                               "user=a model=m; user= model=m user_id; user= model=m user_id",
	} {
		if err := d.DecodeAssign([]byte(body), b); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		var all []string
		for i := range b.Items {
			all = append(all, showAssign(&b.Items[i]))
		}
		if got := strings.Join(all, "; "); got != want || b.Single != !strings.Contains(body, "instances") {
			t.Errorf("%s:\n got %s (single %v)\nwant %s", body, got, b.Single, want)
		}
	}
	if err := d.DecodeAssign([]byte(`{"request_id":"r","user_id":7}`), b); err == nil || string(b.RequestID) != "r" {
		t.Errorf("%v, and the id is %q", err, b.RequestID)
	}
}

func TestDecodeAssignAllocatesNothing(t *testing.T) {
	d, b := NewDecoder(DefaultLimits()), new(AssignBatch)
	for _, body := range []string{`{"user_id":"u","experiment":"e","context":{"a":1,"b":"\u0061"}}`, `{"instances":[{"user_id":"u"},{"entities":{"a":7}}],"expose":false}`} {
		bytes := []byte(body)
		wantAllocs(t, body, 0, func() {
			if err := d.DecodeAssign(bytes, b); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// referAssign says whether a body that is JSON is one good request.
func referAssign(body []byte, l Limits) (ok, batch bool) {
	var top map[string]jsontext.Value
	if jsontext.Value(body).Kind() != '{' || json.Unmarshal(body, &top) != nil {
		return false, false
	}
	_, batch = top["instances"]
	var s string
	if v, there := top["experiment"]; there && (!text(v, &s) || !idAllowed(s, l)) {
		return false, batch
	}
	if v, there := top["expose"]; there && v.Kind() != 't' && v.Kind() != 'f' {
		return false, batch
	}
	if _, there := top["features"]; there {
		return false, batch
	}
	members := 0
	for _, name := range []string{"user_id", "entities", "context"} {
		var list map[string]jsontext.Value
		if v, there := top[name]; there && (name == "user_id" || json.Unmarshal(v, &list) == nil && len(list) > 0) {
			members++
		}
	}
	if _, there := top["user_id"]; !there {
		top["user_id"] = jsontext.Value(`"u"`)
	}
	delete(top, "experiment")
	delete(top, "expose")
	r := reference{texts: map[string]string{}}
	return r.request(top, l) && members > 0, batch
}

func FuzzAssign(f *testing.F) {
	for _, s := range []string{`{"user_id":"u","experiment":"e","expose":false}`, `{"entities":{"a":1}}`, `{"context":{"a":[]}}`, `{"instances":[{"user_id":"u"},{},7]}`, `{"expose":1,"user_id":"u"}`, `{"entities":{}}`} {
		f.Add([]byte(s))
	}
	d, b := NewDecoder(fuzzLimits()), new(AssignBatch)
	f.Fuzz(func(t *testing.T, body []byte) {
		e := asError(t, d.DecodeAssign(body, b))
		valid := jsontext.Value(body).IsValid() && jsonscantest.Depth(body) <= fuzzLimits().Depth
		if valid == (e != nil && e.Code == CodeBadJSON) {
			t.Fatalf("%q: valid %v, error %v", body, valid, e)
		}
		if !valid {
			return
		}
		ok, batch := referAssign(body, fuzzLimits())
		if !batch && ok != (e == nil) {
			t.Fatalf("%q: error %v, reference accepts it: %v", body, e, ok)
		}
		if e == nil && (len(b.Items) == 0 || len(b.Items) > fuzzLimits().Instances || b.Single == batch) {
			t.Fatalf("%q: %d items, single %v", body, len(b.Items), b.Single)
		}
	})
}
