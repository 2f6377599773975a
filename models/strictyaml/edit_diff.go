package strictyaml

import (
	"slices"
	"strings"
)

// differ finds the edits between a page and what it is to say.
type differ struct {
	*page
	named   []string
	coarse  bool
	splices []splice
	failed  bool
}

// splice replaces a stretch of the page.
type splice struct {
	from, to int
	with     string
}

func (d *differ) splice(from, to int, with string) {
	d.splices = append(d.splices, splice{from, to, with})
}

// edit gives the page as it is to be; not ok where that cannot be done by edits.
func (d *differ) edit(root, wanted *node) (string, bool) {
	if root == nil || root.kind != mapping || wanted.kind != mapping || len(root.entries) == 0 || d.opensFlow(root) {
		return "", false
	}
	d.mapping(root, wanted, 0)
	if d.failed {
		return "", false
	}
	slices.SortStableFunc(d.splices, func(a, b splice) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for _, s := range d.splices {
		if s.from < at {
			return "", false // two edits of one stretch
		}
		out.WriteString(d.text[at:s.from])
		out.WriteString(s.with)
		at = s.to
	}
	out.WriteString(d.text[at:])
	return out.String(), true
}

// opensFlow says that a bracket stands before the first key of a map: it is written
// as {a: 1}.
func (d *differ) opensFlow(n *node) bool {
	before := strings.TrimRight(d.text[:d.offset(n.line, n.col)], " \t\r\n")
	return strings.HasSuffix(before, "{")
}

// mapping edits a map that is written one key a line.
func (d *differ) mapping(is, wanted *node, depth int) {
	for _, e := range is.entries {
		if w := wanted.get(e.key); w == nil {
			d.removeEntry(e)
		} else if !equal(e.value, w) {
			d.value(e, w, depth)
		}
	}
	for _, w := range wanted.entries {
		if is.get(w.key) == nil {
			d.addEntry(is, wanted, w)
		}
	}
}

// addEntry writes a key below the last one that stays.
func (d *differ) addEntry(is, wanted *node, w entry) {
	for _, last := range slices.Backward(is.entries) {
		if wanted.get(last.key) != nil {
			end, indent := d.blockEnd(last.line, last.col-1, last.value), last.col-1
			d.splice(end, end, "\n"+pad(indent)+renderKey(w.key)+":"+afterKey(w.value, indent))
			return
		}
	}
	d.failed = true
}

// removeEntry removes the lines of a key, and the comment right above them.
func (d *differ) removeEntry(e entry) {
	if !d.startsLine(e.line, e.col) {
		d.failed = true
		return
	}
	d.removeLines(e.line, e.col-1, d.blockEnd(e.line, e.col-1, e.value))
}

func (d *differ) removeLines(line, indent, end int) {
	from := d.start(d.commentAbove(line, indent))
	if end < len(d.text) {
		end++ // the newline
	}
	d.splice(from, end, "")
}

// value edits the value of a key.
func (d *differ) value(e entry, wanted *node, depth int) {
	start, ok := d.afterColon(e)
	if !ok {
		d.failed = true
		return
	}
	at := d.skipSpaces(start)
	switch {
	case at == len(d.text) || strings.ContainsRune("\r\n#", rune(d.text[at])):
		d.blockValue(e, wanted, start, depth)
	case strings.ContainsRune("&*!", rune(d.text[at])):
		d.failed = true
	default:
		d.inlineValue(e, wanted, start, at)
	}
}

// blockValue edits a value that stands on the lines below its key.
func (d *differ) blockValue(e entry, wanted *node, start, depth int) {
	end := d.blockEnd(e.line, e.col-1, e.value)
	switch {
	case e.value.kind == mapping && wanted.kind == mapping && slices.ContainsFunc(wanted.entries, func(w entry) bool { return e.value.get(w.key) != nil }):
		d.mapping(e.value, wanted, depth+1)
	case e.value.kind == sequence && wanted.kind == sequence && slices.Contains(d.named, e.key) && d.items(e, wanted, depth):
	default:
		// What follows the key on its line is a comment, which stays.
		lineEnd := min(d.lineEnd(e.line), end)
		with := afterKey(wanted, e.col-1)
		if rest, below := strings.CutPrefix(with, "\n"); below {
			d.splice(lineEnd, end, "\n"+rest)
			return
		}
		d.splice(start, start, with)
		d.splice(lineEnd, end, "")
	}
}

// inlineValue replaces a value that begins on the line of its key. One that stays a
// map in brackets is edited inside them.
func (d *differ) inlineValue(e entry, wanted *node, start, at int) {
	end, ok := d.inlineEnd(at, e.col-1)
	if !ok {
		d.failed = true
		return
	}
	if d.text[at] == '{' && e.value.kind == mapping && wanted.kind == mapping && d.flowMap(e.value, wanted) {
		return
	}
	with := afterKey(wanted, e.col-1)
	if wasFlow := d.text[at] == '{' || d.text[at] == '['; wasFlow && end > at+2 && len(wanted.entries)+len(wanted.items) > 0 {
		with = " " + renderFlow(wanted)
	}
	d.splice(start, end, with)
}

// flowMap edits the values of a map in brackets whose keys stay; false where keys
// come or go.
func (d *differ) flowMap(is, wanted *node) bool {
	if len(is.entries) != len(wanted.entries) {
		return false
	}
	before := len(d.splices)
	for _, e := range is.entries {
		w := wanted.get(e.key)
		if w == nil {
			d.splices = d.splices[:before]
			return false
		}
		if equal(e.value, w) {
			continue
		}
		start, ok := d.afterColon(e)
		if ok {
			at := d.skipSpaces(start)
			var end int
			if end, ok = d.flowEnd(at); ok {
				d.splice(at, end, renderFlow(w))
				continue
			}
		}
		d.splices = d.splices[:before]
		return false
	}
	return true
}

// items edits a list of things with names, written one below the other. It is false
// where the order changes, or one has no name.
func (d *differ) items(e entry, wanted *node, depth int) bool {
	list := e.value
	have, want := list.names(), wanted.names()
	if have == nil || want == nil || len(list.items) == 0 {
		return false
	}
	kept, last := 0, 0
	for at, name := range have {
		if i := slices.Index(want, name); i >= 0 {
			if i != kept {
				return false // moved, or something new comes before it
			}
			kept, last = kept+1, at
		}
	}
	if kept == 0 {
		return false
	}
	for i, name := range have {
		at := slices.Index(want, name)
		if at < 0 {
			d.removeItem(list, i)
		} else if !equal(list.items[i], wanted.items[at]) {
			d.item(list, i, wanted.items[at], depth)
		}
	}
	indent := list.col - 1
	for _, item := range wanted.items[kept:] {
		end := d.itemEnd(list, last)
		d.splice(end, end, "\n"+renderItem(item, indent))
	}
	return true
}

func (d *differ) removeItem(list *node, i int) {
	line, ok := d.dashLine(list, i)
	if !ok {
		d.failed = true
		return
	}
	d.removeLines(line, list.col-1, d.itemEnd(list, i))
}

// item edits one thing of a list.
func (d *differ) item(list *node, i int, wanted *node, depth int) {
	is := list.items[i]
	line, ok := d.dashLine(list, i)
	switch {
	case !ok:
		d.failed = true
	case d.coarse && depth == 0 || len(is.entries) == 0:
		d.splice(d.starts[line-1], d.itemEnd(list, i), renderItem(wanted, list.col-1))
	case !d.opensFlow(is):
		d.mapping(is, wanted, depth+1)
	case !d.flowMap(is, wanted):
		open := strings.LastIndexByte(d.text[:d.offset(is.line, is.col)], '{')
		end, ok := d.flowEnd(open)
		d.failed = d.failed || !ok
		d.splice(open, end, renderFlow(wanted))
	}
}
