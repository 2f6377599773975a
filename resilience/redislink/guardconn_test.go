package redislink

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// chunked is a connection whose reads give at most n bytes of a text at a time.
type chunked struct {
	net.Conn
	text   []byte
	n      int
	closed bool
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.text[:min(c.n, len(c.text))])
	c.text = c.text[n:]
	return n, nil
}

func (c *chunked) Close() error { c.closed = true; return nil }

func through(text string, n int, wrap bool) (string, error) {
	out, err := io.ReadAll(newGuardConn(&chunked{text: []byte(text), n: n}, wrap))
	return string(out), err
}

// wrapped is what a flat array becomes.
func wrapped(s string) string { return "$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n" }

func TestGuardConnWraps(t *testing.T) {
	flat := "*3\r\n$3\r\nabc\r\n$-1\r\n$0\r\n\r\n"
	flat3 := "*2\r\n_\r\n$4\r\n\r\n*1\r\n"
	big := "*1\r\n$2097152\r\n" + strings.Repeat("x", 2<<20) + "\r\n"
	for _, c := range []struct{ name, in, out string }{
		{"flat array", flat, wrapped(flat)},
		{"RESP3 nulls and line breaks in values", flat3, wrapped(flat3)},
		{"in a row", "+PONG\r\n" + flat + ":1\r\n" + flat, "+PONG\r\n" + wrapped(flat) + ":1\r\n" + wrapped(flat)},
		{"hello map", "%2\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*0\r\n", "%2\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*0\r\n"},
		{"role", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"},
		{"nested", "*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
		{"empty and null arrays", "*0\r\n*-1\r\n" + flat, "*0\r\n*-1\r\n" + wrapped(flat)},
		{"push in front", ">2\r\n$1\r\na\r\n$1\r\nb\r\n" + flat, ">2\r\n$1\r\na\r\n$1\r\nb\r\n" + wrapped(flat)},
		{"attribute in front", "|1\r\n+a\r\n:1\r\n:7\r\n" + flat, "|1\r\n+a\r\n:1\r\n:7\r\n" + wrapped(flat)},
		{"attribute inside", "*1\r\n|1\r\n+a\r\n:1\r\n:7\r\n" + flat, "*1\r\n|1\r\n+a\r\n:1\r\n:7\r\n" + wrapped(flat)},
		{"error reply", "-LOADING x\r\n" + flat, "-LOADING x\r\n" + wrapped(flat)},
		{"too large to wrap", big + flat, big + wrapped(flat)},
	} {
		for _, n := range []int{1, 2, 3, 7, 1 << 20} {
			if len(c.in) > 1<<20 && n < 7 {
				continue
			}
			if got, err := through(c.in, n, true); err != nil || got != c.out {
				t.Fatalf("%s in chunks of %d: %v\n%.200q\n%.200q", c.name, n, err, got, c.out)
			}
			if got, err := through(c.in, n, false); err != nil || got != c.in {
				t.Fatalf("%s unwrapped in chunks of %d: %v %.200q", c.name, n, err, got)
			}
		}
	}
}

func TestGuardConnRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"bytes":           {"\x00\x01\x02hello\r\n", errReplySyntax},
		"http":            {"HTTP/1.1 400 Bad Request\r\n", errReplySyntax},
		"huge string":     {"$2147483647\r\n", errReplySize},
		"overflow":        {"$9223372036854775807\r\n", errReplySyntax},
		"huge array":      {"*2147483647\r\n", errReplySize},
		"huge map":        {"%2147483647\r\n", errReplySize},
		"negative":        {"$-5\r\n", errReplySyntax},
		"streamed":        {"$?\r\n", errReplySyntax},
		"deep":            {strings.Repeat("*1\r\n", 100), errReplySize},
		"endless line":    {"+" + strings.Repeat("x", 1<<20), errReplySize},
		"bare line break": {"+OK\n", errReplySyntax},
	} {
		conn := &chunked{text: []byte(c.in), n: 4096}
		_, err := io.ReadAll(newGuardConn(conn, true))
		if !errors.Is(err, c.want) || !conn.closed {
			t.Errorf("%s: %v, closed %v", name, err, conn.closed)
		}
	}
}

// FuzzGuardConn: chunk borders do not matter, without wrapping nothing changes,
// and memory follows what arrived, not what was announced.
func FuzzGuardConn(f *testing.F) {
	f.Add([]byte("*3\r\n$3\r\nabc\r\n$-1\r\n$0\r\n\r\n+OK\r\n"), 3)
	f.Add([]byte("%1\r\n+a\r\n*2\r\n:1\r\n_\r\n|1\r\n+a\r\n:1\r\n*1\r\n$1\r\na\r\n"), 1)
	f.Add([]byte("$2147483647\r\n*9\r\n*9\r\n"), 2)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		if n < 1 {
			n = 1
		}
		whole, err1 := through(string(text), len(text)+1, true)
		parts, err2 := through(string(text), n, true)
		if (err1 == nil) != (err2 == nil) || (err1 == nil && whole != parts) {
			t.Fatalf("chunks of %d: %v %q, whole: %v %q", n, err2, parts, err1, whole)
		}
		plain, err := through(string(text), n, false)
		if !bytes.HasPrefix(text, []byte(plain)) {
			t.Fatalf("passed on %q of %q (%v)", plain, text, err)
		}
		if len(whole) > 16*len(text)+16 {
			t.Fatalf("%d bytes became %d", len(text), len(whole))
		}
	})
}
