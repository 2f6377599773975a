package bench

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// generators returns each that can run an open loop.
func generators() []generator { return []generator{vegetaGenerator{}, wireGenerator{}} }

// stubLoad is a load for a stub server.
func stubLoad(t *testing.T, h http.HandlerFunc) *load {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newLoad(srv.Listener.Addr().String(), "/predict", [][]byte{[]byte(`{"user_id":"a"}`), []byte(`{"user_id":"b"}`)})
}

// whole runs an attack until it has sent all that was planned: on a machine that is
// busy otherwise vegeta gives up when its time is over, and such a step is void in
// the suite as well.
func whole(t *testing.T, g generator, a attack, before func()) *outcome {
	t.Helper()
	var out *outcome
	for range 5 {
		before()
		var err error
		if out, err = g.run(context.Background(), &a); err != nil {
			t.Fatal(err)
		}
		if out.sent+out.late == a.planned() {
			return out
		}
	}
	t.Fatalf("sent %d, late %d, answered %d of %d in the last of 5 attempts", out.sent, out.late, out.answered, a.planned())
	return nil
}

// A stub that answers nothing for 200 ms must show in the latency of every
// request planned meanwhile, although two connections only carry two of them.
func TestAStallCountsForEveryPlannedRequest(t *testing.T) {
	for _, g := range generators() {
		t.Run(g.name(), func(t *testing.T) {
			t.Parallel()
			const stall = 200 * time.Millisecond
			var first atomic.Int64 // unix nanoseconds of the first request
			l := stubLoad(t, func(w http.ResponseWriter, _ *http.Request) {
				now := time.Now().UnixNano()
				first.CompareAndSwap(0, now)
				from := time.Unix(0, first.Load()).Add(300 * time.Millisecond)
				if wait := time.Until(from.Add(stall)); wait > 0 && wait < stall {
					time.Sleep(wait)
				}
				w.Write([]byte("{}"))
			})
			out := whole(t, g, attack{load: l, connections: 2, rate: 500, duration: time.Second}, func() { first.Store(0) })
			if out.answered != 500 || out.failed() != 0 {
				t.Fatalf("sent %d, late %d, answered %d of 500: %v", out.sent, out.late, out.answered, out.codes)
			}
			s := summarize(out.latency)
			// A fifth of the requests falls into the stall, a tenth in its first half.
			if p95 := time.Duration(out.latency.ValueAtPercentile(95)); p95 < stall/2 {
				t.Errorf("p95 = %v hides a stall of %v that a tenth of the requests met by more than half", p95, stall)
			}
			if s.Max < 0.9*float64(stall.Microseconds()) {
				t.Errorf("max = %v µs hides a stall of %v", s.Max, stall)
			}
			if lag := time.Duration(out.lag.ValueAtPercentile(95)); g.name() == GeneratorWire && lag < stall/2 {
				t.Errorf("p95 of the lag = %v: requests without a free connection were late", lag)
			}
		})
	}
}

func TestAnswersAreCountedByCode(t *testing.T) {
	for _, g := range generators() {
		t.Run(g.name(), func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			l := stubLoad(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/predict" {
					w.WriteHeader(http.StatusTeapot)
				} else if n.Add(1)%4 == 0 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			out := whole(t, g, attack{load: l, connections: 4, rate: 400, duration: 500 * time.Millisecond}, func() { n.Store(0) })
			if out.codes["200"] != 150 || out.codes["503"] != 50 || out.failed() != 50 {
				t.Errorf("codes = %v, failed %d", out.codes, out.failed())
			}
		})
	}
}

func TestCancelEndsALoad(t *testing.T) {
	for _, g := range generators() {
		t.Run(g.name(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(context.Background())
			var once atomic.Bool
			l := stubLoad(t, func(http.ResponseWriter, *http.Request) {
				if once.CompareAndSwap(false, true) {
					cancel()
				}
			})
			began := time.Now()
			_, err := g.run(ctx, &attack{load: l, connections: 2, rate: 100, duration: time.Minute})
			if !errors.Is(err, context.Canceled) || time.Since(began) > 20*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	}
}

func TestWireOpensClosedConnectionsAgain(t *testing.T) {
	var conns atomic.Int64
	l := stubLoad(t, func(w http.ResponseWriter, _ *http.Request) {
		if conns.Add(1)%10 == 0 {
			w.Header().Set("Connection", "close")
		}
	})
	out, err := wireGenerator{}.run(context.Background(), &attack{load: l, connections: 2, rate: 400, duration: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if out.answered != 200 || out.failed() != 0 {
		t.Errorf("answered %d of 200: %v", out.answered, out.codes)
	}
}

func TestClosedLoopKeepsEveryConnectionBusy(t *testing.T) {
	var now, most atomic.Int64
	l := stubLoad(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
	})
	out, err := wireGenerator{}.run(context.Background(), &attack{load: l, connections: 8, duration: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if most.Load() != 8 {
		t.Errorf("at most %d requests at once on 8 connections", most.Load())
	}
	if out.answered != out.sent || out.failed() != 0 || out.answered < 8 {
		t.Errorf("answered %d of %d: %v", out.answered, out.sent, out.codes)
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	l := newLoad(addr, "/predict", [][]byte{[]byte("{}")})
	if _, err := (wireGenerator{}).run(context.Background(), &attack{load: l, connections: 1, rate: 10, duration: time.Second}); err == nil {
		t.Error("wire: no error")
	}
	out, err := vegetaGenerator{}.run(context.Background(), &attack{load: l, connections: 1, rate: 50, duration: 200 * time.Millisecond})
	if err != nil || out.codes["refused"] != 10 {
		t.Errorf("vegeta: %v, %v", out.codes, err)
	}
}

func TestParseAnswer(t *testing.T) {
	for _, c := range []struct {
		text     string
		complete bool
		head     answerHead
	}{
		{"", false, answerHead{}},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", false, answerHead{}},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", false, answerHead{code: 200}},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true, answerHead{code: 200}},
		{"HTTP/1.1 503 Busy\r\ncontent-length:0\r\nConnection: close\r\n\r\n", true, answerHead{code: 503, close: true}},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, answerHead{}},
		{"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n", true, answerHead{}},
		{"nonsense\r\n\r\n", true, answerHead{}},
	} {
		head, complete := parseAnswer([]byte(c.text))
		if complete != c.complete || head != c.head {
			t.Errorf("%q: %+v, %v", c.text, head, complete)
		}
	}
}
