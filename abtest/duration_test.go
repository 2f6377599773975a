package abtest

import (
	"testing"
	"time"
)

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"90s", "1h30m", "168h", "0.5s", ".5s", "5.s", "1.000000001s", "1us1µs1μs2ns3ms", "0s", "00h01m", "2562047h47m16.854775807s", "2562047h47m16.854775808s",
		"2562048h", "1", "s", "", ".s", "1d", "1 s", "-1s", "+1s", "1h-1m", "9223372036854775807ns", "9223372036854775808ns", "1.5", "0", "１s", "1s\x00", "1m1m1m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseDuration(s)
		want, err := time.ParseDuration(s)
		if ok && (err != nil || got != int64(want)) {
			t.Errorf("%q is %d, Go says %d, %v", s, got, want, err)
		}
		// What Go takes and this does not: signs, a zero without a unit, and numbers
		// of more digits than there can be reason for.
		if !ok && err == nil && s != "0" && s[0] != '-' && s[0] != '+' && longestNumber(s) <= maxDigits {
			t.Errorf("%q is refused, Go says %d", s, want)
		}
	})
}

func longestNumber(s string) (longest int) {
	for i := range s {
		longest = max(longest, leadingDigits(s[i:]))
	}
	return longest
}
