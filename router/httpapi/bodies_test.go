package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router/routertest"
)

// inferHead is a request for infer whose body is yet to come.
func inferHead(length int) string {
	return fmt.Sprintf("POST /v2/models/risk/infer HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n", length)
}

// bytesModel serves a model that takes any number of bytes, and gives its scorer.
func bytesModel(s *setup) (scorer *echoScorer) {
	scorer = &echoScorer{}
	s.serve = func(r *routertest.Rig) {
		v, inner := echo(r, "bytes", false, models.Port{Name: "x", DType: models.Uint8, Shape: []int{-1}})
		scorer.Scorer = inner.Scorer
		v.Lane.Scorer = scorer
		r.Serve(abtest.Config{}, v, r.Version("risk", 1))
	}
	return scorer
}

// bytesBody is a binary request of n bytes for bytesModel, all of them fill.
func bytesBody(n int, fill byte) (body, header string) {
	head := fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d],"datatype":"UINT8","parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, n, n)
	return head + strings.Repeat(string(rune(fill)), n), fmt.Sprintf("Inference-Header-Content-Length: %d", len(head))
}

// TestTensorsOutliveTheAnswer: a run whose caller has left reads the request's
// memory for as long as it likes. The bodies of others must not be read into it.
func TestTensorsOutliveTheAnswer(t *testing.T) {
	const size = 40 << 10
	var mu sync.Mutex
	type held struct {
		in    []models.Tensor
		owner models.Owner
	}
	var all []held
	p := start(t, func(s *setup) {
		scorer := bytesModel(s)
		scorer.keep = func(in []models.Tensor, owner models.Owner) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, held{in, owner})
		}
	})
	const n = 20
	for i := range n {
		body, header := bytesBody(size, byte('a'+i))
		got := p.post(t, "/v2/models/bytes/infer", body, header)
		if got.status != 200 || !strings.HasSuffix(got.body, body[len(body)-size:]) {
			t.Fatalf("request %d: %d", i, got.status)
		}
		json := fmt.Sprintf(`{"inputs":[{"name":"x","shape":[3],"datatype":"UINT8","data":[%d,%[1]d,%[1]d]}]}`, 100+i)
		if got := p.post(t, "/v2/models/bytes/infer", json); got.status != 200 {
			t.Fatalf("request %d: %+v", i, got)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for i, h := range all {
		want := bytes.Repeat([]byte{byte('a' + i/2)}, size)
		if i%2 == 1 {
			want = bytes.Repeat([]byte{byte(100 + i/2)}, 3)
		}
		if got := h.in[0]; got.Name != "x" || !bytes.Equal(got.Data, want) || !slices.Equal(got.Shape, []int64{int64(len(want))}) {
			t.Errorf("the tensor of request %d was written to after its answer", i)
		}
		h.owner.Free()
	}
	if len(all) != 2*n {
		t.Errorf("%d requests scored", len(all))
	}
}

// TestBodyMemory: large bodies beyond the bound together are refused before they
// are read, and what is counted is given back however a request ends.
func TestBodyMemory(t *testing.T) {
	const size = maxInferBody - 100
	const fit = bodyMemory / size
	p := start(t, func(s *setup) { bytesModel(s) })
	counted := func() float64 { return p.metric(t, "hotpath_body_memory_bytes") }
	var waiting []net.Conn
	for i := range fit {
		c := p.dial(t)
		send(t, c, inferHead(size)+"\r\n{")
		waiting = append(waiting, c)
		eventually(t, "a body is counted", func() bool { return counted() == float64((i+1)*size) })
	}
	for name, text := range map[string]string{
		"one more":           inferHead(size) + "\r\n{",
		"one more, asked":    inferHead(size) + "Expect: 100-continue\r\n\r\n",
		"v1":                 strings.Replace(inferHead(size), "/v2/models/risk/infer", "/v1/models/risk:predict", 1) + "\r\n{",
		"one more, all sent": inferHead(size) + "\r\n" + strings.Repeat(" ", size),
	} {
		c := p.dial(t)
		begun := time.Now()
		send(t, c, text)
		all, closed := replies(t, c, 5*time.Second)
		if len(all) != 1 || !closed || !all[0].last || time.Since(begun) > 1500*time.Millisecond {
			t.Errorf("%s: %+v, closed %v", name, all, closed)
			continue
		}
		if message := protocolMessage(t, all[0]); all[0].status != 503 || all[0].header.Get("X-Error-Code") != "overloaded" || !strings.Contains(message, "server.body_memory_bytes") {
			t.Errorf("%s: %+v", name, all[0])
		}
	}
	// Small ones are not counted, and others are served.
	body, header := bytesBody(60<<10, 'a')
	if got := p.post(t, "/v2/models/bytes/infer", body, header); got.status != 200 {
		t.Errorf("a small body: %+v", got)
	}
	// Each way of ending gives back.
	waiting[0].Close() // in the middle of the body
	send(t, waiting[1], strings.Repeat(" ", size-1))
	if got := first(t, waiting[1]); got.status != 400 {
		t.Errorf("a body of spaces: %+v", got)
	}
	if all, closed := replies(t, waiting[2], 5*time.Second); len(all) != 1 || !closed || all[0].status != 408 { // in its time
		t.Errorf("too slow: %+v, closed %v", all, closed)
	} else if protocolMessage(t, all[0]); all[0].header.Get("X-Error-Code") != "client_too_slow" {
		t.Errorf("too slow: %+v", all[0])
	}
	eventually(t, "all is given back", func() bool { return counted() == 0 })
	large, header := bytesBody(size-200, 'b')
	for range 20 {
		if got := p.post(t, "/v2/models/bytes/infer", large, header); got.status != 200 {
			t.Errorf("with room: %d", got.status)
		}
	}
	eventually(t, "all is given back", func() bool { return counted() == 0 })
}

// TestBodyMemoryIsHeld until nobody reads the tensors any more.
func TestBodyMemoryIsHeld(t *testing.T) {
	owners := make(chan models.Owner, 1)
	p := start(t, func(s *setup) {
		bytesModel(s).keep = func(_ []models.Tensor, owner models.Owner) { owners <- owner }
	})
	body, header := bytesBody(100<<10, 'a')
	if got := p.post(t, "/v2/models/bytes/infer", body, header); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	if n := p.metric(t, "hotpath_body_memory_bytes"); n != float64(len(body)) {
		t.Errorf("%v bytes counted, want %d", n, len(body))
	}
	(<-owners).Free()
	if n := p.metric(t, "hotpath_body_memory_bytes"); n != 0 {
		t.Errorf("%v bytes counted after the end", n)
	}
	// A compressed one counts what it is decoded to.
	if got := p.post(t, "/v2/models/bytes/infer", gzipped(t, body), header, "Content-Encoding: gzip"); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	if n := p.metric(t, "hotpath_body_memory_bytes"); n != float64(len(body)) {
		t.Errorf("compressed: %v bytes counted, want %d", n, len(body))
	}
	(<-owners).Free()
	if n := p.metric(t, "hotpath_body_memory_bytes"); n != 0 {
		t.Errorf("%v bytes counted after the end", n)
	}
}

// TestBodiesOfTheProtocols have bounds of their own, and errors of their form.
func TestBodiesOfTheProtocols(t *testing.T) {
	p, executed := watched(t, nil)
	for path, limit := range map[string]int{"/v2/models/risk/infer": maxInferBody, "/v2/models/risk/versions/1/infer/": maxInferBody, "/v1/models/risk:predict": maxInferBody, "/v2/repository/index": maxBody, "/v1/models": maxBody} {
		head := "POST " + path + " HTTP/1.1\r\nHost: h\r\n"
		for name, text := range map[string]string{
			"declared, nothing sent": fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, limit+1),
			"declared, canary sent":  fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, limit+1, canary),
			"declared and announced": fmt.Sprintf("%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", head, limit+1),
			"declared and all sent":  fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, limit*2, strings.Repeat(" ", limit*2)),
		} {
			c := p.dial(t)
			send(t, c, text)
			all, closed := replies(t, c, 5*time.Second)
			if len(all) != 1 || !closed || all[0].status != 413 || !all[0].last {
				t.Errorf("%s %s: %+v, closed %v", path, name, all, closed)
				continue
			}
			protocolMessage(t, all[0])
		}
		if got := p.post(t, path, strings.Repeat(" ", limit)); got.status == 413 {
			t.Errorf("%s: a body of the limit is refused: %+v", path, got)
		}
		// One that does not say how large it is may be as large as a prediction's.
		c := p.dial(t)
		send(t, c, fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", head, maxBody+1, canary))
		if all, closed := replies(t, c, 5*time.Second); len(all) != 1 || !closed || all[0].status != 413 {
			t.Errorf("%s in chunks: %+v, closed %v", path, all, closed)
		}
	}
	c := p.dial(t)
	large := strings.Repeat(" ", 100<<10) + riskBody("")
	send(t, c, inferHead(len(large))+"Expect: 100-continue\r\n\r\n")
	line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(c, line); err != nil || string(line) != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("%v %q", err, line)
	}
	send(t, c, large)
	if got := first(t, c); got.status != 200 {
		t.Errorf("announced and sent: %+v", got)
	}
	c = p.dial(t)
	body := riskBody("")
	send(t, c, fmt.Sprintf("POST /v2/models/risk/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body))
	if got := first(t, c); got.status != 200 {
		t.Errorf("in chunks: %+v", got)
	}
	if n := executed.Load(); n != 0 {
		t.Errorf("%d canaries executed", n)
	}
	eventually(t, "all is given back", func() bool { return p.metric(t, "hotpath_body_memory_bytes") == 0 })
}

// TestAnnouncedBodies that never come give back what was counted for them; one that
// comes on a connection whose last answer is long past is taken.
func TestAnnouncedBodies(t *testing.T) {
	p := start(t, func(s *setup) {
		bytesModel(s)
		s.server.WriteTimeout = 100 * time.Millisecond
	})
	const announced = "Expect: 100-continue\r\n\r\n"
	for i := range 40 {
		c := p.dial(t)
		send(t, c, inferHead(100<<10)+announced)
		if i%2 == 0 { // most answers then meet a connection that is reset
			if err := c.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
	}
	eventually(t, "all is given back", func() bool {
		return p.metric(t, "hotpath_body_memory_bytes") == 0 && p.metric(t, "hotpath_connections") == 0
	})
	c := p.dial(t)
	send(t, c, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := first(t, c); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	time.Sleep(200 * time.Millisecond)
	body := strings.Repeat(" ", 100<<10) + riskBody("")
	send(t, c, inferHead(len(body))+announced)
	line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(c, line); err != nil || string(line) != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("%v %q", err, line)
	}
	send(t, c, body)
	if got := first(t, c); got.status != 200 {
		t.Errorf("announced and sent: %+v", got)
	}
	eventually(t, "all is given back", func() bool { return p.metric(t, "hotpath_body_memory_bytes") == 0 })
}

// TestManyAtOnce mixes forms and sizes over the same pools.
func TestManyAtOnce(t *testing.T) {
	p := start(t, func(s *setup) {
		bytesModel(s)
		s.handler.DefaultDeadline, s.handler.MaxDeadline = 5*time.Second, 5*time.Second
	})
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 30 {
				size := []int{10, 3000, 70 << 10, 100 << 10}[(w+i)%4]
				body, header := bytesBody(size, byte('a'+w))
				headers := []string{header, "Accept-Encoding: identity"}
				if i%5 == 0 {
					body, headers = gzipped(t, body), append(headers, "Content-Encoding: gzip")
				}
				got := p.post(t, "/v2/models/bytes/infer", body, headers...)
				if got.status != 200 || !strings.HasSuffix(got.body, strings.Repeat(string(rune('a'+w)), size)) {
					t.Errorf("%d bytes: %d %.100q", size, got.status, got.body)
				}
				json := `{"inputs":[{"name":"x","shape":[4],"datatype":"UINT8","data":[1,2,3,` + fmt.Sprint(w) + `]}]}`
				if got := p.post(t, "/v2/models/bytes/infer", json); got.status != 200 || !strings.HasSuffix(got.body, fmt.Sprintf(`"data":[1,2,3,%d]}]}`, w)) {
					t.Errorf("JSON: %+v", got)
				}
			}
		})
	}
	workers.Wait()
	if n := p.metric(t, "hotpath_body_memory_bytes"); n != 0 {
		t.Errorf("%v bytes are still counted", n)
	}
}
