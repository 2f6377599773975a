package features

// meant suggests the known name that is closest to an unknown one, as the end
// of an error message; empty when nothing is close.
func meant(name string, known []string) string {
	if len(name) > maxNameBytes {
		return ""
	}
	best, limit := "", 1+len(name)/3
	for _, k := range known {
		if d := len(k) - len(name); d > limit || -d > limit {
			continue
		}
		if d := distance(name, k); d <= limit {
			best, limit = k, d-1
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the number of bytes to insert, remove or replace.
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
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
