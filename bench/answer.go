package bench

import "bytes"

// answerHead is what the wire generator needs to know of an answer.
type answerHead struct {
	code  int // 0: not an HTTP/1.1 answer with a length
	close bool
}

// parseAnswer reads an HTTP/1.1 answer. It says false while the answer is not
// complete. Answers with other lengths than Content-Length are malformed here:
// neither the gateway nor the floor sends any.
func parseAnswer(b []byte) (answerHead, bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return answerHead{}, len(b) > 64<<10
	}
	if len(b) < 12 || !bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		return answerHead{}, true
	}
	head := answerHead{code: max(number(b[9:12]), 0)}
	length := -1
	for line := range bytes.SplitSeq(b[:end], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")):
			length = number(bytes.TrimSpace(value))
		case len(name) == len("connection") && bytes.EqualFold(name, []byte("connection")):
			head.close = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	if length < 0 {
		return answerHead{}, true
	}
	return head, len(b) >= end+4+length
}

// number reads a decimal number; -1 when b is not one.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<30 {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	if len(b) == 0 {
		return -1
	}
	return n
}
