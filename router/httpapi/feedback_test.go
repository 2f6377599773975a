package httpapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/abtest/exposure"
)

// outcomes is a log that has room for some.
type outcomes struct {
	mu   sync.Mutex
	room int
	all  []string
	last int64 // when the last one happened
}

func (o *outcomes) take(f *exposure.Feedback) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.room == 0 {
		return false
	}
	o.room--
	o.last = f.At
	o.all = append(o.all, fmt.Sprintf("%s|%s|%s|%s|%s|%s=%v", f.RequestID, f.UnitName, f.Unit, f.Experiment, f.ID, f.Outcome, f.Value))
	return true
}

func startFeedback(t testing.TB, room int) (*port, *outcomes) {
	t.Helper()
	o := &outcomes{room: room}
	return start(t, func(s *setup) { s.handler.Feedback = o.take }), o
}

func TestFeedback(t *testing.T) {
	p, o := startFeedback(t, 100)
	for body, want := range map[string]string{
		`{"request_id":"r-1","outcome":"click"}`:                                               "r-1|||||click=1",
		`{"user_id":"u","outcome":"purchase","value":12.5,"experiment":"e","id":"order-7"}`:    "||u|e|order-7|purchase=12.5",
		`{"unit":"session","unit_id":"s 1","outcome":"label","value":-0e3}`:                    "|session|s 1|||label=0",
		`{"user_id":"u","outcome":"late","at":"2020-01-31T08:00:00.5+01:00"}`:                  "||u|||late=1",
		`{"outcomes":[{"user_id":"a","outcome":"x","value":0},{"user_id":"b","outcome":"y"}]}`: "||a|||x=0\n||b|||y=1",
	} {
		for _, path := range []string{"/feedback", "/v1/feedback"} {
			o.all = nil
			got := p.post(t, path, body)
			if answer := fmt.Sprintf(`{"accepted":%d,"rejected":[]}`, strings.Count(want, "\n")+1); got.status != 202 || got.body != answer {
				t.Errorf("%s: %d %s", body, got.status, got.body)
			}
			if heard := strings.Join(o.all, "\n"); strings.Replace(heard, "=-0", "=0", 1) != want {
				t.Errorf("%s: %q, want %q", body, heard, want)
			}
			at := time.Unix(0, o.last)
			if late := time.Date(2020, 1, 31, 7, 0, 0, 5e8, time.UTC); strings.Contains(body, `"at"`) && !at.Equal(late) {
				t.Errorf("%s happened at %s", body, at)
			} else if !strings.Contains(body, `"at"`) && time.Since(at) > time.Minute {
				t.Errorf("%s happened at %s", body, at)
			}
		}
	}
	if n := p.metric(t, "hotpath_requests_total", "route", "feedback", "code", "ok"); n != 10 {
		t.Errorf("%v requests counted", n)
	}
}

func TestFeedbackRefusals(t *testing.T) {
	p, o := startFeedback(t, 100)
	ahead := time.Now().Add(10 * time.Minute).Format(time.RFC3339)
	for _, c := range []struct{ body, code, field string }{
		{`{`, "bad_json", ""},
		{`{"user_id":"u","outcome":"x","outcome":"x"}`, "bad_json", "outcome"},
		{`7`, "bad_request", ""},
		{`{}`, "bad_request", "request_id"},
		{`{"outcome":"x"}`, "bad_request", "request_id"},
		{`{"user_id":"u"}`, "bad_request", "outcome"},
		{`{"user_id":"u","request_id":"r","outcome":"x"}`, "bad_request", "request_id"},
		{`{"unit":"session","outcome":"x"}`, "bad_request", "request_id"},
		{`{"unit_id":"s","outcome":"x"}`, "bad_request", "request_id"},
		{`{"user_id":"u","outcome":""}`, "bad_request", "outcome"},
		{`{"user_id":"u","outcome":"` + strings.Repeat("x", 65) + `"}`, "bad_request", "outcome"},
		{`{"user_id":"` + strings.Repeat("x", 257) + `","outcome":"x"}`, "bad_request", "user_id"},
		{`{"user_id":"u","outcome":"x","value":"1"}`, "bad_request", "value"},
		{`{"user_id":"u","outcome":"x","value":1e999}`, "bad_request", "value"},
		{`{"user_id":"u","outcome":"x","value":NaN}`, "bad_json", ""},
		{`{"user_id":"u","outcome":"x","at":1700000000}`, "bad_request", "at"},
		{`{"user_id":"u","outcome":"x","at":"yesterday"}`, "bad_request", "at"},
		{`{"user_id":"u","outcome":"x","at":"` + ahead + `"}`, "bad_request", "at"},
		{`{"user_id":"u","outcome":"x","at":"1812-01-01T00:00:00Z"}`, "bad_request", "at"},
		{`{"user_id":"u","outcome":"x","weight":1}`, "bad_request", "weight"},
		{`{"outcomes":[]}`, "bad_request", "outcomes"},
		{`{"outcomes":[{"user_id":"u","outcome":"x"}],"user_id":"u"}`, "bad_request", "outcomes"},
		{`{"outcomes":[` + strings.Repeat(`{"user_id":"u","outcome":"x"},`, 256) + `{}]}`, "bad_request", "outcomes"},
	} {
		got := p.post(t, "/feedback", c.body)
		if e := got.failure(t); e.Code != c.code || e.Field != c.field {
			t.Errorf("%.80s: %d %s", c.body, got.status, got.body)
		}
	}
	if len(o.all) != 0 {
		t.Errorf("accepted: %v", o.all)
	}
	got := p.post(t, "/feedback", `{"outcomes":[{"user_id":"u","outcome":"x"},{"user_id":"u"},7]}`)
	if got.status != 202 || got.body != `{"accepted":1,"rejected":[{"index":1,"code":"bad_request","field":"outcome","message":"is required: the name of what happened, such as \"outcome\":\"purchase\" (byte 43)"},`+
		`{"index":2,"code":"bad_request","message":"an outcome must be an object, got a number (byte 59)"}]}` {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestFeedbackUnderPressure: what finds no room is said to have found none, and the
// whole is refused where that is all of it.
func TestFeedbackUnderPressure(t *testing.T) {
	p, _ := startFeedback(t, 1)
	got := p.post(t, "/feedback", `{"outcomes":[{"user_id":"u","outcome":"x"},{"user_id":"v","outcome":"x"}]}`)
	if got.status != 202 || !strings.HasPrefix(got.body, `{"accepted":1,"rejected":[{"index":1,"code":"overloaded","message":`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = p.post(t, "/feedback", `{"outcomes":[{"user_id":"u","outcome":"x"},{"user_id":"v"}]}`)
	if got.status != 503 || got.code(t) != "overloaded" || got.header.Get("Retry-After") != "1" {
		t.Errorf("%+v", got)
	}
	p.Pipeline.Drain()
	if got := p.post(t, "/feedback", `{"user_id":"u","outcome":"x"}`); got.code(t) != "draining" {
		t.Errorf("draining: %+v", got)
	}
	off := start(t, nil)
	if got := off.post(t, "/feedback", `{"user_id":"u","outcome":"x"}`); got.status != 404 || got.code(t) != "not_found" || !strings.Contains(got.body, "experiments.file") {
		t.Errorf("off: %+v", got)
	}
}
