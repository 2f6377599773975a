package abtest

import "bytes"

// version is a semantic version taken apart; it points into the text.
type version struct {
	core [3][]byte // without leading zeros
	pre  []byte    // the pre-release; empty: none
}

// parseVersion reads a version as semver.org has it, and a little more: a v
// before it, one or two numbers instead of three, and leading zeros, since
// clients send these. What follows a + does not count.
func parseVersion(b []byte) (v version, ok bool) {
	b = bytes.TrimPrefix(b, []byte("v"))
	if i := bytes.IndexByte(b, '+'); i >= 0 {
		if !identifiers(b[i+1:]) {
			return v, false
		}
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '-'); i >= 0 {
		if v.pre = b[i+1:]; !identifiers(v.pre) {
			return v, false
		}
		b = b[:i]
	}
	for i := range v.core {
		part, rest, more := bytes.Cut(b, []byte("."))
		if !numeric(part) {
			return v, false
		}
		v.core[i] = bytes.TrimLeft(part, "0")
		if !more {
			return v, true
		}
		b = rest
	}
	return v, false
}

// identifiers says whether b is a list of them, joined by dots, none empty.
func identifiers(b []byte) bool {
	length := 0
	for _, c := range b {
		switch {
		case c == '.':
			if length == 0 {
				return false
			}
			length = 0
		case c == '-' || alphanumeric(rune(c)):
			length++
		default:
			return false
		}
	}
	return length > 0
}

func numeric(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// compare orders two versions by precedence: below 0 where v comes first.
func (v *version) compare(o *version) int {
	for i := range v.core {
		if d := compareNumbers(v.core[i], o.core[i]); d != 0 {
			return d
		}
	}
	switch {
	case len(v.pre) == 0 && len(o.pre) == 0:
		return 0
	case len(v.pre) == 0:
		return 1
	case len(o.pre) == 0:
		return -1
	}
	a, b := v.pre, o.pre
	for {
		x, restA, moreA := bytes.Cut(a, []byte("."))
		y, restB, moreB := bytes.Cut(b, []byte("."))
		if d := compareIdentifiers(x, y); d != 0 {
			return d
		}
		switch {
		case !moreA && !moreB:
			return 0
		case !moreA:
			return -1
		case !moreB:
			return 1
		}
		a, b = restA, restB
	}
}

// compareIdentifiers orders numbers by value and before all other identifiers.
func compareIdentifiers(a, b []byte) int {
	switch x, y := numeric(a), numeric(b); {
	case x && y:
		return compareNumbers(bytes.TrimLeft(a, "0"), bytes.TrimLeft(b, "0"))
	case x:
		return -1
	case y:
		return 1
	}
	return bytes.Compare(a, b)
}

// compareNumbers orders digits without leading zeros, however many there are.
func compareNumbers(a, b []byte) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}
