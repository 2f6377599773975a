package strictyaml

import (
	"strings"
	"unicode/utf8"
)

// page is the text of a file, in which the ends of things are found. Where a thing
// begins is known from its node. Finding the end goes by indentation and brackets
// and need not be right for everything that YAML allows: the result of an edit is
// read again, and compared.
type page struct {
	text   string
	starts []int // of the lines
}

func newPage(text string) *page {
	p := &page{text: text, starts: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			p.starts = append(p.starts, i+1)
		}
	}
	return p
}

// start is where a line begins. The parser counts some carriage returns as lines of
// their own: what it says to stand further down than the page goes is at its end.
func (p *page) start(line int) int {
	if line > len(p.starts) {
		return len(p.text)
	}
	return p.starts[line-1]
}

// offset is the place of a line and column, which counts characters.
func (p *page) offset(line, col int) int {
	at := p.start(line)
	for range col - 1 {
		_, n := utf8.DecodeRuneInString(p.text[at:])
		at += n
	}
	return at
}

// lineEnd is where a line ends, before its newline.
func (p *page) lineEnd(line int) int {
	end := len(p.text)
	if line < len(p.starts) {
		end = p.starts[line] - 1
	}
	if end > p.start(line) && p.text[end-1] == '\r' {
		end--
	}
	return end
}

// line is a line's content without its indentation, and how deep that is.
func (p *page) line(n int) (content string, indent int) {
	whole := p.text[p.start(n):p.lineEnd(n)]
	content = strings.TrimLeft(whole, " ")
	return strings.TrimRight(content, " \t"), len(whole) - len(content)
}

// startsLine says that nothing but spaces stands before a place.
func (p *page) startsLine(line, col int) bool {
	return strings.TrimLeft(p.text[p.start(line):p.offset(line, col)], " ") == ""
}

func (p *page) skipSpaces(at int) int {
	for at < len(p.text) && (p.text[at] == ' ' || p.text[at] == '\t') {
		at++
	}
	return at
}

// blockEnd is where what begins on a line at an indentation ends: before the first
// line that is not deeper. A list may stand as deep as its key.
func (p *page) blockEnd(line, indent int, value *node) int {
	last := line
	for n := line + 1; n <= len(p.starts); n++ {
		content, depth := p.line(n)
		if content == "" {
			continue
		}
		dash := value != nil && value.kind == sequence && depth == indent && (content == "-" || strings.HasPrefix(content, "- "))
		if depth <= indent && !dash {
			break
		}
		last = n
	}
	return p.lineEnd(last)
}

// commentAbove is the first of the comment lines right above a line that stand as
// deep as it; the line itself where there is none, or where they are the head of the
// file.
func (p *page) commentAbove(line, indent int) int {
	for first := line; first > 1; first-- {
		if content, depth := p.line(first - 1); !strings.HasPrefix(content, "#") || depth != indent {
			return first
		}
	}
	return line
}

// dashLine is the line of an item's dash, which all items of a list have in one
// column; not ok where something stands before it.
func (p *page) dashLine(list *node, i int) (line int, ok bool) {
	for line = list.items[i].line; line >= list.line; line-- {
		content, indent := p.line(line)
		if indent == list.col-1 && strings.HasPrefix(content, "-") {
			return line, true
		}
	}
	return 0, false
}

// itemEnd is where an item of a list ends.
func (p *page) itemEnd(list *node, i int) int {
	line, ok := p.dashLine(list, i)
	if !ok {
		line = list.items[i].line
	}
	return p.blockEnd(line, list.col-1, nil)
}

// afterColon is the place behind the colon of a key.
func (p *page) afterColon(e entry) (at int, ok bool) {
	if at = p.offset(e.line, e.col); at == len(p.text) {
		return 0, false
	}
	if c := p.text[at]; c == '"' || c == '\'' {
		if at, ok = p.quotedEnd(at); !ok {
			return 0, false
		}
	}
	for ; at < len(p.text) && p.text[at] != '\n'; at++ {
		if p.text[at] == ':' && (at+1 == len(p.text) || strings.ContainsRune(" \t\r\n\"'[{", rune(p.text[at+1]))) {
			return at + 1, true
		}
	}
	return 0, false
}

// quotedEnd is the place behind the quote that ends a string.
func (p *page) quotedEnd(at int) (int, bool) {
	quote := p.text[at]
	for at++; at < len(p.text); at++ {
		switch {
		case p.text[at] == '\\' && quote == '"':
			at++
		case p.text[at] != quote:
		case quote == '\'' && strings.HasPrefix(p.text[at:], "''"):
			at++
		default:
			return at + 1, true
		}
	}
	return 0, false
}

// inlineEnd is where a value ends that begins on the line of its key.
func (p *page) inlineEnd(at, indent int) (int, bool) {
	switch p.text[at] {
	case '{', '[':
		return p.flowEnd(at)
	case '"', '\'':
		return p.quotedEnd(at)
	}
	line := 1 + strings.Count(p.text[:at], "\n")
	end := p.blockEnd(line, indent, nil)
	if p.text[at] == '|' || p.text[at] == '>' || end > p.lineEnd(line) {
		return end, true // of several lines
	}
	return p.beforeComment(at, end), true
}

// beforeComment is where a plain value ends between two places of a line.
func (p *page) beforeComment(at, end int) int {
	plain := p.text[at:end]
	if i := strings.Index(plain, " #"); i >= 0 {
		plain = plain[:i]
	}
	return at + len(strings.TrimRight(plain, " \t"))
}

// flowEnd is where a value inside of brackets, or one in brackets, ends.
func (p *page) flowEnd(at int) (int, bool) {
	start, depth := at, 0
	for at < len(p.text) {
		switch c := p.text[at]; {
		case c == '"' || c == '\'':
			// Only at the beginning of a value is a quote one.
			if before := strings.TrimRight(p.text[start:at], " \t\r\n"); before != "" && !strings.ContainsRune("{[,:", rune(before[len(before)-1])) {
				break
			}
			end, ok := p.quotedEnd(at)
			if !ok {
				return 0, false
			}
			if at = end; depth == 0 {
				return at, true
			}
			continue
		case c == '#' && at > 0 && strings.ContainsRune(" \t\n", rune(p.text[at-1])):
			if depth == 0 {
				return len(strings.TrimRight(p.text[:at], " \t\r\n")), true
			}
			for at < len(p.text) && p.text[at] != '\n' {
				at++
			}
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return len(strings.TrimRight(p.text[:at], " \t\r\n")), true
			}
			if depth--; depth == 0 {
				return at + 1, true
			}
		case c == ',' && depth == 0:
			return len(strings.TrimRight(p.text[:at], " \t\r\n")), true
		}
		at++
	}
	return 0, false
}
