package httpapi

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
)

// admitting is a handler that asks who calls, and a request with a key.
func admitting(t testing.TB) (*Handler, *fasthttp.RequestCtx) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.yaml")
	entry, key := identitytest.Entry("ranking", "predict", "    quota: {requests_per_second: 1000000, burst: 1000000}\n")
	identitytest.Write(t, file, entry)
	h := &Handler{access: newAccess(identitytest.Access(t, identity.Options{KeysFile: file}), false)}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetMethod("POST")
	for _, name := range []string{"Content-Type", "Accept", "User-Agent", "X-Request-Id", "X-Request-Timeout-Ms"} {
		ctx.Request.Header.Set(name, "x")
	}
	ctx.Request.Header.Set("Authorization", "Bearer "+key)
	return h, ctx
}

func TestAdmitAllocatesNothing(t *testing.T) {
	h, ctx := admitting(t)
	if n := testing.AllocsPerRun(1000, func() {
		if refusal := h.admit(ctx, routePredict, time.Now()); refusal != nil {
			t.Fatal(refusal)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAdmit is what a request over HTTP pays for who it is from: with a key, and
// where nobody is asked.
func BenchmarkAdmit(b *testing.B) {
	b.Run("key", func(b *testing.B) {
		h, ctx := admitting(b)
		now := time.Now()
		b.ReportAllocs()
		for b.Loop() {
			now = now.Add(time.Microsecond)
			if refusal := h.admit(ctx, routePredict, now); refusal != nil {
				b.Fatal(refusal)
			}
		}
	})
	b.Run("off", func(b *testing.B) {
		_, ctx := admitting(b)
		h, now := &Handler{}, time.Now()
		b.ReportAllocs()
		for b.Loop() {
			if refusal := h.admit(ctx, routePredict, now); refusal != nil {
				b.Fatal(refusal)
			}
		}
	})
}
