package features

import (
	"math"
	"strconv"
	"testing"
)

// FuzzParseNumber: numbers are those of strconv, bit for bit, less the spellings
// that no other language writes.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "+1", "1.", ".5", ".", "-", "1.2.3", "9007199254740993", "0.1", "123456.789", "1e3", "1e400",
		"9007199254740992.5", "0.00000000000000000000001", "18446744073709551616", "1e", "e1", "--1", "1-1", "0000000000000000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, v := parseNumber([]byte(text), false)
		want, err := strconv.ParseFloat(text, 64)
		plain := len(text) <= maxNumberBytes
		for _, c := range text {
			plain = plain && (c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '-' || c == '+')
		}
		if (v == ok) != (err == nil && plain) {
			t.Fatalf("%q: verdict %d, strconv says %v", text, v, err)
		}
		if v == ok && math.Float64bits(n.f) != math.Float64bits(want) {
			t.Fatalf("%q = %v, strconv says %v", text, n.f, want)
		}
		i, v := parseNumber([]byte(text), true)
		if signed, err := strconv.ParseInt(text, 10, 64); err == nil {
			if v != ok || !i.whole || i.neg != (text[0] == '-') || (i.neg && -int64(i.mag) != signed) || (!i.neg && int64(i.mag) != signed) {
				t.Fatalf("%q as an integer: %+v %d, want %d", text, i, v, signed)
			}
		}
	})
}
