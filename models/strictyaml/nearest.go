package strictyaml

import "slices"

// Nearest is the name that name was most likely meant to be, or "" when none of
// them is near enough to be worth a suggestion. Case, - and _ do not count.
func Nearest(name string, names []string) string {
	best, distance := "", max(2, len(name)/3)+1
	folded := fold(name)
	for _, n := range names {
		if d := edits(folded, fold(n)); d < distance {
			best, distance = n, d
		}
	}
	// Replacing most of a short name is another word, not a slip.
	if distance*2 > len(folded) {
		return ""
	}
	return best
}

func fold(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c != '-' && c != '_':
			b = append(b, c)
		}
	}
	return b
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b (optimal string alignment).
func edits(a, b []byte) int {
	var before []int // the row of the table two letters of a earlier
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			next[j+1] = d
		}
		before, row = row, next
	}
	return row[len(b)]
}

// didYouMean ends a message about an unknown name with a way out.
func didYouMean(name string, names []string) string {
	if n := Nearest(name, names); n != "" {
		return "; did you mean " + n + "?"
	}
	switch len(names) {
	case 0:
		return "; nothing can stand here"
	case 1:
		return "; only " + names[0] + " can stand here"
	}
	if len(names) > 12 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(names))
	s := "; known are "
	for i, n := range sorted {
		if i > 0 {
			s += ", "
		}
		s += n
	}
	return s
}
