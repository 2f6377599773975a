package experiments

import (
	"fmt"
	"strings"
)

// maxEdits bounds the search for the shortest difference, whose memory grows with
// the square of it. What differs in more lines is shown as replaced.
const maxEdits = 1000

// contextLines is how many equal lines a difference shows around those that differ.
const contextLines = 3

// edit is one line of a difference: ' ' in both, '-' before, '+' after.
type edit struct {
	kind byte
	line string
}

type edits []edit

// Diff is the difference of two texts in the unified form; empty where they are
// equal.
func Diff(from, to string, before, after []byte) string {
	return diffLines(before, after).unified(from, to)
}

// diffLines finds the lines that differ: the fewest, by Myers's algorithm.
func diffLines(before, after []byte) edits {
	a, b := splitLines(before), splitLines(after)
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out edits
	out = out.all(' ', a[:head])
	out = append(out, shortest(a[head:len(a)-tail], b[head:len(b)-tail])...)
	return out.all(' ', a[len(a)-tail:])
}

func splitLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func (es edits) all(kind byte, lines []string) edits {
	for _, l := range lines {
		es = append(es, edit{kind, l})
	}
	return es
}

// shortest walks the grid of both texts along its diagonals, with one edit more
// each time, until the end is reached. reach[k] is how far down in a the walk has
// come on the diagonal x-y = k.
func shortest(a, b []string) edits {
	var steps [][]int
	limit := min(len(a)+len(b), maxEdits)
	reach := make([]int, 2*limit+3)
	at := func(k int) *int { return &reach[k+limit+1] }
	for d := 0; d <= limit; d++ {
		for k := -d; k <= d; k += 2 {
			x := *at(k - 1) + 1
			if k == -d || k != d && *at(k - 1) < *at(k + 1) {
				x = *at(k + 1)
			}
			y := x - k
			for x < len(a) && y < len(b) && a[x] == b[y] {
				x, y = x+1, y+1
			}
			*at(k) = x
			if x >= len(a) && k == len(a)-len(b) {
				return walkBack(a, b, steps, k, d)
			}
		}
		steps = append(steps, append([]int(nil), reach[limit+1-d:limit+2+d]...))
	}
	var out edits
	return out.all('-', a).all('+', b)
}

// walkBack reads the way to the end out of the steps: steps[d] holds the diagonals
// -d to d after d edits.
func walkBack(a, b []string, steps [][]int, k, d int) edits {
	var reversed edits
	x, y := len(a), len(b)
	for ; d > 0; d-- {
		before := steps[d-1]
		reach := func(k int) int { // how far on a diagonal, one edit earlier
			if i := k + d - 1; i >= 0 && i < len(before) {
				return before[i]
			}
			return -1
		}
		down := k == -d || k != d && reach(k-1) < reach(k+1)
		from, kind := k-1, byte('-')
		if down {
			from, kind = k+1, '+'
		}
		fromX := reach(from)
		fromY := fromX - from
		startX, startY := fromX+1, fromY
		if down {
			startX, startY = fromX, fromY+1
		}
		for x > startX && y > startY {
			x, y = x-1, y-1
			reversed = append(reversed, edit{' ', a[x]})
		}
		if down {
			reversed = append(reversed, edit{kind, b[fromY]})
		} else {
			reversed = append(reversed, edit{kind, a[fromX]})
		}
		x, y, k = fromX, fromY, from
	}
	for x > 0 && y > 0 {
		x, y = x-1, y-1
		reversed = append(reversed, edit{' ', a[x]})
	}
	out := make(edits, 0, len(reversed))
	for i := len(reversed) - 1; i >= 0; i-- {
		out = append(out, reversed[i])
	}
	return out
}

func (es edits) counts() (added, removed int) {
	for _, e := range es {
		switch e.kind {
		case '+':
			added++
		case '-':
			removed++
		}
	}
	return added, removed
}

// unified is the difference as `diff -u` shows it; empty where nothing differs.
func (es edits) unified(from, to string) string {
	var out strings.Builder
	for i := 0; i < len(es); {
		if es[i].kind == ' ' {
			i++
			continue
		}
		start := max(0, i-contextLines)
		end, equal := i, 0
		for end < len(es) && equal <= 2*contextLines {
			if es[end].kind == ' ' {
				equal++
			} else {
				equal = 0
			}
			end++
		}
		end -= max(0, equal-contextLines)
		if out.Len() == 0 {
			fmt.Fprintf(&out, "--- %s\n+++ %s\n", from, to)
		}
		es.hunk(&out, start, end)
		i = end
	}
	return out.String()
}

// hunk writes one stretch of lines with its places in both texts.
func (es edits) hunk(out *strings.Builder, start, end int) {
	place := func(edits edits, skip byte) (n int) {
		for _, e := range edits {
			if e.kind != skip {
				n++
			}
		}
		return n
	}
	span := func(skip byte) string {
		before, within := place(es[:start], skip), place(es[start:end], skip)
		if within > 0 {
			before++ // lines count from 1, and an empty stretch stands after one
		}
		if within == 1 {
			return fmt.Sprint(before)
		}
		return fmt.Sprintf("%d,%d", before, within)
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span('+'), span('-'))
	for _, e := range es[start:end] {
		out.WriteByte(e.kind)
		out.WriteString(e.line)
		out.WriteByte('\n')
	}
}
