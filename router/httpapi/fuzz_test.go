package httpapi_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"
)

// FuzzHandler sends requests of arbitrary paths, headers and bodies to a server
// in memory. Each must get exactly one well-formed JSON answer of the vocabulary,
// and nothing may panic.
func FuzzHandler(f *testing.F) {
	ln := fasthttputil.NewInmemoryListener()
	p := start(f, func(s *setup) {
		s.listener = ln
		s.server.ReadTimeout = 500 * time.Millisecond
	})
	f.Add("/predict", "50", "treatment", `{"user_id":"u1","features":{"id":1}}`)
	f.Add("/predict?explain=true", "", "", `{"user_id":"u1","entities":{"merchant":7},"context":{"a":null}}`)
	f.Add("/predict/batch", "0", "", `{"instances":[{"user_id":"a"},7,{"user_id":"b","features":{"age":"x"}}],"request_id":"r"}`)
	f.Add("/api/v1/predict", "99999999999", "\x7f", `{"user_id":"\ud800"}`)
	f.Add("/livez", "1", "", "")
	f.Add("/%70redict//batch/../", "x", "", "{")
	f.Fuzz(func(t *testing.T, path, timeout, forced, body string) {
		request := "POST /" + tokens(strings.TrimPrefix(path, "/")) + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Timeout-Ms: " + tokens(timeout) +
			"\r\nX-Hotpath-Variant: " + tokens(forced) + "\r\nContent-Length: "
		c, err := ln.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() { _, _ = io.WriteString(c, request+strconv.Itoa(len(body))+"\r\n\r\n"+body) }()
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		answer, err := io.ReadAll(resp.Body)
		if err != nil || !json.Valid(answer) || resp.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%v: status %d, %q", err, resp.StatusCode, answer)
		}
		if resp.StatusCode != http.StatusOK && (reply{body: string(answer)}).code(t) == "" && !strings.Contains(path, "ready") {
			t.Fatalf("status %d without a code: %s", resp.StatusCode, answer)
		}
		if resp.StatusCode == http.StatusInternalServerError {
			t.Fatalf("the gateway failed: %s\n%s", answer, p.log.String())
		}
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			t.Fatalf("%q after the answer", rest)
		}
	})
}

// tokens leaves out of a line of the head what would end or break it; that is
// the corpus of malformed requests' part.
func tokens(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c > ' ' && c < 0x7f && c != '#' && b.Len() < 200 {
			b.WriteByte(c)
		}
	}
	return b.String()
}
