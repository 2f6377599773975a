package httpapi

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/router"
)

// accessLog writes a line for every n-th request. It is off unless asked for;
// the log behind it never blocks.
type accessLog struct {
	log   *slog.Logger
	every uint64 // 0: off
	seen  *atomic.Uint64
}

func newAccessLog(log *slog.Logger, share float64) accessLog {
	a := accessLog{log: log, seen: new(atomic.Uint64)}
	if share > 0 {
		a.every = max(uint64(1/share+0.5), 1)
	}
	return a
}

func (a accessLog) sample(ctx *fasthttp.RequestCtx, r route, code router.Code, took time.Duration, received int) {
	if a.every == 0 || r == routeHealth || a.seen.Add(1)%a.every != 0 {
		return
	}
	a.log.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.String("route", routeNames[r]), slog.String("code", code.String()),
		slog.Int("status", ctx.Response.StatusCode()), slog.Duration("took", took),
		slog.Int("bytes_in", received), slog.Int("bytes_out", len(ctx.Response.Body())),
		slog.String("client", ctx.RemoteAddr().String()))
}
