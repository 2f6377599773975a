package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// oddRequest is a body that no careful client sends.
type oddRequest struct {
	name, body string
	codes      string // one or more, separated by |; ok is 200
}

// oddRequests are rows 25 to 28, against the models echo, whose x is float32, and
// echo_int64, whose id is an int64.
func oddRequests() []oddRequest {
	echo := func(id, x string) string {
		return fmt.Sprintf(`{"user_id":"u","model":"echo","features":{"id":%s,"x":[%s,1,2,0.5]}}`, id, x)
	}
	whole := func(id string) string {
		return fmt.Sprintf(`{"user_id":"u","model":"echo_int64","features":{"id":%s,"x":[1,1,2,0.5]}}`, id)
	}
	user := func(text string) string {
		return `{"user_id":"` + text + `","model":"echo","features":{"id":1,"x":[1,1,2,0.5]}}`
	}
	return []oddRequest{
		{"row 25: NaN", echo("1", "NaN"), "bad_json"},
		{"row 25: Infinity", echo("1", "-Infinity"), "bad_json"},
		{"row 25: 1e400", echo("1", "1e400"), "bad_features|bad_json"},
		{"row 25: 1e39 into float32", echo("1", "1e39"), "bad_features"},
		{"row 25: -0", echo("1", "-0"), "ok"},
		{"row 25: 2^53+1 into int64", whole("9007199254740993"), "ok"},
		{"row 25: 2^63 into int64", whole("9223372036854775808"), "bad_features"},
		{"row 25: half an integer", whole("1.5"), "bad_features"},
		{"row 26: 33 levels", `{"user_id":"u","context":` + strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33) + "}", "bad_json|bad_request"},
		{"row 26: 100,000 brackets", `{"user_id":` + strings.Repeat("[", 100_000), "bad_json|bad_request"},
		{"row 26: 1 MiB of blanks", strings.Repeat(" ", 1<<20) + user("u"), "body_too_large"},
		{"row 26: an array of 1,000,000 elements", echo("1", strings.Repeat("1,", 1_000_000)+"1"), "body_too_large"},
		{"row 26: an array of 100,000 elements", echo("1", strings.Repeat("1,", 100_000)+"1"), "bad_features"},
		{"row 27: a key twice", `{"user_id":"a","user_id":"a"}`, "bad_json|bad_request"},
		{"row 27: a feature twice", `{"user_id":"u","model":"echo","features":{"id":1,"id":2,"x":[1,1,2,0.5]}}`, "bad_json|bad_request|bad_features"},
		{"row 27: a key in another case", `{"User_Id":"u","model":"echo"}`, "bad_request"},
		{"row 27: an unknown key", strings.TrimSuffix(user("u"), "}") + `,"extra":1}`, "bad_request"},
		{"row 27: bytes after the document", user("u") + "{}", "bad_json"},
		{"row 27: a byte order mark", "\ufeff" + user("u"), "bad_json"},
		{"row 28: bytes that are no UTF-8", user("\xff\xfe"), "bad_json"},
		{"row 28: half a surrogate pair", user(`\ud800`), "bad_json"},
		{"row 28: NUL", user(`a\u0000b`), "bad_request|bad_json|ok"},
	}
}

// TestOddRequests sends each of them over a connection that must serve on.
func TestOddRequests(t *testing.T) {
	dir := fixtures(t, "echo", "echo_int64")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	v := keepVigil(t, g, echoBody)
	w, err := dialWire(g.Traffic)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { w.Close() }()
	var r report
	for i, c := range oddRequests() {
		a := answer{seq: i, sent: time.Now()}
		a.reply, a.err = w.do(post("/predict", c.body, fmt.Sprintf("X-Request-Id: r-%d", i)), scaled(5*time.Second))
		a.took = time.Since(a.sent)
		if a.err != nil {
			t.Fatalf("%s: %v", c.name, a.err)
		}
		if err := a.parse(); err != nil {
			t.Errorf("%s: %v in %s", c.name, err, a.reply.body)
		}
		if !strings.Contains("|"+c.codes+"|", "|"+a.code()+"|") {
			t.Errorf("%s: %d %s, want %s", c.name, a.reply.status, a.reply.body, c.codes)
		}
		if strings.Contains(c.name, "2^53+1") && !bytes.Contains(a.reply.body, []byte("9007199254740993")) {
			t.Errorf("%s: %s, want the number itself", c.name, a.reply.body)
		}
		verdict(t, c.name, c.codes, "%d %s after %s", a.reply.status, a.code(), a.took.Round(10*time.Microsecond))
		// A body over the limit is counted under no route: it was not read.
		if r.answers = append(r.answers, a); a.reply.closing {
			r.answers = r.answers[:len(r.answers)-1]
			v.strays++
			w.Close()
			if w, err = dialWire(g.Traffic); err != nil {
				t.Fatal(err)
			}
		}
	}
	line := v.end(t, r, 5*time.Second, "ok", "bad_json", "bad_request", "bad_features", "body_too_large")
	verdict(t, "rows 25 to 28: requests that no careful client sends", "refused or exact, the connection serves on", "%s", line)
	g.Stop(t)
}

// TestSpellingsOfOneUser is row 28: a user id is the same however JSON spells it.
func TestSpellingsOfOneUser(t *testing.T) {
	dir := demoFiles(t, "")
	g := startGateway(t, dir, append(demoArgs(dir, "127.0.0.1:1"), calm...)...)
	variants := map[string]bool{}
	for _, id := range []string{"user-é-1", `user-\u00e9-1`, `\u0075ser-\u00E9-1`, `user-é\u002d1`} {
		status, p := g.predict(t, `{"user_id":"`+id+`"}`)
		if status != 200 {
			t.Errorf("%s: %d %+v", id, status, p)
		}
		variants[fmt.Sprint(p.Variant, p.Version)] = true
	}
	if len(variants) != 1 {
		t.Errorf("spellings of one user got %v", variants)
	}
	verdict(t, "row 28: spellings of one user id", "one variant", "%v", variants)
	g.Stop(t)
}

// TestGzipBomb is row 29: 64 MiB of zeros in some KiB, where compression is taken.
func TestGzipBomb(t *testing.T) {
	g := startEcho(t, "--set", "server.max_infer_body_bytes=1MiB")
	v := keepVigil(t, g, echoBody)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(z, zeros{}, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, encoding string
		status         int
	}{
		{"/predict", "gzip", 415}, {"/v2/models/echo/infer", "gzip", 413}, {"/v2/models/echo/infer", "gzip, gzip", 415}, {"/v2/models/echo/infer", "br", 415},
	} {
		w, err := dialWire(g.Traffic)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		a, err := w.do(post(c.path, bomb.String(), "Content-Encoding: "+c.encoding), scaled(5*time.Second))
		w.Close()
		if err != nil || a.status != c.status {
			t.Errorf("%s to %s: %v %d %s, want %d", c.encoding, c.path, err, a.status, a.body, c.status)
		}
		v.strays++
		verdict(t, "row 29: 64 MiB of zeros as "+c.encoding+" to "+c.path, fmt.Sprint(c.status), "%d after %s", a.status, time.Since(at).Round(time.Millisecond))
	}
	line := v.end(t, report{}, 5*time.Second)
	verdict(t, "row 29: gzip bombs", "refused, memory stays", "%s", line)
	g.Stop(t)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// brokenRequests are a part of row 32; all of it is httpapi's TestMalformedRequests.
func brokenRequests() map[string]string {
	head := "POST /predict HTTP/1.1\r\nHost: h\r\n"
	return map[string]string{
		"headers of 8 KiB and 1":      head + "X: " + strings.Repeat("a", 8<<10) + "\r\n\r\n",
		"1,000 headers":               head + strings.Repeat("A: bcdefgh\r\n", 1000) + "\r\n",
		"two lengths":                 head + "Content-Length: 3\r\nContent-Length: 200\r\n\r\n0\r\n\r\n",
		"length and chunked":          head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked on HTTP/1.0":         "POST /predict HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"length with a plus":          head + "Content-Length: +5\r\n\r\nhello",
		"a folded header":             head + "X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
		"a bare CR in a value":        head + "X: a\rContent-Length: 500\r\n\r\n",
		"lines ended by CR alone":     "POST /predict HTTP/1.1\rHost: h\rContent-Length: 5\r\rhello",
		"a chunk extension with a LF": head + "Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n",
		"no host":                     "POST /predict HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
		"two hosts":                   "POST /predict HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello",
	}
}

// TestBrokenRequests is row 32 against the binary: an answer and a close, and what
// follows on the connection is never a request.
func TestBrokenRequests(t *testing.T) {
	g := startEcho(t, "--set", "server.read_timeout=1s")
	v := keepVigil(t, g, echoBody)
	_, rest := echoBody(7)
	smuggled := string(post("/predict", "{"+rest)) // a whole request that hides behind a broken one
	for name, text := range brokenRequests() {
		w, err := dialWire(g.Traffic)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.conn.SetDeadline(time.Now().Add(scaled(5 * time.Second))); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w.conn, text+smuggled); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, err := w.read()
		rest, closed := io.ReadAll(w.r)
		w.Close()
		v.strays++
		if err != nil || a.status != 400 && a.status != 431 || !a.closing || len(rest) > 0 || closed != nil {
			t.Errorf("%s: %v %d %s, closing %t, then %q %v; want 400 or 431 and a close", name, err, a.status, a.body, a.closing, rest, closed)
		}
		verdict(t, "row 32: "+name, "400 or 431, closed", "%d", a.status)
	}
	if n := g.metrics(t).sum("hotpath_batch_size_sum") - v.before.sum("hotpath_batch_size_sum"); n != 0 {
		t.Errorf("%g smuggled requests were run", n)
	}
	line := v.end(t, report{}, 5*time.Second)
	verdict(t, "row 32: requests that servers have been fooled by", "none of what follows them is run", "%s", line)
	g.Stop(t)
}
