package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// MergePatch merges a JSON document into a file, as RFC 7396 says: an object is
// merged key by key, null removes, anything else replaces. A list of things with
// names, which stands under one of the named keys, is patched as an object by name.
//
// The file's comments, order and style stay, but for what is removed or replaced.
// Where the way that a file is written does not allow that (anchors, for one), the
// thing around the change is written anew, or in the end the whole file; what it
// says is right in every case, and that is checked.
func (r *Reader) MergePatch(data, patch []byte, named ...string) ([]byte, error) {
	p, err := parseJSON(patch)
	if err != nil {
		return nil, fmt.Errorf("the patch is not valid: %w", err)
	}
	if p.kind != mapping {
		return nil, errors.New("the patch is " + kindNames[p.kind] + ", want an object with the keys to change")
	}
	m := merger{named: named}
	return r.rewrite(data, named, func(root *node) *node { return m.merge(root, p, "") })
}

// Rewrite makes a file say what a JSON document says, and keeps as much of how it
// is written as MergePatch does. Of a file that cannot be read nothing is kept.
func (r *Reader) Rewrite(data, document []byte, named ...string) ([]byte, error) {
	wanted, err := parseJSON(document)
	if err != nil {
		return nil, fmt.Errorf("the document is not valid: %w", err)
	}
	if _, problems := r.parse("", data); len(problems) > 0 {
		data = nil
	}
	return r.rewrite(data, named, func(*node) *node { return wanted })
}

// rewrite changes a file to what change makes of it: by the smallest edits, else by
// those of whole items, else by writing it anew.
func (r *Reader) rewrite(data []byte, named []string, change func(*node) *node) ([]byte, error) {
	bom := []byte(nil)
	if rest, ok := bytes.CutPrefix(data, []byte("\ufeff")); ok {
		bom, data = data[:len(data)-len(rest)], rest
	}
	root, problems := r.parse("", data)
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("the file as it is cannot be edited: %w", err)
	}
	if left := MaxAliased; root != nil && !root.within(&left, false) {
		return nil, fmt.Errorf("the file as it is cannot be edited: aliases stand for more than %d values", MaxAliased)
	}
	wanted := change(root)
	for _, coarse := range []bool{false, true} {
		d := differ{page: newPage(string(data)), named: named, coarse: coarse}
		text, ok := d.edit(root, wanted)
		if ok && r.says(text, wanted) {
			return slices.Concat(bom, []byte(text)), nil
		}
	}
	text := renderDocument(wanted)
	if !r.says(text, wanted) {
		return nil, errors.New("the result cannot be written as YAML")
	}
	return slices.Concat(bom, []byte(text)), nil
}

// says checks that a text means what is wanted.
func (r *Reader) says(text string, wanted *node) bool {
	root, problems := r.parse("", []byte(text))
	return len(problems) == 0 && equal(root, wanted)
}
