package strictyaml

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is one key that a struct knows.
type field struct {
	name  string
	index []int
}

// fields lists the keys of a struct, those of inlined structs included.
func fields(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if strings.Contains(option, "inline") {
			for _, inner := range fields(f.Type) {
				all = append(all, field{inner.name, append([]int{i}, inner.index...)})
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		all = append(all, field{name, []int{i}})
	}
	return all
}

// fields lists the keys of a struct, of which a file may have thousands.
func (d *decoder) fields(t reflect.Type) []field {
	all, known := d.types[t]
	if !known {
		if d.types == nil {
			d.types = map[reflect.Type][]field{}
		}
		all = fields(t)
		d.types[t] = all
	}
	return all
}

func (d *decoder) structure(n *node, path string, v reflect.Value) {
	if !d.want(n, path, "a map", n.kind == mapping) {
		return
	}
	known := d.fields(v.Type())
	for _, e := range n.entries {
		i := slices.IndexFunc(known, func(f field) bool { return f.name == e.key })
		if i < 0 {
			names := make([]string, len(known))
			for j, f := range known {
				names[j] = f.name
			}
			at := &node{line: e.line, col: e.col}
			d.report(at, join(path, e.key), "unknown key%s", didYouMean(e.key, names))
			continue
		}
		d.value(e.value, join(path, e.key), v.FieldByIndex(known[i].index))
	}
}

func (d *decoder) dictionary(n *node, path string, v reflect.Value) {
	if !d.want(n, path, "a map", n.kind == mapping) {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.entries))
	for _, e := range n.entries {
		key := reflect.New(v.Type().Key()).Elem()
		at := &node{kind: text, text: e.key, line: e.line, col: e.col}
		if key.Kind() >= reflect.Int && key.Kind() <= reflect.Uint64 {
			at.kind = integer
		}
		d.value(at, join(path, e.key), key)
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, join(path, e.key), value)
		m.SetMapIndex(key, value)
	}
	v.Set(m)
}

func (d *decoder) list(n *node, path string, v reflect.Value) {
	if !d.want(n, path, "a list", n.kind == sequence) {
		return
	}
	if v.Kind() == reflect.Array {
		if len(n.items) != v.Len() {
			d.report(n, path, "want a list of %d values, got %d", v.Len(), len(n.items))
			return
		}
	} else {
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	}
	for i, item := range n.items {
		d.value(item, index(path, i), v.Index(i))
		if d.pause != nil {
			d.pause()
		}
	}
}

// free decodes a value whose type the destination leaves open: nil, bool,
// int64, float64, string, []any or map[string]any.
func (d *decoder) free(n *node, path string) (x any, ok bool) {
	if d.ambiguous(n, path) {
		return nil, false
	}
	before := len(d.problems)
	switch n.kind {
	case boolean:
		x = strings.EqualFold(n.text, "true")
	case integer:
		i, err := strconv.ParseInt(n.text, 0, 64)
		if err != nil {
			d.report(n, path, "%s is not an integer of 64 bits", n.text)
		}
		x = i
	case float:
		f, err := strconv.ParseFloat(n.text, 64)
		if err != nil || math.IsInf(f, 0) {
			d.report(n, path, "%s is not a number of 64 bits", n.text)
		}
		x = f
	case text:
		x = n.text
	case sequence:
		var list []any
		v := reflect.ValueOf(&list).Elem()
		d.list(n, path, v)
		x = list
	case mapping:
		var m map[string]any
		d.dictionary(n, path, reflect.ValueOf(&m).Elem())
		x = m
	}
	return x, len(d.problems) == before
}
