package strictyaml

import (
	"strconv"
	"strings"
)

// Document is a parsed file in which paths can be looked up.
type Document struct {
	file     string
	root     *node
	problems Problems
	pause    func() // as of a Reader
}

// Parse reads the structure of a file without decoding it. Problems are those
// of structure alone; the document is usable, and perhaps empty, even then.
func Parse(file string, data []byte) (*Document, error) {
	root, problems := parse(file, data)
	return &Document{file, root, problems, nil}, problems.Err()
}

// Locate finds where the value at path such as experiments[2].variants[1].weight
// stands: a scalar itself, a map or list by its key. When there is no such value
// the place is that of its nearest parent in the file and exact is false. Line 0
// is an empty file.
func (d *Document) Locate(path string) (line, column int, exact bool) {
	if d.root == nil {
		return 0, 0, false
	}
	n := d.root
	line, column = n.line, n.col
	for path != "" {
		var step string
		var ok bool
		step, path, ok = cutStep(path)
		if !ok {
			return line, column, false
		}
		next, l, c := n.child(step)
		if next == nil {
			return line, column, false
		}
		n, line, column = next, l, c
	}
	return line, column, true
}

// At is a problem with the value at path.
func (d *Document) At(path, message string) Problem {
	line, column, _ := d.Locate(path)
	return Problem{d.file, line, column, path, message}
}

// Locate is Document.Locate for a single look-up. It gives 0, 0 for a file that
// cannot be parsed.
func Locate(data []byte, path string) (line, column int) {
	root, _ := parse("", data)
	line, column, _ = (&Document{root: root}).Locate(path)
	return line, column
}

// At is Document.At for a single problem.
func At(file string, data []byte, path, message string) Problem {
	line, column := Locate(data, path)
	return Problem{file, line, column, path, message}
}

// child finds a key or an index, and the place to show for it.
func (n *node) child(step string) (next *node, line, col int) {
	if n.kind == sequence {
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(n.items) {
			return nil, 0, 0
		}
		return n.items[i], n.items[i].line, n.items[i].col
	}
	for _, e := range n.entries {
		if e.key == step {
			if e.value.kind < mapping && !e.value.aliased {
				return e.value, e.value.line, e.value.col
			}
			return e.value, e.line, e.col
		}
	}
	return nil, 0, 0
}

// cutStep splits a path after its first key or index: a.b, [2].b, ["x.y"].b or,
// as abtest writes keys, 'x.y'.b.
func cutStep(path string) (step, rest string, ok bool) {
	if strings.HasPrefix(path, "'") {
		step, rest, ok = cutQuoted(path)
	} else if strings.HasPrefix(path, "[") {
		if quoted, err := strconv.QuotedPrefix(path[1:]); err == nil {
			step, _ = strconv.Unquote(quoted)
			rest, ok = strings.CutPrefix(path[1+len(quoted):], "]")
		} else {
			step, rest, ok = strings.Cut(path[1:], "]")
		}
	} else {
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		step, rest, ok = path[:end], path[end:], true
	}
	return step, strings.TrimPrefix(rest, "."), ok
}

// cutQuoted splits a path after a key in single quotes, in which a backslash
// stands before a quote or backslash that belongs to the key.
func cutQuoted(path string) (key, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(path); i++ {
		switch {
		case path[i] == '\'':
			return b.String(), path[i+1:], true
		case path[i] == '\\' && i+1 < len(path):
			i++
		}
		b.WriteByte(path[i])
	}
	return "", "", false
}
