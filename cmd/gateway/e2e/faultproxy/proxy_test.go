package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String()
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// say sends a text and reads as many bytes back.
func say(t *testing.T, c net.Conn, text string, limit time.Duration) (string, error) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	b := make([]byte, len(text))
	n, err := io.ReadFull(c, b)
	return string(b[:n]), err
}

const short, long = 100 * time.Millisecond, 5 * time.Second

func wantEcho(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if got, err := say(t, c, text, long); err != nil || got != text {
		t.Fatalf("%q came back as %q, %v", text, got, err)
	}
}

func wantSilence(t *testing.T, c net.Conn) {
	t.Helper()
	if got, err := say(t, c, "hello", short); !errors.Is(err, os.ErrDeadlineExceeded) || got != "" {
		t.Fatalf("got %q, %v, want silence", got, err)
	}
}

func TestPassAndDelay(t *testing.T) {
	p := Start(t, echo(t))
	c := dial(t, p)
	wantEcho(t, c, "hello")
	p.Set(Fault{Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond})
	for range 5 {
		at := time.Now()
		wantEcho(t, c, "late")
		if took := time.Since(at); took < 20*time.Millisecond {
			t.Errorf("a reply delayed by 20 to 60 ms took %s", took)
		}
	}
	// Two that are on their way together are late together.
	at := time.Now()
	if _, err := io.WriteString(c, "first"); err != nil {
		t.Fatal(err)
	}
	wantEcho(t, c, "first")
	t.Logf("two after %s", time.Since(at))
	p.Set(Fault{})
	at = time.Now()
	if _, err := say(t, c, "again", long); err != nil || time.Since(at) > 3*time.Second {
		t.Errorf("%v after %s", err, time.Since(at))
	}
}

func TestSwallow(t *testing.T) {
	p := Start(t, echo(t))
	old, idle := dial(t, p), dial(t, p)
	wantEcho(t, old, "hello")
	wantEcho(t, idle, "hello")
	p.Set(Fault{Swallow: true})
	wantSilence(t, old)
	wantSilence(t, dial(t, p))
	p.Set(Fault{})
	wantSilence(t, old)
	wantEcho(t, idle, "nothing of mine was lost")
	wantEcho(t, dial(t, p), "new")
}

func TestSwallowNew(t *testing.T) {
	p := Start(t, echo(t))
	old := dial(t, p)
	wantEcho(t, old, "hello")
	p.Set(Fault{SwallowNew: true})
	wantEcho(t, old, "still good")
	mute := dial(t, p)
	wantSilence(t, mute)
	p.Set(Fault{})
	wantSilence(t, mute)
}

func TestDeafLosesNothing(t *testing.T) {
	p := Start(t, echo(t))
	c := dial(t, p)
	wantEcho(t, c, "hello")
	p.Set(Fault{Deaf: true})
	wantSilence(t, c)
	p.Set(Fault{})
	b := make([]byte, 5)
	if err := c.SetDeadline(time.Now().Add(long)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v, want what was sent meanwhile", b, err)
	}
}

func TestResetAfter(t *testing.T) {
	p := Start(t, echo(t))
	c := dial(t, p)
	wantEcho(t, c, "before the fault nothing counts")
	p.Set(Fault{ResetAfter: 7})
	got, err := say(t, c, "0123456789", long)
	if got != "0123456" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v, want 7 bytes and a reset", got, err)
	}
}

func TestGarble(t *testing.T) {
	p := Start(t, echo(t))
	c := dial(t, p)
	p.Set(Fault{Garble: true})
	if got, err := say(t, c, "a text that is long enough", long); err != nil || bytes.Contains([]byte(got), []byte("long")) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRefuseAndDrop(t *testing.T) {
	p := Start(t, echo(t))
	c := dial(t, p)
	wantEcho(t, c, "hello")
	p.Set(Fault{Refuse: true})
	if _, err := say(t, c, "hello", long); err == nil {
		t.Error("the connection lives")
	}
	if c, err := net.Dial("tcp", p.Addr); err == nil {
		c.Close()
		t.Error("a refusing port accepts")
	}
	p.Set(Fault{})
	c = dial(t, p)
	wantEcho(t, c, "again")
	p.Drop()
	if _, err := say(t, c, "hello", long); err == nil {
		t.Error("a dropped connection lives")
	}
	if n := p.Accepted(); n != 2 {
		t.Errorf("%d connections were accepted, want 2", n)
	}
}
