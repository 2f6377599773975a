package experiments

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

// maxListProblems is how many lines of one list file are complained about.
const maxListProblems = 10

// listProblems are the lines of a list file that are wrong.
type listProblems []listProblem

type listProblem struct {
	line    int
	message string
}

func (ps listProblems) Error() string { return ps.in("", "").Error() }

// in are the problems as those of a file that stands at path in the experiments file.
func (ps listProblems) in(file, path string) strictyaml.Problems {
	out := make(strictyaml.Problems, len(ps))
	for i, p := range ps {
		out[i] = strictyaml.Problem{File: file, Line: p.line, Column: 1, Path: path, Message: p.message}
	}
	return out
}

// parseList reads the values of a list file: one a line, without the white space around
// it. Lines that are empty or begin with # are comments. A byte order mark at the
// beginning and carriage returns at the ends are those of an editor.
func parseList(text []byte) (values []string, err error) {
	var wrong listProblems
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		value := strings.Trim(line, " \t\r\n")
		if value == "" || value[0] == '#' {
			continue
		}
		if message := wrongValue(value); message != "" {
			if wrong = append(wrong, listProblem{number, message}); len(wrong) == maxListProblems {
				break
			}
		}
		if values = append(values, value); len(values) > abtest.MaxListValues {
			wrong = append(wrong, listProblem{number, fmt.Sprintf("more than %d values: put the group into the context and target it", abtest.MaxListValues)})
			break
		}
	}
	switch {
	case len(wrong) > 0:
		return nil, wrong
	case len(values) == 0:
		return nil, listProblems{{1, "holds no values: write one a line"}}
	}
	return values, nil
}

// wrongValue says why a line is no value; empty when it is one.
func wrongValue(v string) string {
	switch {
	case len(v) > abtest.MaxTextBytes:
		return fmt.Sprintf("is %d bytes long, want at most %d", len(v), abtest.MaxTextBytes)
	case !utf8.ValidString(v):
		return fmt.Sprintf("%.80q is not UTF-8", v)
	case strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Sprintf("%.80q holds a control character: write one value a line", v)
	}
	return ""
}

// listPath is the place of a list file's name in the experiments file.
func listPath(name string) string {
	simple := func(r rune) bool {
		return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if name != "" && strings.TrimLeftFunc(name, simple) == "" {
		return "list_files." + name
	}
	return "list_files[" + strconv.Quote(name) + "]"
}
