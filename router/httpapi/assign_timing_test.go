package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/valyala/fasthttp"

	"hotpath/router/routertest"
)

// served handles a request without a connection, as if its body had just been read.
func served(t testing.TB, p *port, ctx *fasthttp.RequestCtx, path string, body []byte) {
	ctx.Response.Reset()
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI(path)
	ctx.Request.SetBody(body)
	p.Handler.Serve(ctx)
	if ctx.Response.StatusCode() != 200 {
		t.Fatalf("%d: %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}

// TestAllocations: a payload costs a prediction nothing, and an assignment no more
// than a prediction.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates")
		return
	}
	counted := map[string]float64{}
	for name, payload := range map[string]any{"without": nil, "with": map[string]any{"limit": 3}} {
		c := experiment()
		c.Experiments[0].Variants[0].Payload = payload
		p := start(t, func(s *setup) {
			s.serve = func(r *routertest.Rig) { r.Serve(c, r.Version("risk", 1), r.Version("risk", 2)) }
		})
		var ctx fasthttp.RequestCtx
		for _, path := range []string{"/predict", "/v1/assign"} {
			body := []byte(`{"user_id":"u","request_id":"r","context":{"country":"de"}}`)
			for range 200 {
				served(t, p, &ctx, path, body)
			}
			counted[path+" "+name] = testing.AllocsPerRun(500, func() { served(t, p, &ctx, path, body) })
		}
	}
	// Those of a prediction are the two of the pipeline's breakers.
	if counted["/predict without"] > 2 || counted["/predict with"] > 2 || counted["/v1/assign with"] > 0 {
		t.Errorf("allocations: %v", counted)
	}
}

func BenchmarkAssign(b *testing.B) {
	p := startOffers(b, nil)
	var ctx fasthttp.RequestCtx
	body := []byte(`{"entities":{"session":"s"},"context":{"country":"fr"},"request_id":"r"}`)
	b.ReportAllocs()
	for b.Loop() {
		served(b, p, &ctx, "/v1/assign", body)
	}
}

// BenchmarkFlags evaluates all of a thousand experiments, which are about one model or
// many.
func BenchmarkFlags(b *testing.B) {
	body := []byte(`{"context":{"targetingKey":"user-42","a1":"x","a2":"x","plan":{"name":"premium"}}}`)
	for _, models := range []int{1, 20, 200} {
		b.Run(fmt.Sprint(models, "_models"), func(b *testing.B) {
			p := startFlags(b, manyFlags(models), nil)
			var ctx fasthttp.RequestCtx
			b.ReportAllocs()
			for b.Loop() {
				served(b, p, &ctx, flagPath, body)
			}
		})
	}
	b.Run("one_of_1000", func(b *testing.B) {
		p := startFlags(b, manyFlags(20), nil)
		var ctx fasthttp.RequestCtx
		b.ReportAllocs()
		for b.Loop() {
			served(b, p, &ctx, flagPath+"/flag-1", body)
		}
	})
}
