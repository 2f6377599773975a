package strictyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// get is the value of a key; nil where the map has none.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// within says whether what aliases stand for is no more than left: walking a tree in
// which they multiply would not end.
func (n *node) within(left *int, shared bool) bool {
	if shared = shared || n.aliased; shared {
		if *left--; *left < 0 {
			return false
		}
	}
	for _, e := range n.entries {
		if !e.value.within(left, shared) {
			return false
		}
	}
	for _, item := range n.items {
		if !item.within(left, shared) {
			return false
		}
	}
	return true
}

// names are those of the things in a list; nil where one is no map with a name, or
// two have the same.
func (n *node) names() []string {
	names := make([]string, 0, len(n.items))
	for _, item := range n.items {
		name := item.get("name")
		if item.kind != mapping || name == nil || name.kind != text || slices.Contains(names, name.text) {
			return nil
		}
		names = append(names, name.text)
	}
	return names
}

// equal says whether two values mean the same. The order of keys does not count.
func equal(a, b *node) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.kind == mapping && b.kind == mapping:
		if len(a.entries) != len(b.entries) {
			return false
		}
		for i, e := range a.entries {
			other := b.entries[i].value
			if b.entries[i].key != e.key {
				other = b.get(e.key)
			}
			if !equal(e.value, other) {
				return false
			}
		}
		return true
	case a.kind == sequence && b.kind == sequence:
		return slices.EqualFunc(a.items, b.items, equal)
	case a.kind == boolean && b.kind == boolean:
		return strings.EqualFold(a.text, b.text)
	case (a.kind == integer || a.kind == float) && (b.kind == integer || b.kind == float):
		return sameNumber(a.text, b.text)
	}
	return a.kind == b.kind && (a.kind == null || a.text == b.text)
}

func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// merger merges patches into values.
type merger struct{ named []string }

// merge is the value at key after a patch; target may be nil, and stays as it is.
func (m merger) merge(target, patch *node, key string) *node {
	if patch.kind != mapping {
		return patch
	}
	if slices.Contains(m.named, key) && (target == nil || target.kind != mapping) {
		if target == nil || target.kind == null || target.names() != nil {
			return m.mergeNamed(target, patch)
		}
	}
	out := &node{kind: mapping}
	if target != nil && target.kind == mapping {
		out.entries = slices.Clone(target.entries)
	}
	for _, p := range patch.entries {
		i := slices.IndexFunc(out.entries, func(e entry) bool { return e.key == p.key })
		switch {
		case p.value.kind == null && i >= 0:
			out.entries = slices.Delete(out.entries, i, i+1)
		case p.value.kind == null:
		case i >= 0:
			out.entries[i].value = m.merge(out.entries[i].value, p.value, p.key)
		default:
			out.entries = append(out.entries, entry{key: p.key, value: m.merge(nil, p.value, p.key)})
		}
	}
	return out
}

// mergeNamed merges an object into a list of things with names.
func (m merger) mergeNamed(target, patch *node) *node {
	out := &node{kind: sequence}
	var names []string
	if target != nil {
		out.items, names = slices.Clone(target.items), target.names()
	}
	for _, p := range patch.entries {
		i := slices.Index(names, p.key)
		switch {
		case p.value.kind == null && i >= 0:
			out.items, names = slices.Delete(out.items, i, i+1), slices.Delete(names, i, i+1)
		case p.value.kind == null:
		case i >= 0:
			out.items[i] = m.merge(out.items[i], p.value, "")
		default:
			item := m.merge(nil, p.value, "")
			if item.kind == mapping && item.get("name") == nil {
				item.entries = slices.Insert(item.entries, 0, entry{key: "name", value: &node{kind: text, text: p.key}})
			}
			out.items, names = append(out.items, item), append(names, p.key)
		}
	}
	return out
}

// parseJSON reads a JSON document, and keeps the order of its keys.
func parseJSON(data []byte) (*node, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("it has %d bytes, more than the limit of %d", len(data), MaxBytes)
	}
	r := jsonReader{json.NewDecoder(bytes.NewReader(data))}
	r.UseNumber()
	n, err := r.value(0)
	if err == nil {
		if _, more := r.Token(); more != io.EOF {
			err = errors.New("something follows the document")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

type jsonReader struct{ *json.Decoder }

func (r jsonReader) value(depth int) (*node, error) {
	token, err := r.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth >= MaxDepth {
			return nil, fmt.Errorf("more than %d levels of objects and arrays", MaxDepth)
		}
		if t == '{' {
			return r.object(depth)
		}
		return r.array(depth)
	case bool:
		return &node{kind: boolean, text: strconv.FormatBool(t)}, nil
	case json.Number:
		if strings.Trim(t.String(), "-0123456789") == "" {
			return &node{kind: integer, text: t.String()}, nil
		}
		return &node{kind: float, text: t.String()}, nil
	case string:
		return &node{kind: text, text: t}, nil
	}
	return &node{}, nil
}

func (r jsonReader) object(depth int) (*node, error) {
	out := &node{kind: mapping}
	seen := map[string]bool{}
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string) // the decoder gives no other
		if seen[key] {
			return nil, fmt.Errorf("key %.80q is given twice", key)
		}
		seen[key] = true
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out.entries = append(out.entries, entry{key: key, value: value})
	}
	_, err := r.Token()
	return out, err
}

func (r jsonReader) array(depth int) (*node, error) {
	out := &node{kind: sequence}
	for r.More() {
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, value)
	}
	_, err := r.Token()
	return out, err
}
