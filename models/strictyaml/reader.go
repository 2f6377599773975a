package strictyaml

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Reader reads a file again and again. It remembers the items of the lists at the
// top, by their text, so that reading a large file after a small edit costs little:
// nearly all of the time of a reading is the parser's. The zero value is ready. It
// is for one goroutine.
type Reader struct {
	// Pause, if set, is called after each small piece of the work of reading and
	// decoding, so that a large file need not keep a processor from others.
	Pause func()

	// items are those of the latest reading.
	items map[string]*item
}

// item is one thing of a list as it was read by itself.
type item struct {
	node *node // its lines count from the item's first
	size int   // nodes in it
	cost cost
}

// Parse is the function Parse.
func (r *Reader) Parse(file string, data []byte) (*Document, error) {
	root, problems := r.parse(file, data)
	return &Document{file, root, problems, r.Pause}, problems.Err()
}

// parse reads a file item by item where it is written so that this gives the same
// nodes, and whole where it is not, or where anything is wrong with it.
func (r *Reader) parse(file string, data []byte) (*node, Problems) {
	if root, ok := r.byItems(data); ok {
		return root, nil
	}
	return parse(file, data)
}

// byItems is not ok where the file has to be read whole.
func (r *Reader) byItems(data []byte) (*node, bool) {
	// What an anchor stands for, or where a carriage return ends a line, is not for
	// one item to know.
	if len(data) > MaxBytes || !utf8.Valid(data) || bytes.ContainsAny(data, "\r\t\ufeff") || marked(data) {
		return nil, false
	}
	rest, lists, ok := cutItems(string(data))
	if !ok || len(lists) == 0 {
		return nil, false
	}
	root, total, ok := parseClean(rest, 0)
	if _, nulls := root.count(); !ok || root == nil || root.kind != mapping || nulls != len(lists) {
		return nil, false
	}
	kept := map[string]*item{}
	for _, l := range lists {
		list := &node{kind: sequence, line: l.line, col: l.indent + 1}
		line := l.line
		for _, text := range l.items {
			one := r.read(text, l.indent)
			if one == nil {
				return nil, false
			}
			kept[text] = one
			total.add(one.cost)
			list.items = append(list.items, one.at(line))
			line += strings.Count(text, "\n")
			if r.Pause != nil {
				r.Pause()
			}
		}
		if !root.fill(l, list) {
			return nil, false
		}
	}
	r.items = kept
	return root, total.within()
}

// fill gives the key of a list that was cut out its value again. It is false where
// the key is not one after all, such as in a text of several lines.
func (n *node) fill(l listText, list *node) bool {
	for i, e := range n.entries {
		if e.key == l.key && e.line == l.keyLine && e.value.kind == null {
			n.entries[i].value = list
			return true
		}
	}
	return false
}

// marked says that something may be an anchor, an alias or a tag.
func marked(data []byte) bool {
	for at := 0; ; at++ {
		i := bytes.IndexAny(data[at:], "&*!")
		if i < 0 {
			return false
		}
		at += i
		if at == 0 || bytes.IndexByte([]byte(" \n[{,:-"), data[at-1]) >= 0 {
			return true
		}
	}
}

// read gives an item, of the latest reading if it is one of it; nil where it cannot
// be read by itself.
func (r *Reader) read(text string, indent int) *item {
	if one := r.items[text]; one != nil {
		return one
	}
	root, c, ok := parseClean(text, 1)
	if !ok || root == nil || root.kind != sequence || len(root.items) != 1 || root.line != 1 || root.col != indent+1 {
		return nil
	}
	// Where a key has no value the parser looks for one further down than it should.
	size, nulls := root.items[0].count()
	if nulls > 0 {
		return nil
	}
	return &item{root.items[0], size, c}
}

// parseClean reads a text that nothing is wrong with.
func parseClean(text string, depth int) (*node, cost, bool) {
	b := &builder{anchors: map[string]*node{}}
	doc := b.syntax(text)
	if len(b.problems) > 0 {
		return nil, b.cost, false
	}
	if doc == nil || doc.Body == nil {
		return nil, b.cost, true
	}
	root := b.build(doc.Body, "", depth)
	return root, b.cost, len(b.problems) == 0
}

// at is a copy of the item's node for a file in which it begins on a line.
func (i *item) at(line int) *node {
	slab := make([]node, 0, i.size)
	return i.node.copyTo(&slab, line-1)
}

// copyTo copies a tree with its lines further down into memory that has room for it.
func (n *node) copyTo(slab *[]node, down int) *node {
	*slab = append(*slab, *n)
	out := &(*slab)[len(*slab)-1]
	out.line += down
	if len(n.entries) > 0 {
		out.entries = make([]entry, len(n.entries))
		for i, e := range n.entries {
			out.entries[i] = entry{e.key, e.line + down, e.col, e.value.copyTo(slab, down)}
		}
	}
	if len(n.items) > 0 {
		out.items = make([]*node, len(n.items))
		for i, item := range n.items {
			out.items[i] = item.copyTo(slab, down)
		}
	}
	return out
}

// count is the number of nodes in a tree, and of those without a value.
func (n *node) count() (all, nulls int) {
	if n == nil {
		return 0, 0
	}
	all = 1
	if n.kind == null {
		nulls = 1
	}
	for _, e := range n.entries {
		a, b := e.value.count()
		all, nulls = all+a, nulls+b
	}
	for _, item := range n.items {
		a, b := item.count()
		all, nulls = all+a, nulls+b
	}
	return all, nulls
}
