package httpapi

import "testing"

func TestWellFormed(t *testing.T) {
	for headers, want := range map[string]bool{
		"":                       true,
		"\r\n":                   true,
		"no end of line":         false,
		"no-end-of-line":         true,
		"Host: h\r\n\r\n":        true,
		"Host: h\r\nX: a b\r\n":  true,
		"Host: h\r\nX: a: b c\n": true,
		"Host: h\r\nX:\r\n\r\n":  true,
		"X: a\r\n b\r\n\r\n":     false,
		"X: a\r\n\tb\r\n\r\n":    false,
		"Content Length: 5\r\n":  false,
		" X: a\r\n":              false,
	} {
		if got := wellFormed([]byte(headers)); got != want {
			t.Errorf("%q: %v, want %v", headers, got, want)
		}
	}
}
