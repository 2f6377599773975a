package main

import (
	"errors"
	"net"
	"testing"
	"time"
)

// TestEmptyBacklog: connections that the kernel has accepted reach the accept
// loop, and later ones do not get in.
func TestEmptyBacklog(t *testing.T) {
	ln, err := listenTraffic("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const early = 20
	for range early {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	accepted := make(chan int)
	go func() {
		n := 0
		defer func() { accepted <- n }()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			n++
		}
	}()
	emptyBacklog(ln)
	_, err = net.DialTimeout("tcp", ln.Addr().String(), 50*time.Millisecond)
	if late := net.Error(nil); !errors.As(err, &late) || !late.Timeout() {
		t.Errorf("a connection to a listener that closes: %v, want a timeout", err)
	}
	ln.Close()
	if n := <-accepted; n != early {
		t.Errorf("%d connections were accepted, want %d", n, early)
	}
}
