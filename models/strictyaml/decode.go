package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unmarshaler is a type that decodes itself, in one of several forms: it calls
// unmarshal with a pointer for each form it knows and keeps the first that
// gives no error. Problems that it returns keep their places.
type Unmarshaler interface {
	UnmarshalYAML(unmarshal func(dst any) error) error
}

// Decode reads one file into dst, a non-nil pointer. Keys are those of the
// `yaml:"name"` tags (lower-case field names without a tag; ",inline" and "-"
// as usual). Types may implement encoding.TextUnmarshaler or Unmarshaler. The
// error is nil or Problems, and then dst holds only part of the file.
func Decode(file string, data []byte, dst any) error {
	// What is wrong with the structure is in the error of Decode, too.
	doc, _ := Parse(file, data)
	return doc.Decode(dst)
}

// Decode is the function Decode for a file that is parsed already.
func (doc *Document) Decode(dst any) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("strictyaml: destination is %T, want a non-nil pointer", dst)
	}
	if doc.root == nil {
		return doc.problems.Err()
	}
	d := &decoder{file: doc.file, pause: doc.pause}
	d.value(doc.root, "", v.Elem())
	return slices.Concat(doc.problems, d.problems).Err()
}

type decoder struct {
	file     string
	problems Problems
	pause    func() // nil: does not
	// shared counts values visited below an alias.
	shared  int
	inAlias int
	// types are the keys of the structs met so far.
	types map[reflect.Type][]field
}

func (d *decoder) report(n *node, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, n.line, n.col, path, fmt.Sprintf(format, args...)})
}

var durationType = reflect.TypeFor[time.Duration]()

// value decodes n into v, which is settable.
func (d *decoder) value(n *node, path string, v reflect.Value) {
	if n.aliased {
		d.inAlias++
		defer func() { d.inAlias-- }()
	}
	if d.inAlias > 0 {
		if d.shared++; d.shared > MaxAliased {
			if d.shared == MaxAliased+1 {
				d.report(n, path, "aliases stand for more than %d values; write them out", MaxAliased)
			}
			return
		}
	}
	switch {
	case n.broken:
	case v.Kind() == reflect.Pointer:
		d.pointer(n, path, v)
	case d.ownForm(n, path, v):
	case n.kind == null:
		d.nothing(n, path, v)
	case v.Type() == durationType:
		d.duration(n, path, v)
	default:
		d.byKind(n, path, v)
	}
}

func (d *decoder) pointer(n *node, path string, v reflect.Value) {
	if n.kind == null {
		v.SetZero()
		return
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	d.value(n, path, v.Elem())
}

// ownForm lets a type decode itself.
func (d *decoder) ownForm(n *node, path string, v reflect.Value) bool {
	switch u := v.Addr().Interface().(type) {
	case Unmarshaler:
		err := u.UnmarshalYAML(func(dst any) error {
			inner := &decoder{file: d.file, shared: d.shared, inAlias: d.inAlias, types: d.types}
			inner.value(n, path, reflect.ValueOf(dst).Elem())
			d.shared = inner.shared
			return inner.problems.Err()
		})
		switch err := err.(type) {
		case nil:
		case Problems:
			d.problems = append(d.problems, err...)
		default:
			d.report(n, path, "%v", err)
		}
		return true
	case encoding.TextUnmarshaler:
		if n.kind == null {
			return false
		}
		if n.kind >= mapping {
			d.report(n, path, "want a single value, got %s", kindNames[n.kind])
		} else if err := u.UnmarshalText([]byte(n.text)); err != nil {
			d.report(n, path, "%v", err)
		}
		return true
	}
	return false
}

// nothing is a key without a value: an empty section, list or map is one whose
// lines are all comments, but a missing number or string is a mistake.
func (d *decoder) nothing(n *node, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if _, text := v.Addr().Interface().(encoding.TextUnmarshaler); text {
			d.report(n, path, "has no value")
		}
	case reflect.Map, reflect.Slice, reflect.Interface:
		v.SetZero()
	default:
		d.report(n, path, "has no value; remove the key to use the default")
	}
}

func (d *decoder) duration(n *node, path string, v reflect.Value) {
	t, err := time.ParseDuration(n.text)
	if n.kind >= mapping || err != nil {
		d.report(n, path, "want a duration with a unit such as 250ms, 1.5s or 2h, got %s", n.describe())
		return
	}
	v.SetInt(int64(t))
}

func (d *decoder) byKind(n *node, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, path, v)
	case reflect.Map:
		d.dictionary(n, path, v)
	case reflect.Slice, reflect.Array:
		d.list(n, path, v)
	case reflect.Interface:
		if x, ok := d.free(n, path); ok && v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(n, path, v)
	}
}

// ambiguous reports 010, which is 10 to some readers of YAML and 8 to others.
func (d *decoder) ambiguous(n *node, path string) bool {
	digits := strings.TrimLeft(n.text, "+-")
	if n.kind != integer || len(digits) < 2 || digits[0] != '0' || digits[1] < '0' || digits[1] > '9' {
		return false
	}
	d.report(n, path, "%s may be octal or decimal; drop the leading 0, or quote it if it is a string", n.text)
	return true
}

func (d *decoder) scalar(n *node, path string, v reflect.Value) {
	if v.Kind() != reflect.String && d.ambiguous(n, path) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if d.want(n, path, "a string", n.kind == text) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if d.want(n, path, "true or false", n.kind == boolean) {
			v.SetBool(strings.EqualFold(n.text, "true"))
		}
	case reflect.Float32, reflect.Float64:
		if d.want(n, path, "a number", n.kind == integer || n.kind == float) {
			d.float(n, path, v)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if d.want(n, path, "an integer", n.kind == integer) {
			x, err := strconv.ParseInt(n.text, 0, v.Type().Bits())
			if err != nil {
				d.report(n, path, "%s is not an integer of %d bits", n.text, v.Type().Bits())
			}
			v.SetInt(x)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if d.want(n, path, "an integer", n.kind == integer) {
			x, err := strconv.ParseUint(n.text, 0, v.Type().Bits())
			if err != nil {
				d.report(n, path, "%s is not an integer of %d bits without a sign", n.text, v.Type().Bits())
			}
			v.SetUint(x)
		}
	default:
		d.report(n, path, "strictyaml cannot fill a %s", v.Type())
	}
}

func (d *decoder) float(n *node, path string, v reflect.Value) {
	x, err := strconv.ParseFloat(n.text, v.Type().Bits())
	if err != nil {
		// Integers may be written in hex or with underscores.
		i, intErr := strconv.ParseInt(n.text, 0, 64)
		if x = float64(i); intErr != nil {
			d.report(n, path, "%s is not a number of %d bits", n.text, v.Type().Bits())
			return
		}
	}
	v.SetFloat(x)
}

// want reports a value of another kind.
func (d *decoder) want(n *node, path, what string, ok bool) bool {
	if ok {
		return true
	}
	fix := ""
	if what == "a string" && n.kind < text {
		fix = fmt.Sprintf("; write %q", n.text)
	}
	d.report(n, path, "want %s, got %s%s", what, n.describe(), fix)
	return false
}

// describe names a value in a message.
func (n *node) describe() string {
	switch {
	case n.kind == text && len(n.text) > 64:
		return fmt.Sprintf("a string of %d bytes", len(n.text))
	case n.kind == text:
		return "the string " + strconv.Quote(n.text)
	case n.kind > null && n.kind < text:
		return n.text
	}
	return kindNames[n.kind]
}
