package jsonwire

import (
	"errors"
	"strings"
	"testing"
)

func decodeBatch(t *testing.T, body string) (*Batch, *Error) {
	t.Helper()
	b := new(Batch)
	return b, asError(t, NewDecoder(DefaultLimits()).DecodeBatch([]byte(body), b))
}

func TestBatchIsolatesWhatAnInstanceAsksFor(t *testing.T) {
	for instance, want := range map[string]string{
		`{}`:             `bad_request: user_id: is required`,
		`{"user_id":7}`:  `bad_request: user_id: must be a string, got a number`,
		`{"user_id":""}`: `bad_request: user_id: must be 1 to 256 bytes`,
		`{"user_id":"u","request_id":"` + tooLong + `"}`:                         `bad_request: request_id: must be 1 to 256 bytes`,
		`{"user_id":"u","features":[{"a":1},{"a":1}]}`:                           `bad_request: features: must be an object, got an array`,
		`{"user_id":"u","features":{"a":{"x":{}},"b":{"x":1}}}`:                  `bad_request: features.a: must be a number`,
		`{"user_id":"u","features":{"a":[{}]},"zzz":1}`:                          `bad_request: features.a: must be an array of numbers`,
		`{"user_id":"u","zzz":{"deep":[{"x":1}]},"yyy":[1],"features":{"a":{}}}`: `bad_request: zzz: is not a member of this request`,
		`{"user_id":"u","entities":{"m":null}}`:                                  `bad_request: entities.m: must be a string`,
		members("features", 5000):                                                `bad_request: features: holds more than 4096`,
		`5`:                                                                      `bad_request: an instance must be an object, got a number`,
		`null`:                                                                   `bad_request: an instance must be an object, got null`,
		`[{"user_id":"u"}]`:                                                      `bad_request: an instance must be an object, got an array`,
	} {
		b, e := decodeBatch(t, `{"instances":[{"user_id":"u0","features":{"a":1}},`+instance+`,{"user_id":"u2","model":"own"}],"model":"m","request_id":"r"}`)
		if e != nil {
			t.Errorf("%.80s refuses all: %v", instance, e)
			continue
		}
		if len(b.Items) != 3 || b.Items[0].Err != nil || b.Items[2].Err != nil {
			t.Errorf("%.80s: neighbours are refused: %+v", instance, b.Items)
		}
		if got := b.Items[1].Err; got == nil || !strings.HasPrefix(got.Error(), want) {
			t.Errorf("%.80s: got %v, want %s", instance, got, want)
		}
		first, last := show(&b.Items[0].Request), show(&b.Items[2].Request)
		if first != "user=u0 model=m features|a:2:1" || last != "user=u2 model=own" || string(b.RequestID) != "r" {
			t.Errorf("%.80s: neighbours are %q and %q, request id %q", instance, first, last, b.RequestID)
		}
	}
}

func TestBatchRefusesTheWhole(t *testing.T) {
	ok := `{"user_id":"u"}`
	for body, want := range map[string]string{
		``:                            `bad_json: expected a JSON object`,
		`[]`:                          `bad_request: the body must be a JSON object, got an array`,
		`{}`:                          `bad_request: instances: is required`,
		`{"instances":[]}`:            `bad_request: instances: is required: a list of at least one request`,
		`{"instances":{}}`:            `bad_request: instances: must be a list of requests, got an object`,
		`{"instances":null}`:          `bad_request: instances: must be a list of requests, got null`,
		`{"instances":[` + ok:         `bad_json: instances[0]: expected a comma or ], found the end of the body`,
		`{"instances":[` + ok + `,]}`: `bad_json: instances[1]: expected a value, found ']'`,
		`{"instances":[` + ok + `],"user_id":"u"}`:                                         `bad_request: user_id: is not a member of this request; known are instances, model, request_id`,
		`{"instance":[` + ok + `]}`:                                                        `bad_request: instance: is not a member of this request; did you mean "instances"?`,
		`{"requests":[` + ok + `]}`:                                                        `bad_request: requests: is not a member of this request; did you mean "instances"?`,
		`{"instances":[` + ok + `],"instances":[` + ok + `]}`:                              `bad_json: instances: member "instances" is there twice`,
		`{"instances":[` + ok + `],"model":1}`:                                             `bad_request: model: must be a string, got a number`,
		`{"instances":[` + ok + `],"request_id":"a b"}`:                                    `bad_request: request_id: must be visible ASCII`,
		`{"instances":[` + ok + `]}x`:                                                      `bad_json: expected nothing after the JSON object`,
		`{"instances":[` + ok + `,{"user_id":"u","user_id":"u"}]}`:                         `bad_json: instances[1].user_id: member "user_id" is there twice`,
		`{"instances":[{"user_id":"u","features":{"a":1,"a":2}}]}`:                         `bad_json: instances[0].features.a: member "a" is there twice`,
		`{"instances":[{"user_id":"u","zzz":1,"zzz":1}]}`:                                  `bad_json: instances[0].zzz: member "zzz" is there twice`,
		`{"instances":[{"user_id":"u","zzz":1,"yyy":{},"\u007azz":1}]}`:                    `bad_json: instances[0].zzz: member "zzz" is there twice`,
		`{"instances":[{"user_id":7,"features":{"a":01}}]}`:                                `bad_json: instances[0].features: expected no digit after a leading zero`,
		`{"instances":[{"user_id":"u","features":{"a":` + strings.Repeat("[", 40) + `}}]}`: `bad_json: instances[0].features: more than 32`,
		`{"instances":[` + strings.Repeat(ok+",", 256) + `5 5]}`:                           `bad_json: instances[256]: expected a comma or ]`,
		`{"model":"","instances":[` + ok + `,5]}`:                                          `bad_request: model: must be 1 to 256 bytes`,
		`{"instances":[` + strings.Repeat(ok+",", 256) + ok + `]}`:                         `bad_request: instances: holds more than 256 requests`,
		"{\"instances\":[{\"user_id\":\"\xff\"}]}":                                         `bad_json: the body is not valid UTF-8`,
	} {
		_, e := decodeBatch(t, body)
		if e == nil {
			t.Errorf("%.80s: accepted", body)
			continue
		}
		if !strings.HasPrefix(e.Error(), want) {
			t.Errorf("%.80s:\n got %s\nwant %s", body, e, want)
		}
	}
}

// Items of an earlier, larger batch must not show in a later one.
func TestBatchIsReused(t *testing.T) {
	d, b := NewDecoder(DefaultLimits()), new(Batch)
	first := `{"instances":[{"user_id":"a","features":{"x":1},"context":{"c":"\n"}},{"user_id":7,"request_id":"r"}],"model":"m","request_id":"r"}`
	if err := d.DecodeBatch([]byte(first), b); err != nil {
		t.Fatal(err)
	}
	if b.Items[1].Err == nil || string(b.Items[1].Request.RequestID) != "r" {
		t.Errorf("got %+v", b.Items[1])
	}
	if err := d.DecodeBatch([]byte(`{"instances":[{"user_id":"b"},{"user_id":"c"},{"user_id":"d"}]}`), b); err != nil {
		t.Fatal(err)
	}
	if len(b.Items) != 3 || b.Model != nil || b.RequestID != nil {
		t.Fatalf("got %+v", b)
	}
	for i, want := range []string{"user=b", "user=c", "user=d"} {
		if got := show(&b.Items[i].Request); got != want || b.Items[i].Err != nil {
			t.Errorf("item %d is %q (%v), want %q", i, got, b.Items[i].Err, want)
		}
	}
}

func TestBatchGivesBackLargeMemory(t *testing.T) {
	d, b := NewDecoder(DefaultLimits()), new(Batch)
	large := strings.TrimSuffix(strings.Repeat(members("features", 250)+",", 100), ",")
	if err := d.DecodeBatch([]byte(`{"instances":[`+large+`]}`), b); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if b.Items != nil {
		t.Errorf("keeps %d items", cap(b.Items))
	}
	var e *Error
	if err := d.DecodeBatch(nil, b); !errors.As(err, &e) || e.Code != CodeBadJSON {
		t.Errorf("an empty body: %v", err)
	}
}
