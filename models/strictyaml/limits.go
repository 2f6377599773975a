package strictyaml

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// cost is what makes a file expensive to read.
type cost struct{ keys, squares int }

func (c *cost) add(o cost) {
	c.keys += o.keys
	c.squares += o.squares
}

// within says that a file is not too expensive.
func (c cost) within() bool { return c.keys <= MaxAllKeys && c.squares <= MaxKeys*(MaxKeys-1) }

// overLimit finds the token at which a file becomes too deep or too large for
// the recursive parser, and names the limit. Only brackets and lists or keys
// begun on one line nest cheaply; nesting by indentation is left to build.
func overLimit(tokens token.Tokens) (tk *token.Token, limit string, c cost) {
	flow, inline, line := 0, 0, 0
	var maps blockMaps
	for _, tk := range tokens {
		if tk.Position.Line != line {
			inline, line = 0, tk.Position.Line
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			inline++
		case token.MappingValueType:
			c.keys++
		}
		if flow == 0 {
			maps.add(tk)
			c.squares = maps.squares
		}
		switch {
		case flow > MaxDepth || inline > MaxDepth:
			return tk, fmt.Sprintf("%d levels of maps and lists", MaxDepth), c
		case c.keys > MaxAllKeys:
			return tk, fmt.Sprintf("%d keys", MaxAllKeys), c
		case !c.within():
			return tk, fmt.Sprintf("%d keys in one map, or several large ones that take as long to read", MaxKeys), c
		}
	}
	return nil, "", c
}

// blockMaps counts the keys of maps that are written one key a line. A map's keys
// stand in one column, and it ends where a line begins further to the left.
type blockMaps struct {
	open    []blockMap // by column, ascending
	squares int        // n(n-1) of the n keys of every map, added up
	// line is the one of the token before, column that of its first token, begins
	// that of the first that is no dash of a list; 0: none so far.
	line, column, begins int
	// keyed is begins of the line of the token before.
	keyed int
}

type blockMap struct{ column, keys int }

func (m *blockMaps) add(tk *token.Token) {
	if tk.Type == token.CommentType {
		return
	}
	at, dash := tk.Position, tk.Type == token.SequenceEntryType
	m.keyed = m.begins
	if at.Line != m.line {
		m.line, m.column, m.begins = at.Line, at.Column, 0
		for n := len(m.open); n > 0 && m.open[n-1].column > at.Column; n-- {
			m.open = m.open[:n-1]
		}
	}
	if m.begins == 0 && !dash {
		m.begins = at.Column
	}
	if tk.Type != token.MappingValueType {
		return
	}
	// The key stands before its colon; one after a question mark has a line of its own.
	column := m.keyed
	if m.column == at.Column {
		column = at.Column
	}
	m.count(column)
}

// count adds a key to the map in a column.
func (m *blockMaps) count(column int) {
	for n := len(m.open); n > 0 && m.open[n-1].column > column; n-- {
		m.open = m.open[:n-1]
	}
	if n := len(m.open); n == 0 || m.open[n-1].column < column {
		m.open = append(m.open, blockMap{column: column})
	}
	last := &m.open[len(m.open)-1]
	last.keys++
	m.squares += 2 * (last.keys - 1)
}
