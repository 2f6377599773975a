package redislink

import (
	"syscall"
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	p := newPacer(1)
	now := time.Now()
	for range 2 {
		if err := p.allow("a", now); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.allow("a", now); err != ErrPaced {
		t.Fatalf("third at once: %v", err)
	}
	if err := p.allow("b", now); err != nil {
		t.Fatalf("another address: %v", err)
	}
	refused := syscall.ECONNREFUSED
	p.report("a", refused)
	if err := p.allow("a", now.Add(400*time.Millisecond)); err != refused {
		t.Fatalf("too early: %v, want the last reason", err)
	}
	count := func(from, to time.Duration) (n int) {
		for at := from; at < to; at += 10 * time.Millisecond {
			if p.allow("a", now.Add(at)) == nil {
				n++
				p.report("a", refused)
			}
		}
		return n
	}
	if n := count(time.Second, 11*time.Second); n > 12 {
		t.Errorf("%d attempts in 10s of failures, want about one a second", n)
	}
	p.report("a", nil)
	if err := p.allow("a", now.Add(12*time.Second)); err != nil {
		t.Errorf("after a success: %v", err)
	}
}
