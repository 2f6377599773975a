package abtest

import "math"

// parseDuration reads a duration such as 90s, 1h30m or 0.5s in nanoseconds; not ok
// where it is none, negative, or over 292 years. Units are those of Go: ns, us, ms,
// s, m, h. It is its own code for the reason that parseMoment has.
func parseDuration(s string) (ns int64, ok bool) {
	for rest := s; rest != ""; {
		whole := leadingDigits(rest)
		number, fraction := rest[:whole], ""
		if rest = rest[whole:]; rest != "" && rest[0] == '.' {
			n := leadingDigits(rest[1:])
			fraction, rest = rest[1:1+n], rest[1+n:]
		}
		unit, name := unitOf(rest)
		rest = rest[len(name):]
		if unit == 0 || number+fraction == "" || len(number) > maxDigits || len(fraction) > maxDigits {
			return 0, false
		}
		n := digits(number)
		if n > math.MaxInt64/unit {
			return 0, false
		}
		part := int64(float64(digits(fraction)) * (float64(unit) / math.Pow10(len(fraction))))
		if ns += n * unit; ns < 0 || ns+part < 0 {
			return 0, false
		}
		ns += part
	}
	return ns, s != ""
}

// maxDigits of a number always fit into 63 bits.
const maxDigits = 18

// unitOf is the unit of time that a text begins with, in nanoseconds.
func unitOf(s string) (ns int64, name string) {
	end := 0
	for end < len(s) && s[end] != '.' && (s[end] < '0' || s[end] > '9') {
		end++
	}
	switch name = s[:end]; name {
	case "ns":
		return 1, name
	case "us", "µs", "μs":
		return microsecond, name
	case "ms":
		return millisecond, name
	case "s":
		return second, name
	case "m":
		return minute, name
	case "h":
		return hour, name
	}
	return 0, name
}

// Spans of time in nanoseconds.
const (
	microsecond int64 = 1000
	millisecond       = 1000 * microsecond
	second            = 1000 * millisecond
	minute            = 60 * second
	hour              = 60 * minute
)

// duration reads a duration between two bounds, said as texts in the message.
func (c *compiler) duration(at place, text string, least, most int64, bounds string) int64 {
	ns, ok := parseDuration(text)
	switch {
	case !ok:
		c.addf(at, "%q is not a duration such as 30s, 5m or 168h", text)
	case ns < least || ns > most:
		c.addf(at, "%s is not %s", text, bounds)
	}
	return ns
}
