package apitest

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hotpath/router/httpapi"
)

// experiments provokes what assignments and feedback are answered with.
func (c *contract) experiments(t *testing.T) {
	p := newTrafficPort(t, c, false)
	assign := []string{"/v1/assign", "/assign", "/api/v1/abtest/assign"}
	feedback := []string{"/feedback", "/v1/feedback"}
	for _, path := range assign {
		p.send(t, "POST", "POST", path, `{"user_id":"u"}`, 503)
	}
	p.serve(t)
	off := newTrafficPort(t, c, false, func(o *httpapi.Options) { o.Feedback = nil })
	slow := map[string]net.Conn{}
	for _, path := range slices.Concat(assign, feedback) {
		slow[path] = p.write(t, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{")
	}
	for _, path := range assign {
		p.assign(t, path)
	}
	for _, path := range feedback {
		p.feedback(t, path)
		off.send(t, "POST", "POST", path, `{"user_id":"u","outcome":"x"}`, 404)
	}
	for _, path := range slices.Concat(assign, feedback) {
		p.transport(t, path)
	}
	for path, c := range slow {
		p.receive(t, c, "POST", "POST", path, "", 408)
	}
}

func (p *trafficPort) assign(t *testing.T, path string) {
	t.Helper()
	const full = `{"user_id":"u","model":"risk","experiment":"risk-test","entities":{"merchant":4711},"context":{"country":"de","age":4,"beta":true,"x":null},"request_id":"r","expose":false}`
	if got := p.send(t, "POST", "POST", path+"?explain=true", full, 200); !strings.Contains(got, `"payload":{"a":[1]}`) {
		t.Errorf("no payload: %s", got)
	}
	p.send(t, "POST", "POST", path, `{"context":{"a":1},"model":"faulty"}`, 200)
	p.send(t, "POST", "POST", path, `{"instances":[{"user_id":"u"},{"user_id":7},{"user_id":"u","experiment":"absent"}],"model":"risk"}`, 200)
	for _, bad := range []string{`{`, `{}`, `{"user_id":"u","features":{}}`, `{"instances":[]}`} {
		p.send(t, "POST", "POST", path, bad, 400)
	}
	p.send(t, "POST", "POST", path, full, 403, unsigned)
	p.send(t, "POST", "POST", path, `{"user_id":"u","experiment":"absent"}`, 404)
	p.send(t, "POST", "POST", path, `{"user_id":"u","model":"absent"}`, 404)
	p.send(t, "POST", "POST", path, `{"user_id":"u","entities":{"absent":1}}`, 422)
}

func (p *trafficPort) feedback(t *testing.T, path string) {
	t.Helper()
	p.send(t, "POST", "POST", path, `{"user_id":"u","outcome":"x","value":1.5,"experiment":"e","id":"i","at":"2026-01-31T08:00:00Z"}`, 202)
	p.send(t, "POST", "POST", path, `{"outcomes":[{"request_id":"r","outcome":"x"},{"outcome":"x"},7]}`, 202)
	for _, bad := range []string{`{`, `{}`, `{"user_id":"u"}`, `{"outcomes":[]}`} {
		p.send(t, "POST", "POST", path, bad, 400)
	}
	p.full = true
	p.send(t, "POST", "POST", path, `{"user_id":"u","outcome":"x"}`, 503)
	p.full = false
}

// flags provokes what the OpenFeature Remote Evaluation Protocol is answered with.
func (c *contract) flags(t *testing.T) {
	p := newTrafficPort(t, c, false)
	const one, all, configuration = "/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags", "/ofrep/v1/configuration"
	const user = `{"context":{"targetingKey":"u","a":{"b":1}},"x":1}`
	targets := map[string]string{one: "/ofrep/v1/evaluate/flags/risk-test", all: all}
	slow := map[string]net.Conn{}
	for path, target := range targets {
		p.send(t, "POST "+path, "POST", target, user, 503)
	}
	p.serve(t)
	for path, target := range targets {
		operation := "POST " + path
		slow[path] = p.write(t, "POST "+target+" HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{")
		p.send(t, operation, "POST", target, user, 200)
		p.send(t, operation, "POST", target, user, 200, "X-Hotpath-Expose: true")
		for _, bad := range []string{``, `{`, `{"context":7}`} {
			p.send(t, operation, "POST", target, bad, 400)
		}
		p.send(t, operation, "POST", target, user, 403, unsigned)
		p.send(t, operation, "GET", target, "", 405)
		p.send(t, operation, "POST", target, user, 415, "Content-Encoding: gzip")
		p.send(t, operation, "POST", target, user, 431, "X-Long: "+strings.Repeat("x", 3<<10))
		p.raw(t, operation, "POST", target, "POST "+target+" HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", "", 413)
	}
	p.send(t, "POST "+one, "POST", targets[one], `{}`, 400)
	p.send(t, "POST "+one, "POST", all+"/absent", user, 404)
	p.send(t, "POST "+all, "POST", all, `{}`, 200)
	p.send(t, "POST", "POST", all, user, 304, "If-None-Match: *")
	p.send(t, "GET", "GET", configuration, "", 200)
	p.send(t, "GET", "GET", configuration, "", 304, "If-None-Match: *")
	p.send(t, "GET", http.MethodPost, configuration, "", 405)
	for path, conn := range slow {
		p.receive(t, conn, "POST "+path, "POST", targets[path], "", 408)
	}
}
