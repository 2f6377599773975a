package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Document describes the YAML form of v, a struct or a pointer to one with its
// defaults filled in, from the yaml and doc tags: a table of every key, those
// inside lists as list[].key, those inside maps as map.<name>.key. It is a
// chapter with its heading and introduction.
func Document(title, intro string, v any) string {
	var d documenter
	d.b.WriteString("\n## " + title + "\n\n" + intro + "\n")
	d.b.WriteString("\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	d.structure(rv, "", true)
	return d.b.String()
}

type documenter struct {
	b strings.Builder
	// inside holds the structs being described, so that one that contains itself
	// is described once.
	inside []reflect.Type
}

// structure describes the fields of v. Its values are defaults only where they
// exist without being written, that is not inside lists and maps.
func (d *documenter) structure(v reflect.Value, path string, defaults bool) {
	t := v.Type()
	d.inside = append(d.inside, t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
			continue
		case strings.Contains(option, "inline"):
			d.structure(v.Field(i), path, defaults)
			continue
		case name == "":
			name = strings.ToLower(f.Name)
		}
		d.field(v.Field(i), path+name, f, defaults)
	}
	d.inside = d.inside[:len(d.inside)-1]
}

func (d *documenter) field(v reflect.Value, path string, f reflect.StructField, defaults bool) {
	l := leaf{value: v, min: f.Tag.Get("min"), max: f.Tag.Get("max")}
	if enum := f.Tag.Get("enum"); enum != "" {
		l.enum = strings.Split(enum, ",")
	}
	doc := sentence(f.Tag.Get("doc"))
	if limits := l.limits(); limits != "" {
		doc += " " + strings.ToUpper(limits[:1]) + limits[1:] + "."
	}
	fallback := ""
	if defaults && isScalar(v.Type()) {
		fallback = code(l.yaml())
	}
	inner, innerPath, listed := element(f.Type, path)
	recursive := inner != nil && slices.Contains(d.inside, inner)
	if recursive {
		doc += " The keys are those of this level again."
	}
	fmt.Fprintf(&d.b, "| `%s` | %s | %s | %s |\n", path, typeName(f.Type), fallback, cell(doc))
	if inner == nil || recursive {
		return
	}
	if listed || v.Kind() == reflect.Pointer {
		d.structure(reflect.New(inner).Elem(), innerPath+".", false)
	} else {
		d.structure(v, innerPath+".", defaults)
	}
}

// element is the struct that a field of type t holds, directly or as the
// elements of lists and maps, with the path of one of them; nil when it holds
// none that a file spells out.
func element(t reflect.Type, path string) (inner reflect.Type, innerPath string, listed bool) {
	for {
		switch {
		case isScalar(t):
			return nil, "", false
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
			t, path, listed = t.Elem(), path+"[]", true
		case t.Kind() == reflect.Map:
			t, path, listed = t.Elem(), path+".<name>", true
		case t.Kind() == reflect.Struct:
			return t, path, listed
		default:
			return nil, "", false
		}
	}
}

// isScalar is true for the types that a file writes as one value.
func isScalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer, reflect.Interface:
		return false
	}
	return true
}

// typeName names a type in the words of a YAML file.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice, reflect.Array:
		return "list of " + plural(typeName(t.Elem()))
	case reflect.Map:
		return "map of " + plural(typeName(t.Elem()))
	case reflect.Struct:
		if !isScalar(t) {
			return "map"
		}
	case reflect.Interface:
		return "any value"
	case reflect.Uint, reflect.Int64, reflect.Uint64, reflect.Uint32, reflect.Int32:
		if kind := (leaf{value: reflect.New(t).Elem()}).kind(); kind == "duration" || kind == "size" {
			return kind
		}
		return "integer"
	case reflect.Float32:
		return "number"
	}
	return leaf{value: reflect.New(t).Elem()}.kind()
}

func plural(name string) string {
	if first, rest, ok := strings.Cut(name, " "); ok {
		return plural(first) + " " + rest
	}
	if name == "any" {
		return name
	}
	return name + "s"
}

// code is an inline code span, or nothing for an empty text.
func code(s string) string {
	if s == "" || s == `""` {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

// cell keeps a text from ending a table's cell or being read as HTML.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}

// sentence ends a phrase with a full stop. It may begin with a value, so its
// first letter is left as it is.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
