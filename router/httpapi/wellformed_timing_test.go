package httpapi

import "testing"

func BenchmarkWellFormed(b *testing.B) {
	headers := []byte("Host: localhost:8080\r\nUser-Agent: client/1.0\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 120\r\n" +
		"X-Request-Id: 0123456789abcdef\r\nX-Request-Timeout-Ms: 50\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if !wellFormed(headers) {
			b.Fatal("refused")
		}
	}
}
