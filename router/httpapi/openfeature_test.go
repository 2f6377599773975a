package httpapi_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"

	"hotpath/abtest"
	"hotpath/router"
)

// openFeature is a client of the OpenFeature SDK whose provider asks the port.
func openFeature(t *testing.T, p *port, options ...ofrep.Option) *openfeature.Client {
	t.Helper()
	options = append(options, ofrep.WithClient(p.client))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := openfeature.SetNamedProviderWithContextAndWait(ctx, t.Name(), ofrep.NewProvider("http://"+p.addr, options...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := openfeature.ShutdownWithContext(ctx); err != nil {
			t.Error(err)
		}
	})
	return openfeature.NewClient(t.Name())
}

// evaluation is what a client of the SDK gets.
type evaluation struct {
	value           any
	variant         string
	reason          openfeature.Reason
	failure         openfeature.ErrorCode
	metadataReason  any
	metadataVersion any
}

func evaluated(value any, d openfeature.EvaluationDetails) evaluation {
	return evaluation{value, d.Variant, d.Reason, d.ErrorCode, d.FlagMetadata["reason"], d.FlagMetadata["version"]}
}

// evaluate asks for a flag of the type of its default.
func evaluate(client *openfeature.Client, flag string, byDefault any, who openfeature.EvaluationContext) evaluation {
	ctx := context.Background()
	switch v := byDefault.(type) {
	case bool:
		d, _ := client.BooleanValueDetails(ctx, flag, v, who)
		return evaluated(d.Value, d.EvaluationDetails)
	case string:
		d, _ := client.StringValueDetails(ctx, flag, v, who)
		return evaluated(d.Value, d.EvaluationDetails)
	case int64:
		d, _ := client.IntValueDetails(ctx, flag, v, who)
		return evaluated(d.Value, d.EvaluationDetails)
	case float64:
		d, _ := client.FloatValueDetails(ctx, flag, v, who)
		return evaluated(d.Value, d.EvaluationDetails)
	}
	d, _ := client.ObjectValueDetails(ctx, flag, byDefault, who)
	return evaluated(d.Value, d.EvaluationDetails)
}

// TestOpenFeature has the OpenFeature SDK with its own provider evaluate experiments
// as flags.
func TestOpenFeature(t *testing.T) {
	p := startFlags(t, flags(), nil)
	client := openFeature(t, p)
	user, german := openfeature.NewEvaluationContext("u", nil), openfeature.NewEvaluationContext("u", map[string]any{"user": map[string]any{"country": "de"}, "age": 7, "tags": []string{"a"}})
	boss, nobody := openfeature.NewEvaluationContext("boss", nil), openfeature.NewTargetlessEvaluationContext(nil)
	session := openfeature.NewTargetlessEvaluationContext(map[string]any{"session": "s"})
	split := func(v any) evaluation { return evaluation{v, "on", openfeature.SplitReason, "", "split", 1.0} }
	off := func(v any, why string) evaluation {
		return evaluation{v, "", openfeature.DisabledReason, "", why, 1.0}
	}
	failed := func(v any, code openfeature.ErrorCode) evaluation {
		return evaluation{value: v, reason: openfeature.ErrorReason, failure: code}
	}
	object, mine := map[string]any{"limit": 3.0, "tags": []any{"a"}}, map[string]any{"mine": true}
	for _, c := range []struct {
		flag      string
		who       openfeature.EvaluationContext
		byDefault any
		want      evaluation
	}{
		{"text", user, "default", split("hello")},
		{"yes", user, false, split(true)},
		{"count", user, int64(0), split(int64(3))},
		{"count", user, 0.5, split(3.0)},
		{"ratio", user, 0.5, split(0.25)},
		{"object", user, mine, split(object)},
		{"plain", user, "default", split("on")},
		{"german", german, "default", split("de")},
		{"session", session, "default", split("s")},
		{"listed", boss, "default", evaluation{"yes", "on", openfeature.TargetingMatchReason, "", "override", 1.0}},
		// Without a value every type is what the client's code says.
		{"german", user, "default", off("default", "not_targeted")},
		{"german", user, mine, off(mine, "not_targeted")},
		{"german", user, true, off(true, "not_targeted")},
		{"listed", user, int64(7), off(int64(7), "outside_ramp")},
		{"paused", user, 0.5, off(0.5, "paused")},
		{"stopped", user, "default", evaluation{"default", "", openfeature.DisabledReason, "", "not_running", nil}},
		// What goes wrong.
		{"nope", user, "default", failed("default", openfeature.FlagNotFoundCode)},
		{"draft", user, true, failed(true, openfeature.FlagNotFoundCode)},
		{"text", nobody, "default", failed("default", openfeature.TargetingKeyMissingCode)},
		{"text", user, int64(7), failed(int64(7), openfeature.TypeMismatchCode)},
		{"ratio", user, int64(7), failed(int64(7), openfeature.TypeMismatchCode)},
		{"object", user, true, failed(true, openfeature.TypeMismatchCode)},
		{"text", openfeature.NewEvaluationContext("u\n", nil), "default", failed("default", openfeature.InvalidContextCode)},
	} {
		if got := evaluate(client, c.flag, c.byDefault, c.who); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s for %v:\n got %+v\nwant %+v", c.flag, c.who, got, c.want)
		}
	}
}

// TestOpenFeatureHeaders: a provider's headers force a variant and keep an
// evaluation from exposing.
func TestOpenFeatureHeaders(t *testing.T) {
	key, e := []byte("0123456789abcdef"), &exposed{}
	p := startFlags(t, flags(), func(s *setup) {
		s.handler.Forcing = router.Forcing{Keys: [][]byte{key}, TokensOnly: true}
		s.router.Observer = e
	})
	token, err := abtest.ForceToken(key, "listed", "on", time.Now().Add(time.Hour).Unix())
	if err != nil {
		t.Fatal(err)
	}
	client := openFeature(t, p, ofrep.WithHeader("X-Hotpath-Variant", token), ofrep.WithHeader("X-Hotpath-Expose", "false"))
	got := evaluate(client, "listed", "default", openfeature.NewEvaluationContext("u", nil))
	if want := (evaluation{"yes", "on", openfeature.TargetingMatchReason, "", "forced", 1.0}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := evaluate(client, "text", "default", openfeature.NewEvaluationContext("u", nil)); got.value != "hello" {
		t.Errorf("another flag: %+v", got)
	}
	if e.n != [4]int{} {
		t.Errorf("exposed %v", e.n)
	}
}
