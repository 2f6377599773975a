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

	"hotpath/abtest/exposure"
)

// FuzzHandler sends requests of arbitrary paths, headers and bodies to a server
// in memory. Each must get exactly one well-formed JSON answer of the vocabulary,
// and nothing may panic.
func FuzzHandler(f *testing.F) {
	ln := fasthttputil.NewInmemoryListener()
	p := start(f, func(s *setup) {
		s.listener = ln
		s.server.ReadTimeout = 500 * time.Millisecond
		s.handler.Feedback = func(*exposure.Feedback) bool { return true }
	})
	f.Add("/predict", "50", "treatment", "", `{"user_id":"u1","features":{"id":1}}`)
	f.Add("/predict?explain=true", "", "", "", `{"user_id":"u1","entities":{"merchant":7},"context":{"a":null}}`)
	f.Add("/predict/batch", "0", "", "", `{"instances":[{"user_id":"a"},7,{"user_id":"b","features":{"age":"x"}}],"request_id":"r"}`)
	f.Add("/api/v1/predict", "99999999999", "\x7f", "", `{"user_id":"\ud800"}`)
	f.Add("/livez", "1", "", "", "")
	f.Add("/%70redict//batch/../", "x", "", "", "{")
	f.Add("/v2/models/risk/infer", "", "treatment", "", riskBody(`,"parameters":{"user_id":"u"}`))
	binary, header := binaryRisk(1)
	f.Add("/v2/models/risk/versions/1/infer", "100", "", strings.TrimPrefix(header, "Inference-Header-Content-Length: "), binary)
	f.Add("/v2/models/risk/infer", "", "", "0", "abcd")
	f.Add("/v2/repository/models/risk/load", "", "", "", `{"parameters":{"a":1}}`)
	f.Add("/v1/models/risk:predict", "", "", "", `{"instances":[{"id":7,"version":1,"x":[0.5,1]}]}`)
	f.Add("/v1/assign?explain=true", "", "a:1:b", "", `{"instances":[{"user_id":"u","experiment":"x"},{"context":{"a":1}}],"expose":false}`)
	f.Add("/feedback", "", "", "", `{"outcomes":[{"user_id":"u","outcome":"x"},{}]}`)
	f.Add("/ofrep/v1/evaluate/flags/x", "", "", "", `{"context":{"targetingKey":"u","a":{"b":[1]}}}`)
	f.Add("/ofrep/v1/evaluate/flags", "7", "x", "", `{"context":{}}`)
	f.Fuzz(func(t *testing.T, path, timeout, forced, length, body string) {
		request := "POST /" + tokens(strings.TrimPrefix(path, "/")) + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Timeout-Ms: " + tokens(timeout) +
			"\r\nX-Hotpath-Variant: " + tokens(forced) + "\r\nInference-Header-Content-Length: " + tokens(length) + "\r\nContent-Length: "
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
		if err != nil {
			t.Fatal(err)
		}
		checkFuzzed(t, p, path, resp, answer)
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			t.Fatalf("%q after the answer", rest)
		}
	})
}

// checkFuzzed checks one answer.
func checkFuzzed(t *testing.T, p *port, path string, resp *http.Response, answer []byte) {
	t.Helper()
	if resp.Header.Get("Content-Type") == "application/octet-stream" && resp.StatusCode == http.StatusOK {
		n, err := strconv.Atoi(resp.Header.Get("Inference-Header-Content-Length"))
		if err != nil || n > len(answer) {
			t.Fatalf("%v: the JSON is %d of %d bytes", err, n, len(answer))
		}
		answer = answer[:n]
	} else if resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("content type %q", resp.Header.Get("Content-Type"))
	}
	if !json.Valid(answer) {
		t.Fatalf("status %d, %q", resp.StatusCode, answer)
	}
	got := reply{status: resp.StatusCode, header: resp.Header, body: string(answer)}
	switch {
	case got.status == http.StatusOK, got.status == http.StatusAccepted, strings.Contains(path, "ready"):
	case strings.Contains(got.body, `"errorCode":"`) && resp.Header.Get("X-Error-Code") != "":
	case resp.Header.Get("X-Error-Code") != "":
		protocolMessage(t, got)
	case got.code(t) == "":
		t.Fatalf("status %d without a code: %s", got.status, answer)
	}
	if got.status == http.StatusInternalServerError {
		t.Fatalf("the gateway failed: %s\n%s", answer, p.log.String())
	}
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
