package grpcapi

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/grpcapi/pb"
	"hotpath/router/routertest"
)

// TestExperimentsAssignByOtherUnits: parameters bring what experiments look at, and
// the answer what the variant hands out.
func TestExperimentsAssignByOtherUnits(t *testing.T) {
	all := 100.0
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			e := abtest.ExperimentConfig{Name: "e", Model: "risk", Unit: "session", Variants: []abtest.VariantConfig{{Name: "on", Weight: &all, Version: 1, Payload: map[string]any{"a": "b"}}},
				Targeting: &abtest.Condition{Not: &abtest.Condition{All: []abtest.Condition{{Attribute: "age", Eq: 7}, {Attribute: "share", Eq: 0.5}, {Attribute: "beta", Eq: true}, {Attribute: "country", Eq: "de"}}}}}
			r.Serve(abtest.Config{Experiments: []abtest.ExperimentConfig{e}}, r.Version("risk", 1), r.Version("risk", 2))
		}
	})
	type parameters = map[string]*pb.InferParameter
	number := func(f float64) *pb.InferParameter {
		return &pb.InferParameter{ParameterChoice: &pb.InferParameter_DoubleParam{DoubleParam: f}}
	}
	yes := &pb.InferParameter{ParameterChoice: &pb.InferParameter_BoolParam{BoolParam: true}}
	for _, c := range []struct {
		about   string
		in      parameters
		version string
		answer  string
	}{
		{"nothing", parameters{}, "2", ""},
		{"a session", parameters{"entity.session": stringParameter("s")}, "1", `{"a":"b"}`},
		{"a number as session", parameters{"entity.session": intParameter(-17), "other": yes}, "1", `{"a":"b"}`},
		{"the context's session", parameters{"context.session": intParameter(17)}, "1", `{"a":"b"}`},
		{"not targeted", parameters{"entity.session": stringParameter("s"), "context.age": number(7), "context.share": number(0.5), "context.beta": yes, "context.country": stringParameter("de")}, "2", ""},
		{"a user alone", parameters{"user_id": stringParameter("u")}, "2", ""},
	} {
		in := request("risk", 1)
		in.Parameters = c.in
		out, err := p.client.ModelInfer(within(t, 5*time.Second), in)
		if err != nil || out.GetModelVersion() != c.version || out.GetParameters()["payload"].GetStringParam() != c.answer {
			t.Errorf("%s: %v from %s with %v", c.about, err, out.GetModelVersion(), out.GetParameters())
		}
	}
	for name, c := range map[string]struct {
		value   *pb.InferParameter
		message string
	}{
		"entity.session":                      {number(1), "parameters.entity.session: must be a string or an integer"},
		"entity.card":                         {stringParameter("a\nb"), "parameters.entity.card: must be 1 to 256 bytes long"},
		"entity.":                             {stringParameter("a"), "parameters.entity.: is not a name"},
		"context." + strings.Repeat("a", 257): {stringParameter("a"), "parameters.context.aaa"},
		"context.a":                           {number(math.NaN()), "parameters.context.a: must be a finite number"},
	} {
		in := request("risk", 1)
		in.Parameters = parameters{name: c.value}
		refuses(t, p, in, router.BadRequest, c.message)
	}
	in := request("risk", 1)
	in.Parameters = parameters{"entity.card": stringParameter("a")}
	refuses(t, p, in, router.BadFeatures, "entities.card: no model reads features of an entity")
	in.Parameters = parameters{}
	for i := range maxEntities + 1 {
		in.Parameters[fmt.Sprint("entity.", i)] = intParameter(int64(i))
	}
	refuses(t, p, in, router.BadRequest, "parameters.entity.")
}

// TestForcingTokens: a signed token in the metadata forces where names do not.
func TestForcingTokens(t *testing.T) {
	all, none, key := 100.0, 0.0, []byte("0123456789abcdef")
	p := start(t, func(s *setup) {
		s.options.Forcing = router.Forcing{Keys: [][]byte{key}, TokensOnly: true}
		s.serve = func(r *routertest.Rig) {
			r.Serve(abtest.Config{Experiments: []abtest.ExperimentConfig{{Name: "e", Model: "risk", Variants: []abtest.VariantConfig{
				{Name: "control", Weight: &all, Version: 1}, {Name: "treatment", Weight: &none, Version: 2}}}}}, r.Version("risk", 1), r.Version("risk", 2))
		}
	})
	sign := func(expires time.Time) string {
		token, err := abtest.ForceToken(key, "e", "treatment", expires.Unix())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for forced, want := range map[string]string{sign(time.Now().Add(time.Hour)): "", sign(time.Now().Add(-time.Hour)): "expired", "treatment": "names are not taken"} {
		in := request("risk", 1)
		in.Parameters = map[string]*pb.InferParameter{"user_id": stringParameter("u")}
		ctx := metadata.AppendToOutgoingContext(within(t, 5*time.Second), "x-hotpath-variant", forced)
		out, err := p.client.ModelInfer(ctx, in)
		switch {
		case want == "" && (err != nil || out.GetModelVersion() != "2" || values(out.GetParameters())["reason"] != "forced"):
			t.Errorf("%s: %v, %v", forced, err, out)
		case want != "" && (status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", forced, err)
		}
	}
}
