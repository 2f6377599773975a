package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotpath/models/strictyaml"
)

// leaf is one key of the configuration, bound to the field that holds its value.
type leaf struct {
	path   string // server.listen
	env    string // HOTPATH_SERVER_LISTEN
	value  reflect.Value
	doc    string
	min    string // as in a file; "" without a bound
	max    string
	enum   []string
	format string // address, file, dir or header; "" for free text
}

// section is a struct of leaves and further sections.
type section struct {
	path string
	doc  string
}

const envPrefix = "HOTPATH_"

// leaves lists every key of c in the order of the struct.
func leaves(c *Config) []leaf {
	var all []leaf
	walk(reflect.ValueOf(c).Elem(), "", func(section) {}, func(l leaf) { all = append(all, l) })
	return all
}

// walk visits sections before what is in them.
func walk(v reflect.Value, path string, enter func(section), visit func(leaf)) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		at := strings.TrimPrefix(path+"."+name, ".")
		if f.Type.Kind() == reflect.Struct {
			enter(section{at, f.Tag.Get("doc")})
			walk(v.Field(i), at, enter, visit)
			continue
		}
		l := leaf{
			path: at, env: envPrefix + strings.ToUpper(strings.ReplaceAll(at, ".", "_")), value: v.Field(i),
			doc: f.Tag.Get("doc"), min: f.Tag.Get("min"), max: f.Tag.Get("max"), format: f.Tag.Get("format"),
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			l.enum = strings.Split(enum, ",")
		}
		visit(l)
	}
}

// set reads a value as it is written in the environment or on the command line:
// as in a file, but lists are separated by commas and nothing is quoted.
func (l leaf) set(text string) error {
	switch p := l.value.Addr().Interface().(type) {
	case *string:
		*p = text
	case *Secret:
		*p = Secret(text)
	case *[]string:
		list := strings.Split(text, ",")
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		*p = list
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("want true or false, got %q", text)
		}
		*p = text == "true"
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("want a duration with a unit such as 250ms, 1.5s or 2h, got %q", text)
		}
		*p = d
	case *strictyaml.Bytes:
		return p.UnmarshalText([]byte(text))
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("want an integer, got %q", text)
		}
		*p = n
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n-n != 0 { // infinite or not a number
			return fmt.Errorf("want a number, got %q", text)
		}
		*p = n
	default:
		return fmt.Errorf("keys of type %s cannot be set", l.value.Type())
	}
	return nil
}

// yaml is the value as a file holds it. Secrets are hidden.
func (l leaf) yaml() string {
	switch x := l.value.Interface().(type) {
	case string:
		return strconv.Quote(x)
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case Secret:
		return strconv.Quote(x.String())
	}
	return l.plain()
}

// plain is the value without quotes, as set reads it.
func (l leaf) plain() string {
	switch x := l.value.Interface().(type) {
	case []string:
		return strings.Join(x, ",")
	case time.Duration:
		return shortDuration(x)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}

// shortDuration is 1m instead of 1m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// kind is the type's name in the reference.
func (l leaf) kind() string {
	switch l.value.Interface().(type) {
	case time.Duration:
		return "duration"
	case strictyaml.Bytes:
		return "size"
	case []string:
		return "list of strings"
	case Secret:
		return "secret"
	case float64:
		return "number"
	case int:
		return "integer"
	}
	return l.value.Kind().String()
}

// limits describes what the value may be: "one of a, b" or "1 to 64".
func (l leaf) limits() string {
	switch {
	case len(l.enum) > 0:
		return "one of " + strings.Join(l.enum, ", ")
	case l.min != "":
		return l.min + " to " + l.max
	}
	return ""
}

// check says what is wrong with the value by itself; "" when nothing is.
func (l leaf) check() string {
	if len(l.enum) > 0 && !slices.Contains(l.enum, l.plain()) {
		message := fmt.Sprintf("%q is not one of %s", l.plain(), strings.Join(l.enum, ", "))
		if near := strictyaml.Nearest(l.plain(), l.enum); near != "" {
			message += "; did you mean " + near + "?"
		}
		return message
	}
	if l.min != "" && (l.number() < l.like(l.min).number() || l.number() > l.like(l.max).number()) {
		return fmt.Sprintf("%s is outside %s to %s", l.plain(), l.min, l.max)
	}
	return ""
}

// like is a leaf of the same type with another value.
func (l leaf) like(text string) leaf {
	other := leaf{value: reflect.New(l.value.Type()).Elem()}
	if err := other.set(text); err != nil {
		panic("config: bound of a field's tag: " + err.Error()) // every tag is read by a test
	}
	return other
}

func (l leaf) number() float64 {
	if l.value.CanInt() {
		return float64(l.value.Int())
	}
	return l.value.Float()
}
