package abtest

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a Config.
type Problem struct {
	// Path is the place in the file, such as experiments[2].variants[1].weight.
	// With "$." before it, it is a YAML path. A key that holds a dot is put in
	// single quotes.
	Path string `json:"path"`
	// Message says what is wrong with which value and how to mend it.
	Message string `json:"message"`
}

// String is the path and the message.
func (p Problem) String() string { return p.Path + ": " + p.Message }

// Problems is everything wrong with a Config: layers first, then experiments in
// file order, then ranges that overlap. Compile returns it as its error.
type Problems []Problem

// Error lists every problem, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// place is a path under construction.
type place string

func (p place) index(i int) place { return p + "[" + place(strconv.Itoa(i)) + "]" }

func (p place) field(name string) place { return p + "." + place(name) }

// key is a field whose name the file's author chose.
func (p place) key(name string) place {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r != '-' && r != '_' && !alphanumeric(r) }) {
		name = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "'"
	}
	return p.field(name)
}

func alphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// addf notes a problem.
func (c *compiler) addf(at place, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: string(at), Message: fmt.Sprintf(format, args...)})
}

// name checks a name that appears in headers, metrics and paths of files.
func (c *compiler) name(at place, name string) {
	switch {
	case name == "":
		c.addf(at, "is missing")
	case len(name) > MaxNameBytes:
		c.addf(at, "%q is %d bytes long, the limit is %d", name, len(name), MaxNameBytes)
	case !validName(name):
		c.addf(at, "%q: a name starts with a letter or digit and goes on with letters, digits, '.', '_' and '-'", name)
	}
}

func validName(s string) bool {
	for i, r := range s {
		if !alphanumeric(r) && (i == 0 || r != '.' && r != '_' && r != '-') {
			return false
		}
	}
	return s != ""
}

// text checks free text that is not empty.
func (c *compiler) text(at place, s string) {
	switch {
	case s == "":
		c.addf(at, "is empty")
	case len(s) > MaxTextBytes:
		c.addf(at, "is %d bytes long, the limit is %d", len(s), MaxTextBytes)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		c.addf(at, "%q holds a control character", s)
	}
}
