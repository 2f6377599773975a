package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/router/routertest"
)

// shutdown ends a server; a connection that never sent anything counts as idle
// only after 5 s, and is not waited for.
func shutdown(t testing.TB, p *port) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if err := p.Server.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	select {
	case err := <-p.served:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
		p.served <- err
	case <-time.After(5 * time.Second):
		t.Error("Serve goes on after Shutdown")
	}
}

func TestLameDuckSaysClose(t *testing.T) {
	p := start(t, nil)
	if got := p.post(t, "/predict", `{"user_id":"u"}`); got.last || got.status != 200 {
		t.Errorf("before: %+v", got)
	}
	p.Server.LameDuck()
	for _, path := range []string{"/predict", "/predict/batch", "/nothing"} {
		c := p.dial(t)
		body := `{"user_id":"u"}`
		send(t, c, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n"+body)
		all, closed := replies(t, c, 5*time.Second)
		if len(all) != 1 || !closed || !all[0].last {
			t.Errorf("%s: %+v, closed %v", path, all, closed)
		}
	}
}

// refusedLate sends a request to a server that drains.
func refusedLate(t *testing.T, p *port) {
	t.Helper()
	c := p.dial(t)
	send(t, c, "POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n"+`{"user_id":"u"}`)
	all, closed := replies(t, c, 5*time.Second)
	if len(all) != 1 || !closed || all[0].code(t) != "draining" || !all[0].last || all[0].header.Get("Retry-After") == "" {
		t.Errorf("while draining: %+v, closed %v", all, closed)
	}
}

// TestShutdownAnswersWhatWasAccepted: requests in progress get their answers,
// new ones are told to go elsewhere, and nobody sees a reset.
func TestShutdownAnswersWhatWasAccepted(t *testing.T) {
	entered, release := make(chan struct{}, 20), make(chan struct{})
	p := start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) {
			v := r.Version("risk", 1)
			v.View.OnFetch = func(time.Time, [][]byte) error {
				entered <- struct{}{}
				<-release
				return nil
			}
			r.Serve(abtest.Config{}, v)
		}
	})
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			resp, err := p.client.Post("http://"+p.addr+"/predict", "application/json", strings.NewReader(`{"user_id":"u"}`))
			if err != nil {
				t.Errorf("a client saw %v", err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("a client got %d %s %v", resp.StatusCode, body, err)
			}
		})
	}
	for range 10 {
		<-entered
	}
	p.Pipeline.Drain()
	refusedLate(t, p)
	down := make(chan struct{})
	go func() {
		shutdown(t, p)
		close(down)
	}()
	eventually(t, "the listener is closed", func() bool {
		c, err := p.client.Get("http://" + p.addr + "/livez")
		if err == nil {
			c.Body.Close()
		}
		return err != nil
	})
	select {
	case <-down:
		t.Error("Shutdown did not wait for the requests in progress")
	default:
	}
	close(release)
	clients.Wait()
	<-down
	if n := p.Pipeline.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}
