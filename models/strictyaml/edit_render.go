package strictyaml

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// maxInline is the longest map that is written on one line as an item of a list.
const maxInline = 100

func pad(indent int) string { return strings.Repeat(" ", indent) }

// renderDocument writes a whole file.
func renderDocument(n *node) string {
	if n.kind == mapping && len(n.entries) > 0 {
		return renderMap(n, 0) + "\n"
	}
	return renderFlow(n) + "\n"
}

// afterKey is a value as it follows the colon of a key at an indentation.
func afterKey(n *node, indent int) string {
	switch {
	case n.kind == mapping && len(n.entries) > 0:
		return "\n" + renderMap(n, indent+2)
	case n.kind == sequence && len(n.items) > 0 && !flat(n):
		return "\n" + renderList(n, indent+2)
	}
	return " " + renderFlow(n)
}

// flat says that a list or map holds single values only.
func flat(n *node) bool {
	for _, item := range n.items {
		if item.kind >= mapping {
			return false
		}
	}
	for _, e := range n.entries {
		if e.value.kind >= mapping {
			return false
		}
	}
	return true
}

func renderMap(n *node, indent int) string {
	lines := make([]string, len(n.entries))
	for i, e := range n.entries {
		lines[i] = pad(indent) + renderKey(e.key) + ":" + afterKey(e.value, indent)
	}
	return strings.Join(lines, "\n")
}

func renderList(n *node, indent int) string {
	lines := make([]string, len(n.items))
	for i, item := range n.items {
		lines[i] = renderItem(item, indent)
	}
	return strings.Join(lines, "\n")
}

// renderItem is one thing of a list, with its dash.
func renderItem(n *node, indent int) string {
	if n.kind == mapping && len(n.entries) > 0 {
		if line := renderFlow(n); !flat(n) || len(line) > maxInline {
			return pad(indent) + "- " + strings.TrimPrefix(renderMap(n, indent+2), pad(indent+2))
		}
	}
	return pad(indent) + "- " + renderFlow(n)
}

// renderFlow writes a value on one line.
func renderFlow(n *node) string {
	switch n.kind {
	case mapping:
		parts := make([]string, len(n.entries))
		for i, e := range n.entries {
			parts[i] = renderKey(e.key) + ": " + renderFlow(e.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case sequence:
		parts := make([]string, len(n.items))
		for i, item := range n.items {
			parts[i] = renderFlow(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case text:
		return renderText(n.text)
	case null:
		return "null"
	}
	return n.text
}

func renderKey(key string) string { return renderText(key) }

// renderText writes a string plainly where every reader takes it for one.
func renderText(s string) string {
	if plainText(s) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// A string cannot fail.
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}

// words that are no strings to some readers.
var notText = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true, "nan": true, "inf": true}

func plainText(s string) bool {
	if s == "" || notText[strings.ToLower(s)] {
		return false
	}
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		inside := i > 0 && (c == '-' || c == '.' || c == '/' || c == ':' && i < len(s)-1)
		if !letter && !digit && !inside {
			return false
		}
	}
	if s[0] > '9' || s[0] < '0' {
		return true
	}
	// 2026-11-01T08:00:00Z is text, 0x1f, 1e3, 12:30 and 2026-11-01 are not to all.
	_, err := strconv.ParseFloat(s, 64)
	_, other := strconv.ParseInt(s, 0, 64)
	return err != nil && other != nil && strings.ContainsAny(s, "TGHghijklmnpqrsuvwyz")
}
