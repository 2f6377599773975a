package jsonwire

import (
	"math"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hotpath/router/httpapi/jsonscan/jsonscantest"
)

// FuzzFeedback: whatever is accepted can be kept and joined, and a body that is no
// JSON is not accepted.
func FuzzFeedback(f *testing.F) {
	for _, s := range []string{`{"user_id":"u","outcome":"x"}`, `{"request_id":"r","outcome":"x","value":-1.5e3,"at":"2027-01-31T08:00:00Z","id":"i","experiment":"e"}`,
		`{"unit":"s","unit_id":"i","outcome":"x"}`, `{"outcomes":[{"user_id":"u","outcome":"x"},{"user_id":"u"},7]}`, `{"outcomes":[]}`, `{"user_id":"u","outcome":"x","value":1e999}`,
		`{"user_id":"u","outcome":"x","at":"0001-01-01T00:00:00Z"}`, `{"user_id":"u","outcome":"x","at":"9999-12-31T23:59:59Z"}`} {
		f.Add([]byte(s))
	}
	d, b := NewDecoder(fuzzLimits()), new(FeedbackBatch)
	now := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte) {
		e := asError(t, d.DecodeFeedback(body, now, b))
		valid := jsontext.Value(body).IsValid() && jsonscantest.Depth(body) <= fuzzLimits().Depth
		if valid == (e != nil && e.Code == CodeBadJSON) {
			t.Fatalf("%q: valid %v, error %v", body, valid, e)
		}
		if e != nil {
			return
		}
		if len(b.Items) == 0 || len(b.Items) > fuzzLimits().Instances || b.Single && b.Items[0].Err != nil {
			t.Fatalf("%q: %d items", body, len(b.Items))
		}
		for _, item := range b.Items {
			joined := len(item.RequestID) > 0 && item.Unit == nil && item.UnitName == nil || item.RequestID == nil && len(item.Unit) > 0
			if item.Err == nil && (!joined || len(item.Outcome) == 0 || len(item.Outcome) > maxOutcome || len(item.UnitName) > maxOutcome ||
				math.IsNaN(item.Value) || math.IsInf(item.Value, 0) || item.At < 0 || item.At > now.Add(maxAhead).UnixNano()) {
				t.Fatalf("%q: accepted %+v", body, item)
			}
		}
	})
}

func TestDecodeFeedbackAllocatesNothing(t *testing.T) {
	d, b, now := NewDecoder(DefaultLimits()), new(FeedbackBatch), time.Now()
	body := []byte(`{"outcomes":[{"user_id":"u","outcome":"x"},{"request_id":"r","outcome":"y","value":12.5,"id":"i"}]}`)
	wantAllocs(t, "feedback", 0, func() {
		if err := d.DecodeFeedback(body, now, b); err != nil {
			t.Fatal(err)
		}
	})
}
