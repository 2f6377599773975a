package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of one file.
const (
	// MaxBytes is the size of a file.
	MaxBytes = 4 << 20
	// MaxDepth is how many maps and lists may lie in one another.
	MaxDepth = 64
	// MaxKeys is how many keys one map may have that is written one key a line: the
	// parser's time grows with the square of them, to a second for this many. Several
	// large maps count together, by their squares.
	MaxKeys = 10_000
	// MaxAllKeys is how many keys all maps of a file may have.
	MaxAllKeys = 100_000
	// MaxAliased is how many values all aliases of a file may stand for.
	MaxAliased = 10_000
)

// kind is the kind of a value, as YAML 1.2 resolves it.
type kind uint8

const (
	null kind = iota
	boolean
	integer
	float
	text
	mapping
	sequence
)

var kindNames = [...]string{"nothing", "a bool", "an integer", "a number", "a string", "a map", "a list"}

// node is one value of a file. Nodes form a tree, except that an alias and its
// anchor are the same node.
type node struct {
	kind      kind
	aliased   bool   // reached through an alias from at least one place
	broken    bool   // already reported, not to be decoded
	text      string // of a scalar, as written or unquoted
	line, col int
	entries   []entry // of a map, without duplicates
	items     []*node // of a list
}

// entry is one key of a map with its value.
type entry struct {
	key       string
	line, col int
	value     *node
}

// builder turns the syntax tree into nodes and collects what is wrong with the
// structure.
type builder struct {
	file     string
	anchors  map[string]*node
	problems Problems
	cost     cost
}

func (b *builder) report(line, col int, path, format string, args ...any) {
	b.problems = append(b.problems, Problem{b.file, line, col, path, fmt.Sprintf(format, args...)})
}

// parse reads data into nodes. It gives nil for an empty file and whenever the
// syntax is wrong.
func parse(file string, data []byte) (*node, Problems) {
	b := &builder{file: file, anchors: map[string]*node{}}
	if len(data) > MaxBytes {
		b.report(0, 0, "", "file has %d bytes, more than the limit of %d", len(data), MaxBytes)
		return nil, b.problems
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		line := 1
		for len(data) > 0 {
			r, n := utf8.DecodeRune(data)
			if r == utf8.RuneError && n == 1 {
				break
			}
			if r == '\n' {
				line++
			}
			data = data[n:]
		}
		b.report(line, 1, "", "text is not valid UTF-8")
		return nil, b.problems
	}
	doc := b.syntax(string(data))
	if doc == nil || doc.Body == nil {
		return nil, b.problems
	}
	root := b.build(doc.Body, "", 0)
	return root, b.problems
}

// syntax finds the one document of a file.
func (b *builder) syntax(data string) (doc *ast.DocumentNode) {
	// The parser is other people's code on a file that may hold anything; a
	// panic in it must not take the gateway down on a reload.
	defer func() {
		if r := recover(); r != nil {
			doc = nil
			b.report(0, 0, "", "file cannot be parsed (%v)", r)
		}
	}()
	tokens := lexer.Tokenize(data)
	var tk *token.Token
	var limit string
	if tk, limit, b.cost = overLimit(tokens); tk != nil {
		b.report(tk.Position.Line, tk.Position.Column, "", "more than %s", limit)
		return nil
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	var at yaml.Error
	switch {
	case errors.As(err, &at) && at.GetToken() != nil:
		p := at.GetToken().Position
		b.report(p.Line, p.Column, "", "not valid YAML: %s", strings.TrimSpace(at.GetMessage()))
		return nil
	case err != nil:
		b.report(0, 0, "", "not valid YAML: %v", err)
		return nil
	}
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		if _, directive := d.Body.(*ast.DirectiveNode); directive {
			continue
		}
		if doc != nil {
			p := d.Body.GetToken().Position
			b.report(p.Line, p.Column, "", "a second document begins; a file holds one document (remove the --- line)")
			return nil
		}
		doc = d
	}
	return doc
}
