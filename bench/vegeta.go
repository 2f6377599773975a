package bench

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// vegetaGenerator runs an open loop by the vegeta library.
//
// vegeta stamps a request when a worker takes it up, not when it was planned, so
// its own latencies hide the time that the generator ran behind (coordinated
// omission). The generator therefore plans the times itself, in a Pacer, and
// takes the latency as end minus plan(Seq).
type vegetaGenerator struct{}

func (vegetaGenerator) name() string { return GeneratorVegeta }

// planPacer is a vegeta.Pacer that sends hit n at due(n), exactly.
//
// It waits inside of Pace: vegeta would wait by time.Sleep, which rounds short
// waits up to a millisecond when the process is idle. Pace is called by one
// goroutine only; start is read by others after the first result arrived.
type planPacer struct {
	attack *attack
	start  time.Time
	sleep  sleeper
}

// Pace blocks until hit number hits is due.
func (p *planPacer) Pace(_ time.Duration, hits uint64) (time.Duration, bool) {
	if hits == 0 {
		// The pacing thread ends with vegeta's goroutine.
		runtime.LockOSThread()
		p.sleep = newSleeper()
		p.start = time.Now()
	}
	if int64(hits) >= p.attack.planned() || time.Since(p.start) > p.attack.duration+p.attack.grace() {
		return 0, true
	}
	if wait := p.attack.due(int64(hits)) - time.Since(p.start); wait > 0 {
		p.sleep.wait(wait)
	}
	return 0, false
}

// Rate is the constant rate in hits a second.
func (p *planPacer) Rate(time.Duration) float64 { return p.attack.rate }

// client has a bounded number of keep-alive connections. Requests that wait for
// a connection are late, and their latency says so.
func (vegetaGenerator) client(connections int) *http.Client {
	dialer := &net.Dialer{Timeout: answerTimeout}
	return &http.Client{
		Timeout: answerTimeout,
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			MaxIdleConnsPerHost: connections,
			MaxConnsPerHost:     connections,
			DisableCompression:  true,
		},
	}
}

func (g vegetaGenerator) run(ctx context.Context, a *attack) (*outcome, error) {
	client := g.client(a.connections)
	defer client.CloseIdleConnections()
	attacker := vegeta.NewAttacker(
		vegeta.Client(client),
		vegeta.Workers(uint64(a.connections)),
		vegeta.MaxWorkers(uint64(4*a.connections)),
		vegeta.MaxBody(0),
	)
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	out := newOutcome()
	pacer := &planPacer{attack: a}
	var last time.Time
	for r := range attacker.Attack(a.load.targeter(), pacer, 0, "") {
		due := pacer.start.Add(a.due(int64(r.Seq)))
		end := r.End()
		record(out.lag, r.Timestamp.Sub(due))
		record(out.latency, end.Sub(due))
		out.send(r.Timestamp.Sub(pacer.start), a)
		if r.Code == 0 {
			out.fail(failureKind(r.Error))
		} else {
			out.answer(int(r.Code))
		}
		if end.After(last) {
			last = end
		}
	}
	if !last.IsZero() {
		out.took = last.Sub(pacer.start)
	}
	return out, ctx.Err()
}

// failureKind shortens a transport error to one of few words.
func failureKind(text string) string {
	for _, k := range []struct{ part, kind string }{
		{"Client.Timeout", "timeout"},
		{"deadline exceeded", "timeout"},
		{"connection refused", "refused"},
		{"connection reset", "reset"},
		{"EOF", "closed"},
	} {
		if strings.Contains(text, k.part) {
			return k.kind
		}
	}
	return "failed"
}
