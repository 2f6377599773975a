package strictyaml

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// build makes the node of a value. It never gives nil: what cannot be used is
// reported and becomes null.
func (b *builder) build(n ast.Node, path string, depth int) *node {
	if n == nil {
		return &node{}
	}
	pos := n.GetToken().Position
	out := &node{line: pos.Line, col: pos.Column}
	if depth > MaxDepth {
		b.report(pos.Line, pos.Column, path, "more than %d levels of maps and lists", MaxDepth)
		out.broken = true
		return out
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		target := b.build(n.Value, path, depth)
		b.anchors[n.Name.GetToken().Value] = target
		return target
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target := b.anchors[name]
		if target == nil {
			b.report(pos.Line, pos.Column, path, "alias *%s has no anchor &%s before it", name, name)
			out.broken = true
			return out
		}
		target.aliased = true
		return target
	case *ast.TagNode:
		b.report(pos.Line, pos.Column, path, "tags such as %s are not supported; remove it", n.Start.Value)
		return b.build(n.Value, path, depth)
	case ast.MapNode:
		b.buildMap(out, n, path, depth)
	case *ast.SequenceNode:
		out.kind = sequence
		for i, item := range n.Values {
			out.items = append(out.items, b.build(item, index(path, i), depth+1))
		}
	default:
		b.buildScalar(out, n, path)
	}
	return out
}

func (b *builder) buildMap(out *node, m ast.MapNode, path string, depth int) {
	out.kind = mapping
	first := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		pair := it.KeyValue()
		if pair.Key.IsMergeKey() {
			pos := pair.Key.GetToken().Position
			b.report(pos.Line, pos.Column, path, "merge keys (<<) are not supported; write the keys out")
			continue
		}
		key, tk, ok := keyText(pair.Key)
		if !ok {
			b.report(tk.Position.Line, tk.Position.Column, path, "a key must be a plain or quoted string")
			continue
		}
		line, col := tk.Position.Line, tk.Position.Column
		if len(out.entries) == 0 {
			out.line, out.col = line, col
		}
		if before, ok := first[key]; ok {
			b.report(line, col, join(path, key), "duplicate key, first given on line %d", before)
			continue
		}
		first[key] = line
		value := b.build(pair.Value, join(path, key), depth+1)
		if value.kind == null && value.line == 0 {
			value.line, value.col = line, col
		}
		out.entries = append(out.entries, entry{key, line, col, value})
	}
}

// keyText is the text of a scalar key, whatever it would be as a value: a class
// may be called 1 or true.
func keyText(n ast.MapKeyNode) (string, *token.Token, bool) {
	switch k := n.(type) {
	case *ast.StringNode:
		return k.Value, k.Token, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return k.GetToken().Value, k.GetToken(), true
	}
	return "", n.GetToken(), false
}

func (b *builder) buildScalar(out *node, n ast.Node, path string) {
	out.text = n.GetToken().Value
	switch n := n.(type) {
	case *ast.NullNode:
		out.kind = null
	case *ast.BoolNode:
		out.kind = boolean
	case *ast.IntegerNode:
		out.kind = integer
	case *ast.FloatNode:
		out.kind = float
	case *ast.InfinityNode, *ast.NanNode:
		b.report(out.line, out.col, path, "a number must be finite, got %s", out.text)
		out.broken = true
	case *ast.StringNode:
		out.kind, out.text = plainKind(n.Token, n.Value), n.Value
	case *ast.LiteralNode:
		out.kind, out.text = text, n.Value.Value
	default:
		b.report(out.line, out.col, path, "%s cannot be a value", n.Type())
		out.broken = true
	}
}

// plainKind is the kind of what the library takes for a string. For it, some
// numbers of YAML 1.2 are strings: 1e-3, 08 and integers of more than 64 bits.
func plainKind(tk *token.Token, s string) kind {
	if tk.Type != token.StringType || len(s) == 0 || strings.Trim(s, "+-.0123456789eE") != "" {
		return text
	}
	if strings.Trim(strings.TrimLeft(s, "+-"), "0123456789") == "" && strings.ContainsAny(s[len(s)-1:], "0123456789") {
		return integer
	}
	// ErrRange is a number, though not one that can be held.
	if _, err := strconv.ParseFloat(s, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		return text
	}
	return float
}

// join is the path of a key of the map at path. A key that is not a plain name
// is written ["like this"].
func join(path, key string) string {
	plain := key != ""
	for _, c := range []byte(key) {
		plain = plain && (c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z')
	}
	switch {
	case !plain:
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// index is the path of an item of the list at path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
