package redislink

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/rueidis"

	"hotpath/resilience/redislink/redistest"
)

func local(addr string) Options {
	o := DefaultOptions()
	o.Addresses = []string{addr}
	return o
}

// TestLinkComesAndGoes: it opens without a server, and finds one again.
func TestLinkComesAndGoes(t *testing.T) {
	redis := redistest.Start(t)
	redis.Kill()
	dials := prometheus.NewCounter(prometheus.CounterOpts{Name: "dials"})
	l, err := Open(local(redis.Addr()), dials)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if s := l.State(); l.Client() != nil || s.Connected || s.Err == nil {
		t.Fatalf("a client of nothing: %+v", s)
	}
	redistest.Eventually(t, time.Second, "refused", func() bool { return l.State().Kind == "refused" })
	redis.Restart()
	works := func() bool {
		p, c := l.Pipeline(), l.Client()
		if c == nil {
			return false
		}
		got, err := p.Do(c, []rueidis.Completed{c.B().Echo().Message("here").Build()})[0].ToString()
		return err == nil && got == "here"
	}
	redistest.Eventually(t, 3*time.Second, "works", works)
	redis.Kill()
	redistest.Eventually(t, 3*time.Second, "outage shows", func() bool { return !l.State().Connected })
	redis.Restart()
	redistest.Eventually(t, 3*time.Second, "works again", works)
	redistest.Eventually(t, 3*time.Second, "is connected", func() bool { return l.State().Connected })
	if n := testutil.ToFloat64(dials); n < 3 || n > 20 {
		t.Errorf("%v dials", n)
	}
}

// TestPipelineIsBounded: a pipeline to a server that is silent ends, and the next
// one has its own time.
func TestPipelineIsBounded(t *testing.T) {
	redis := redistest.Start(t)
	o := local(redis.Addr())
	o.DialTimeout, o.KeepAlive, o.WriteTimeout = 50*time.Millisecond, time.Minute, 50*time.Millisecond
	l, err := Open(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	redistest.Eventually(t, 3*time.Second, "connected", func() bool { return l.Client() != nil })
	p := &Pipeline{bound: newBound(100 * time.Millisecond)}
	ping := func() error {
		c := l.Client()
		return p.Do(c, []rueidis.Completed{c.B().Ping().Build()})[0].Error()
	}
	redis.Signal(syscall.SIGSTOP)
	at := time.Now()
	if err := ping(); err == nil || time.Since(at) > time.Second {
		t.Errorf("%v after %s", err, time.Since(at))
	}
	redis.Signal(syscall.SIGCONT)
	redistest.Eventually(t, 3*time.Second, "an answer", func() bool { return ping() == nil })
}

func TestConnect(t *testing.T) {
	redis := redistest.Start(t)
	l, err := Connect(local(redis.Addr()))
	if err != nil || l.Client() == nil {
		t.Fatal(err)
	}
	l.Close()
	redis.Kill()
	if _, err := Connect(local(redis.Addr())); Classify(err) != Refused {
		t.Errorf("error %v", err)
	}
	if _, err := Connect(Options{}); err == nil || !strings.Contains(err.Error(), "addresses:") {
		t.Errorf("error %v", err)
	}
	o := local(redis.Addr())
	o.TLS = TLS{Enabled: true, CAFile: "nowhere.pem"}
	if _, err := Open(o, nil); err == nil || !strings.Contains(err.Error(), "tls.ca_file") {
		t.Errorf("error %v", err)
	}
}

func TestClassify(t *testing.T) {
	redis := redistest.Start(t)
	l, err := Connect(local(redis.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	redis.Do("RPUSH", "list", "x")
	wrong := l.Client().Do(t.Context(), l.Client().B().Get().Key("list").Build()).Error()
	syntax := l.Client().Do(t.Context(), l.Client().B().Arbitrary("NOSUCH").Build()).Error()
	for _, c := range []struct {
		err  error
		want Kind
		name string
	}{
		{wrong, WrongType, "wrongtype"}, {syntax, Reply, "reply"}, {context.DeadlineExceeded, Timeout, "timeout"},
		{syscall.ECONNREFUSED, Refused, "refused"}, {io.EOF, Transport, "transport"}, {errors.New("x"), Transport, "transport"},
	} {
		if got := Classify(c.err); got != c.want || got.String() != c.name {
			t.Errorf("%v: %s, want %s", c.err, got, c.name)
		}
	}
	for k := range NumKinds {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
}
