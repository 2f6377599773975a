package httpapi_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// bodyOf is a chunked or counted body that hides the canary from whoever takes
// the other header for true.
var (
	postHead  = "POST /predict HTTP/1.1\r\nHost: h\r\n"
	smuggling = "0\r\n\r\n" + canary
)

// malformed is the corpus of FAULTS row 32: requests that servers have been
// fooled by. Each is followed by a canary.
var malformed = map[string]string{
	"two lengths, different":               postHead + "Content-Length: 3\r\nContent-Length: 200\r\n\r\n" + smuggling,
	"two lengths, different, reversed":     postHead + "Content-Length: 200\r\nContent-Length: 3\r\n\r\n" + smuggling,
	"a list of lengths":                    postHead + "Content-Length: 3, 200\r\n\r\n" + smuggling,
	"a list of the same length":            postHead + "Content-Length: 3, 3\r\n\r\n" + smuggling,
	"length and chunked":                   postHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggling,
	"chunked and length":                   postHead + "Transfer-Encoding: chunked\r\nContent-Length: 500\r\n\r\n" + smuggling,
	"length with a plus":                   postHead + "Content-Length: +5\r\n\r\n" + smuggling,
	"length with a minus":                  postHead + "Content-Length: -5\r\n\r\n" + smuggling,
	"length in hex":                        postHead + "Content-Length: 0x5\r\n\r\n" + smuggling,
	"length with a space inside":           postHead + "Content-Length: 1 5\r\n\r\n" + smuggling,
	"length with an underscore":            postHead + "Content-Length: 1_5\r\n\r\n" + smuggling,
	"length that is a fraction":            postHead + "Content-Length: 5.0\r\n\r\n" + smuggling,
	"length with a quote":                  postHead + "Content-Length: \"5\"\r\n\r\n" + smuggling,
	"length that overflows":                postHead + "Content-Length: 18446744073709551621\r\n\r\n" + smuggling,
	"length of nothing":                    postHead + "Content-Length: \r\n\r\n" + smuggling,
	"length with a trailing semicolon":     postHead + "Content-Length: 5;\r\n\r\n" + smuggling,
	"space before the colon of the length": postHead + "Content-Length : 5\r\n\r\n" + smuggling,
	"tab before the colon of the length":   postHead + "Content-Length\t: 5\r\n\r\n" + smuggling,
	"space before the colon of chunked":    postHead + "Transfer-Encoding : chunked\r\n\r\n" + smuggling,
	"vertical tab before chunked":          postHead + "Transfer-Encoding: \x0bchunked\r\n\r\n" + smuggling,
	"unknown transfer encoding":            postHead + "Transfer-Encoding: xchunked\r\n\r\n" + smuggling,
	"chunked twice":                        postHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + smuggling,
	"chunked, then identity":               postHead + "Transfer-Encoding: chunked, identity\r\n\r\n" + smuggling,
	"identity, then chunked":               postHead + "Transfer-Encoding: identity, chunked\r\n\r\n" + smuggling,
	"gzip, then chunked":                   postHead + "Transfer-Encoding: gzip, chunked\r\n\r\n" + smuggling,
	"chunked in quotes":                    postHead + "Transfer-Encoding: \"chunked\"\r\n\r\n" + smuggling,
	"transfer encoding of nothing":         postHead + "Transfer-Encoding: \r\n\r\n" + smuggling,
	"chunked on HTTP/1.0":                  "POST /predict HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + smuggling,
	"a folded header":                      postHead + "X: a\r\n b\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a folded transfer encoding":           postHead + "Transfer-Encoding:\r\n chunked\r\n\r\n" + smuggling,
	"a folded length":                      postHead + "Content-Length:\r\n 5\r\n\r\n" + smuggling,
	"space before the first header":        "POST /predict HTTP/1.1\r\n Host: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"bare CR in a value":                   postHead + "X: a\rContent-Length: 500\r\n\r\n" + smuggling,
	"bare CR ends a line":                  "POST /predict HTTP/1.1\rHost: h\rContent-Length: 5\r\r" + smuggling,
	"NUL in a value":                       postHead + "X: a\x00b\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"NUL in a name":                        postHead + "X\x00: a\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a control character in a value":       postHead + "X: a\x01b\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a header without a colon":             postHead + "nonsense\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a header without a name":              postHead + ": value\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a name with a space":                  postHead + "Content Length: 5\r\n\r\n" + smuggling,
	"a name with brackets":                 postHead + "X(Y): 5\r\n\r\n" + smuggling,
	"a name that is not ASCII":             postHead + "Content-L\xc3\xa9ngth: 5\r\n\r\n" + smuggling,
	"no host":                              "POST /predict HTTP/1.1\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"two hosts":                            "POST /predict HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a host with a slash":                  "POST /predict HTTP/1.1\r\nHost: a/b\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a host with a space":                  "POST /predict HTTP/1.1\r\nHost: a b\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"no version":                           "POST /predict\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"version 2":                            "POST /predict HTTP/2.0\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"version 1.2":                          "POST /predict HTTP/1.2\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"version 0.9":                          "POST /predict HTTP/0.9\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"version in lower case":                "POST /predict http/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"two spaces in the request line":       "POST  /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a space in the path":                  "POST /pre dict HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a tab in the request line":            "POST\t/predict\tHTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"no method":                            " /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a method with a control character":    "PO\x01ST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"an empty target":                      "POST  HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n" + smuggling,
	"a TLS hello":                          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x42", 64) + "\r\n\r\n" + canary,
	"HTTP/2 with prior knowledge":          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + canary,
	"noise":                                "\xff\xfe\xfd\r\n\r\n" + canary,
	"chunk size with a plus":               postHead + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n" + smuggling,
	"chunk size with 0x":                   postHead + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n" + smuggling,
	"chunk size with a minus":              postHead + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n" + smuggling,
	"chunk size of nothing":                postHead + "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n" + smuggling,
	"chunk size that overflows":            postHead + "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n" + smuggling,
	"chunk size ended by LF":               postHead + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n" + smuggling,
	"chunk extension with LF":              postHead + "Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n" + smuggling,
	"chunk data too long":                  postHead + "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n" + smuggling,
	"chunk data ended by LF":               postHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n" + smuggling,
	"a trailer that is malformed":          postHead + "Transfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n" + canary,
	"a trailer that changes the length":    postHead + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n" + canary,
}

// tolerated are those of the corpus that fasthttp takes for requests. Each has
// only one reading, in which the canary is a request of its own after them: who
// sends these bytes could as well have sent it plainly.
var tolerated = map[string]string{}

func TestMalformedRequests(t *testing.T) {
	p, executed := watched(t, func(s *setup) { s.server.ReadTimeout = 300 * time.Millisecond })
	var running sync.WaitGroup
	gate := make(chan struct{}, 8)
	var mu sync.Mutex
	for name, text := range malformed {
		running.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			c := p.dial(t)
			send(t, c, text)
			all, closed := replies(t, c, 5*time.Second)
			mu.Lock()
			defer mu.Unlock()
			problem := ""
			switch {
			case !closed:
				problem = "the connection stays open"
			case len(all) != 1:
				problem = fmt.Sprintf("%d answers", len(all))
			case all[0].status != 400 && all[0].status != 431 && all[0].status != 413 && all[0].status != 408:
				problem = fmt.Sprintf("status %d", all[0].status)
			case all[0].code(t) == "" || !all[0].last:
				problem = "not our kind of answer"
			}
			if problem != "" && tolerated[name] == "" {
				t.Errorf("%s: %s: %.300v", name, problem, all)
			}
			if problem == "" && tolerated[name] != "" {
				t.Errorf("%s is refused and need not be in the list of what is tolerated", name)
			}
		})
	}
	running.Wait()
	if n := executed.Load(); n != int64(len(tolerated)) {
		t.Errorf("%d canaries executed", n)
	}
	if got := p.post(t, "/predict", `{"user_id":"u"}`); got.status != 200 {
		t.Errorf("afterwards a good client gets %+v", got)
	}
}
