package httpapi_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/router/routertest"
)

// canary is a request hidden in, or sent after, a broken one. It must never be
// executed: its user is noticed by the store.
const (
	canaryUser = "smuggled-canary"
	canaryBody = `{"user_id":"` + canaryUser + `"}`
)

var canary = fmt.Sprintf("POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(canaryBody), canaryBody)

// watched runs a server that counts the canaries that were executed.
func watched(t testing.TB, change func(s *setup)) (*port, *atomic.Int64) {
	t.Helper()
	var executed atomic.Int64
	return start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v := r.Version("risk", 1)
			v.View.OnFetch = func(_ time.Time, ids [][]byte) error {
				if string(ids[0]) == canaryUser {
					executed.Add(1)
				}
				return nil
			}
			r.Serve(abtest.Config{}, v)
		}
		if change != nil {
			change(s)
		}
	}), &executed
}

func TestBodiesOverTheLimit(t *testing.T) {
	p, executed := watched(t, nil)
	for path, limit := range map[string]int{"/predict": maxBody, "/v1/predict": maxBody, "/predict/batch": maxBatchBody, "/api/v1/predict/batch": maxBatchBody, "/nothing": maxBody} {
		head := "POST " + path + " HTTP/1.1\r\nHost: h\r\n"
		for name, text := range map[string]string{
			"declared, nothing sent": fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, limit+1),
			"declared, canary sent":  fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, limit+1, canary),
			"declared beyond int64":  head + "Content-Length: 9223372036854775807\r\n\r\n" + canary,
			"declared and announced": fmt.Sprintf("%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", head, limit+1),
			"one chunk":              fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", head, limit+1, canary),
			"many chunks":            head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+strings.Repeat(" ", 1024)+"\r\n", limit>>10+1) + "0\r\n\r\n" + canary,
			"declared and all sent":  fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, limit*8, strings.Repeat(" ", limit*8)),
		} {
			c := p.dial(t)
			begun := time.Now()
			send(t, c, text)
			all, closed := replies(t, c, 5*time.Second)
			if len(all) != 1 || !closed || all[0].status != 413 || all[0].code(t) != "body_too_large" || !all[0].last || time.Since(begun) > 1500*time.Millisecond {
				t.Errorf("%s %s: %+v, closed %v after %s", path, name, all, closed, time.Since(begun))
			}
		}
		fits := p.post(t, path, strings.Repeat(" ", limit))
		if fits.status == 413 {
			t.Errorf("%s: a body of the limit is refused: %+v", path, fits)
		}
	}
	if n := executed.Load(); n != 0 {
		t.Errorf("%d canaries executed", n)
	}
}

func TestExpectedBodyIsTaken(t *testing.T) {
	p := start(t, nil)
	c := p.dial(t)
	send(t, c, "POST /predict HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n")
	line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(c, line); err != nil || string(line) != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("%v %q", err, line)
	}
	send(t, c, `{"user_id":"u"}`)
	if got := first(t, c); got.status != 200 {
		t.Errorf("got %+v", got)
	}
}

func TestHeadersOverTheLimit(t *testing.T) {
	p, executed := watched(t, nil)
	for name, text := range map[string]string{
		"one header":       "POST /predict HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", maxHeader) + "\r\n\r\n" + canary,
		"many headers":     "POST /predict HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", 1000) + "\r\n" + canary,
		"the request line": "POST /predict?" + strings.Repeat("a", maxHeader) + " HTTP/1.1\r\nHost: h\r\n\r\n" + canary,
		"no end":           strings.Repeat("a", 4*maxHeader),
	} {
		c := p.dial(t)
		send(t, c, text)
		all, closed := replies(t, c, 5*time.Second)
		if len(all) != 1 || !closed || !all[0].last || all[0].status != 431 && (name != "no end" || all[0].status != 400) {
			t.Errorf("%s: %+v, closed %v", name, all, closed)
		}
	}
	if n := executed.Load(); n != 0 {
		t.Errorf("%d canaries executed", n)
	}
}

// TestSlowClients: who sends too slowly hears so, and what comes later is not
// executed. Nobody can hold a connection longer than the read timeout.
func TestSlowClients(t *testing.T) {
	const timeout = 200 * time.Millisecond
	p, executed := watched(t, func(s *setup) { s.server.ReadTimeout = timeout })
	for name, text := range map[string]string{
		"nothing":          "",
		"half a line":      "POST /pre",
		"half the headers": "POST /predict HTTP/1.1\r\nHost: h\r\n",
		"half the body":    "POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 400\r\n\r\n" + canaryBody,
		"no body":          "POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 400\r\n\r\n",
		"half a chunk":     "POST /predict HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
	} {
		c := p.dial(t)
		begun := time.Now()
		send(t, c, text)
		all, closed := replies(t, c, 5*time.Second)
		took := time.Since(begun)
		if len(all) != 1 || !closed || all[0].status != 408 || all[0].code(t) != "client_too_slow" || took < timeout/2 || took > timeout+3*time.Second {
			t.Errorf("%s: %+v, closed %v after %s", name, all, closed, took)
		}
		// The connection is gone: a canary has nobody to go to.
		_, _ = io.WriteString(c, canary)
		if more, closed := replies(t, c, time.Second); len(more) > 0 || !closed {
			t.Errorf("%s: the connection goes on: %+v", name, more)
		}
	}
	// One byte now and then does not earn more time.
	c := p.dial(t)
	begun := time.Now()
	for i := 0; time.Since(begun) < 5*time.Second; i++ {
		if _, err := io.WriteString(c, "POST /predict?"[:min(i+1, 13)][min(i, 12):]); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(begun); took > timeout+3*time.Second {
		t.Errorf("a slow client held its connection for %s", took)
	}
	if n := executed.Load(); n != 0 {
		t.Errorf("%d canaries executed", n)
	}
	if n := p.metric(t, "hotpath_requests_total", "code", "client_too_slow"); n < 6 {
		t.Errorf("%v slow clients counted", n)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	p := start(t, func(s *setup) { s.server.IdleTimeout = 100 * time.Millisecond })
	c := p.dial(t)
	send(t, c, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
	if all, closed := replies(t, c, 5*time.Second); len(all) != 1 || !closed {
		t.Errorf("an idle connection gets %+v, closed %v", all, closed)
	}
}

// TestSilentConnections: a thousand connections that declare a body and send
// nothing are bounded in time, and good clients are served meanwhile.
func TestSilentConnections(t *testing.T) {
	const n = 1000
	p := start(t, func(s *setup) { s.server.ReadTimeout, s.server.MaxConnections = time.Second, n+50 })
	var opened sync.WaitGroup
	conns := make([]net.Conn, n)
	for w := range 20 {
		opened.Go(func() {
			for i := w; i < n; i += 20 {
				c, err := net.Dial("tcp", p.addr)
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = c
				send(t, c, fmt.Sprintf("POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", maxBody))
			}
		})
	}
	opened.Wait()
	for range 20 {
		if got := p.post(t, "/predict", `{"user_id":"u"}`); got.status != 200 {
			t.Errorf("a good client gets %+v", got)
		}
	}
	if open := p.metric(t, "hotpath_connections"); open < 1 || open > n+50 {
		t.Errorf("%v open connections", open)
	}
	for _, c := range conns {
		if c == nil {
			continue
		}
		if all, closed := replies(t, c, 5*time.Second); len(all) > 1 || !closed {
			t.Errorf("a silent connection got %+v, closed %v", all, closed)
		}
		c.Close()
	}
	eventually(t, "all are closed", func() bool { return p.metric(t, "hotpath_connections") <= 1 })
}

// TestConnectionLimit: who is one too many gets an answer of our kind, and the
// next one fits as soon as another has left.
func TestConnectionLimit(t *testing.T) {
	const limit = 5
	p := start(t, func(s *setup) { s.server.MaxConnections = limit })
	var held []net.Conn
	for range limit {
		c := p.dial(t)
		send(t, c, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
		if got := first(t, c); got.status != 200 {
			t.Fatalf("within the limit: %+v", got)
		}
		held = append(held, c)
	}
	for range 3 {
		c := p.dial(t)
		send(t, c, canary)
		all, closed := replies(t, c, 5*time.Second)
		if len(all) != 1 || !closed || all[0].status != 503 || all[0].code(t) != "overloaded" || all[0].header.Get("Retry-After") != "1" ||
			all[0].header.Get("Content-Type") != "application/json" || !all[0].last {
			t.Errorf("over the limit: %+v, closed %v", all, closed)
		}
		c.Close()
	}
	if n := p.metric(t, "hotpath_connections_refused_total"); n != 3 {
		t.Errorf("%v refused", n)
	}
	held[0].Close()
	eventually(t, "there is room again", func() bool { return p.metric(t, "hotpath_connections") < limit })
	if got := p.post(t, "/predict", `{"user_id":"u"}`); got.status != 200 {
		t.Errorf("with room: %+v", got)
	}
}

// TestBrokenConnectionsAreNoRequests: a probe that connects and resets is not counted.
func TestBrokenConnectionsAreNoRequests(t *testing.T) {
	p := start(t, nil)
	for range 5 {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if got := p.do(t, "GET", "/livez", ""); got.status != 200 {
		t.Errorf("got %+v", got)
	}
	eventually(t, "they are gone", func() bool { return p.metric(t, "hotpath_connections") <= 1 })
	if n := p.metric(t, "hotpath_requests_total"); n != 1 {
		t.Errorf("%v requests counted, want 1", n)
	}
}

// TestPipelining: answers come in order with the right ids. An answer waits for
// the slow one behind it, since fasthttp does not flush while another request is
// buffered.
func TestPipelining(t *testing.T) {
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v := r.Version("risk", 1)
			v.View.OnFetch = func(_ time.Time, ids [][]byte) error {
				if string(ids[0]) == "slow" {
					time.Sleep(100 * time.Millisecond)
				}
				return nil
			}
			r.Serve(abtest.Config{}, v)
		}
	})
	for _, halfClose := range []bool{false, true} {
		c := p.dial(t)
		var text strings.Builder
		for i := range 16 {
			user := "fast"
			if i == 7 {
				user = "slow"
			}
			body := fmt.Sprintf(`{"user_id":%q,"request_id":"r%d"}`, user, i)
			fmt.Fprintf(&text, "POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
		send(t, c, text.String())
		if halfClose {
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		first := make([]byte, 1)
		if _, err := io.ReadFull(c, first); err != nil || time.Since(begun) < 50*time.Millisecond {
			t.Errorf("the first byte came after %s: %v", time.Since(begun), err)
		}
		all, closed := replies(t, prefixed{c, strings.NewReader(string(first))}, 500*time.Millisecond)
		if len(all) != 16 || closed != halfClose {
			t.Fatalf("half-close %v: %d answers, closed %v", halfClose, len(all), closed)
		}
		for i, one := range all {
			if one.status != 200 || !strings.HasPrefix(one.body, fmt.Sprintf(`{"request_id":"r%d",`, i)) {
				t.Errorf("answer %d is %+v", i, one)
			}
		}
	}
}

// TestRefusalsOnOldConnections: a client hears why its request could not be read,
// however long ago the connection's last answer was.
func TestRefusalsOnOldConnections(t *testing.T) {
	const timeout = 100 * time.Millisecond
	p := start(t, func(s *setup) { s.server.WriteTimeout, s.server.ReadTimeout = timeout, 3*timeout })
	for want, text := range map[int]string{
		400: "nothing\r\n\r\n",
		408: inferHead(1000) + "\r\n{",
		413: inferHead(maxInferBody+1) + "\r\n",
		431: "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 4*maxHeader) + "\r\n\r\n",
	} {
		c := p.dial(t)
		send(t, c, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
		if got := first(t, c); got.status != 200 {
			t.Fatalf("%+v", got)
		}
		time.Sleep(2 * timeout)
		send(t, c, text)
		if all, closed := replies(t, c, 5*time.Second); len(all) != 1 || all[0].status != want || !closed {
			t.Errorf("want %d, got %+v, closed %v", want, all, closed)
		}
	}
}

// prefixed gives back what was read already.
type prefixed struct {
	net.Conn
	first *strings.Reader
}

func (p prefixed) Read(b []byte) (int, error) {
	if p.first.Len() > 0 {
		return p.first.Read(b)
	}
	return p.Conn.Read(b)
}
