package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowClients is row 30: many connections that send or read as slowly as they can,
// beside good ones.
type slowClients struct {
	// each way of sending has so many, and deaf never read. What these send is much,
	// to fill the buffers of both sides: many of them are a flood.
	each, deaf int
}

// TestSlowClients is a short form of row 30.
func TestSlowClients(t *testing.T) { slowClients{each: byRace(60, 100), deaf: byRace(20, 60)}.run(t) }

// slowWays are those of a slow client: what it sends at once, what it then sends
// byte by byte, and whether it never reads.
func slowWays() map[string]struct {
	first, rest string
	deaf        bool
} {
	_, rest := echoBody(1)
	whole := string(post("/predict", "{"+rest))
	head := whole[:strings.Index(whole, "\r\n\r\n")+4]
	return map[string]struct {
		first, rest string
		deaf        bool
	}{
		"headers byte by byte": {head[:10], head[10:] + head, false},
		"a body byte by byte":  {head, rest + rest, false},
		"answers never read":   {strings.Repeat(whole, 400), "", true},
	}
}

func (s slowClients) run(t *testing.T) {
	g := startEcho(t, "--set", "server.read_timeout=1s", "--set", "server.write_timeout=1s")
	v := keepVigil(t, g, echoBody)
	// The deaf ones' requests are answered, and who knows how many.
	l := load{addr: g.Traffic, rate: byRace(50.0, 300.0), conns: 16, body: echoBody}.begin(t)
	began := time.Now()
	var clients sync.WaitGroup
	var worst, open atomic.Int64
	for name, way := range slowWays() {
		n := s.each
		if way.deaf {
			n = s.deaf
		}
		for range n {
			clients.Go(func() {
				took, err := slowly(g.Traffic, way.first, way.rest, way.deaf)
				if err != nil {
					open.Add(1)
					t.Errorf("%s: %v", name, err)
				}
				worst.Store(max(worst.Load(), int64(took)))
			})
		}
	}
	clients.Wait()
	lasted := time.Since(began)
	r := l.stop(t)
	r.onlyCodes(t, "ok", "overloaded")
	checkEcho(t, r)
	if n := r.codes()["ok"]; n < len(r.answers)*99/100 {
		t.Errorf("%d of %d good requests were answered", n, len(r.answers))
	}
	if limit := scaled(4 * time.Second); time.Duration(worst.Load()) > limit {
		t.Errorf("a slow connection lived %s, want at most %s", time.Duration(worst.Load()), limit)
	}
	v.leave()
	u := v.back(t)
	verdict(t, fmt.Sprintf("row 30: %d clients that send or read byte by byte", 2*s.each+s.deaf), "408 or closed within the timeouts, good clients untouched",
		"the longest lived %s, all gone after %s; good ones: %d answers %v p99 %s; %+v", time.Duration(worst.Load()).Round(time.Millisecond), lasted.Round(time.Millisecond),
		len(r.answers), r.codes(), r.quantile(.99).Round(10*time.Microsecond), u)
	g.Stop(t)
}

// slowly is one slow client. It gives how long the gateway bore it.
func slowly(addr, first, rest string, deaf bool) (time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	limit := scaled(8 * time.Second)
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	if deaf {
		// A small window, so that few answers fill it.
		if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	if _, err := io.WriteString(c, first); err != nil {
		return time.Since(began), closedByPeer(err)
	}
	if !deaf {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, c) // until the gateway closes
		}()
		for i := range len(rest) {
			select {
			case <-ended:
				return time.Since(began), nil
			case <-time.After(200 * time.Millisecond):
			}
			if _, err := c.Write([]byte{rest[i]}); err != nil {
				<-ended
				return time.Since(began), closedByPeer(err)
			}
		}
		return time.Since(began), errors.New("a whole request could be sent byte by byte")
	}
	// Not reading, it sees the end by what it cannot send any more.
	for time.Since(began) < limit {
		if _, err := io.WriteString(c, first[:1024]); err != nil {
			return time.Since(began), closedByPeer(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return time.Since(began), errors.New("the gateway still takes requests whose answers nobody reads")
}

// closedByPeer is nil for the errors of a connection that the other side ended.
func closedByPeer(err error) error {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return err
	}
	return nil
}

// TestDeclaredBodies is row 31: bodies that are announced and never come.
func TestDeclaredBodies(t *testing.T) {
	const budget = 16 << 20
	g := startEcho(t, "--set", "server.read_timeout=1s", "--set", fmt.Sprintf("server.body_memory_bytes=%d", budget))
	v := keepVigil(t, g, echoBody)
	const clients = 300
	var open []*wire
	for range clients {
		w, err := dialWire(g.Traffic)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := io.WriteString(w.conn, "POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 262144\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		open = append(open, w)
	}
	began := time.Now()
	held := g.metrics(t).sum("hotpath_body_memory_bytes")
	most := g.usage(t).rss
	if held > budget || held == 0 {
		t.Errorf("hotpath_body_memory_bytes is %g, want at most %d and some", held, budget)
	}
	codes := map[int]int{}
	for _, w := range open {
		if err := w.conn.SetDeadline(began.Add(scaled(5 * time.Second))); err != nil {
			t.Fatal(err)
		}
		a, err := w.read()
		if err != nil {
			t.Fatalf("a body that never comes: %v", err)
		}
		codes[a.status]++
	}
	took := time.Since(began)
	if codes[408]+codes[503] != clients || codes[408] == 0 || codes[503] == 0 {
		t.Errorf("answers %v, want 408 for those within the budget and 503 for the others", codes)
	}
	if took > scaled(2500*time.Millisecond) {
		t.Errorf("the last was closed after %s", took)
	}
	v.strays = clients
	line := v.end(t, report{}, 5*time.Second)
	verdict(t, "row 31: 300 bodies of 256 KiB announced, none sent, 16 MiB allowed", "408 within the timeout, the rest 503, memory bounded",
		"%v after %s, %.0f MiB counted, RSS +%.0f MiB meanwhile; %s", codes, took.Round(time.Millisecond), held/(1<<20), mib(most-v.held.rss), line)
	g.Stop(t)
}

// TestPipelining is row 33: 16 requests in one write, one of which takes until its
// deadline; then the client says that it sends no more.
func TestPipelining(t *testing.T) {
	g, quiet := startWithStuck(t, "slow_loop")
	checkQuiet(t, quiet.stop(t))
	var all strings.Builder
	for i := range 16 {
		_, rest := echoBody(i)
		if i == 5 {
			_, rest = slowBody("slow_loop")(i)
		}
		all.Write(post("/predict", fmt.Sprintf(`{"request_id":"p-%d",%s`, i, rest)))
	}
	w, err := dialWire(g.Traffic)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.conn.SetDeadline(time.Now().Add(scaled(5 * time.Second))); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w.conn, all.String()); err != nil {
		t.Fatal(err)
	}
	if err := w.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var codes []int
	for i := range 16 {
		a, err := w.read()
		if err != nil {
			t.Fatalf("answer %d of 16: %v", i, err)
		}
		var p prediction
		if err := json.Unmarshal(a.body, &p); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		id := p.RequestID
		if a.status != 200 {
			id = p.Error.RequestID
		}
		if id != fmt.Sprintf("p-%d", i) || (a.status == 200) == (i == 5) {
			t.Errorf("answer %d: %d %s", i, a.status, a.body)
		}
		codes = append(codes, a.status)
	}
	if b, err := w.r.ReadByte(); err != io.EOF {
		t.Errorf("after 16 answers: %q %v, want the end", b, err)
	}
	verdict(t, "row 33: 16 requests in one write, the sixth slow, then a half-close", "16 answers in order with their ids", "%v", codes)
	g.Stop(t)
}

// TestClientsThatLeave is row 38: half of all requests come from clients that
// reset the connection once they have sent them.
func TestClientsThatLeave(t *testing.T) {
	g := startEcho(t)
	v := keepVigil(t, g, echoBody)
	logged := len(g.Stderr.String())
	l := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 32, body: echoBody}.begin(t)
	leavers := byRace(150, 800)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := int(next.Add(1)); i <= leavers; i = int(next.Add(1)) {
				if err := sendAndLeave(g.Traffic, i); err != nil {
					t.Errorf("leaving: %v", err)
				}
			}
		})
	}
	all.Wait()
	within(t, scaled(5*time.Second), "some load ran", func() bool { return l.next.Load() > int64(l.rate)/2 })
	r := l.stop(t)
	checkEcho(t, r)
	if log := g.Stderr.String()[logged:]; strings.Contains(log, `"WARN"`) || strings.Contains(log, `"ERROR"`) {
		t.Errorf("the log complains about clients that left:\n%s", log)
	}
	v.strays = leavers
	line := v.end(t, r, 5*time.Second, "ok")
	verdict(t, fmt.Sprintf("row 38: %d clients reset the connection after sending", leavers), "nothing leaks, nothing logged, the others untouched", "%s", line)
	g.Stop(t)
}

func sendAndLeave(addr string, i int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_, rest := echoBody(i)
	if _, err := c.Write(post("/predict", "{"+rest)); err != nil {
		return err
	}
	return c.(*net.TCPConn).SetLinger(0)
}
