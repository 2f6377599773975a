package jsonwire

import "strings"

// maxMisspelt is the longest name that is compared with the known ones, in bytes.
const maxMisspelt = 128

// nearest is which of the known names (a list with commas) a caller may have
// meant; "" when none is near. It runs on the error path only.
func nearest(name []byte, known string) string {
	if len(name) > maxMisspelt {
		return ""
	}
	plain := squeeze(string(name))
	if s := synonym(plain); s != "" && strings.Contains(known, s) {
		return s
	}
	best, least := "", 3
	for k := range strings.SplitSeq(known, ", ") {
		if d := distance(plain, squeeze(k)); d < least && d < len(k)/2 {
			best, least = k, d
		}
	}
	return best
}

// squeeze drops what naming styles differ in: userId, User-ID and user_id.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// synonym knows what other servers call the same thing.
func synonym(plain string) string {
	switch plain {
	case "inputs", "input", "data":
		return "features"
	case "user", "uid", "id":
		return "user_id"
	case "attributes":
		return "context"
	case "requests", "rows", "items":
		return "instances"
	}
	return ""
}

// distance is the number of single-byte edits between two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
