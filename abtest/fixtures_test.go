package abtest

import (
	"fmt"
	"testing"

	"github.com/goccy/go-yaml"
)

// compileYAML compiles a file as the gateway reads it.
func compileYAML(t testing.TB, text string) *Plan {
	t.Helper()
	p, err := Compile(decodeYAML(t, text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func decodeYAML(t testing.TB, text string) (cfg Config) {
	t.Helper()
	if err := yaml.UnmarshalWithOptions([]byte(text), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// attributes are a context in a test; pass a pointer so as not to allocate.
type attributes map[string]any

func (a *attributes) Attribute(name string) (Value, bool) {
	switch v := (*a)[name].(type) {
	case string:
		return Value{Kind: String, Str: []byte(v)}, true
	case float64:
		return Value{Kind: Number, Num: v}, true
	case int:
		return Value{Kind: Number, Num: float64(v)}, true
	case bool:
		return Value{Kind: Bool, Bool: v}, true
	}
	return Value{}, false
}

// of is a request of a user with a context, which may be nil.
func of(user string, attrs Attributes) *Request {
	return &Request{User: []byte(user), Attributes: attrs}
}

// fixed is a context of one attribute that answers without allocating.
type fixed struct {
	name  string
	value Value
}

func (f *fixed) Attribute(name string) (Value, bool) { return f.value, name == f.name }

func ptr[T any](v T) *T { return &v }

// split makes an experiment of the given weights in percent: variants a, b, ...
func split(name string, weights ...float64) ExperimentConfig {
	e := ExperimentConfig{Name: name, Model: "m"}
	for i, w := range weights {
		e.Variants = append(e.Variants, VariantConfig{Name: string(rune('a' + i)), Weight: ptr(w), Version: i + 1})
	}
	return e
}

func compile(t testing.TB, layers []LayerConfig, experiments ...ExperimentConfig) *Plan {
	t.Helper()
	p, err := Compile(Config{Experiments: experiments, Layers: layers})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shapes are the kinds of user ids that the hash has to spread evenly.
var shapes = map[string]func(i int) string{
	"sequential": func(i int) string { return fmt.Sprint(i) },
	"prefixed":   func(i int) string { return fmt.Sprintf("user-%07d", i) },
	"suffixed":   func(i int) string { return fmt.Sprintf("%d@customers.example", i) },
	"hex":        func(i int) string { return fmt.Sprintf("%016x", uint64(i)<<40) },
	"uuid": func(i int) string {
		h := fmix64(uint64(i) + 1)
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", uint32(h>>32), uint16(h>>16), h>>4&0xfff, h&0xfff, fmix64(h)>>16)
	},
}

// entities are further ids of a request.
type entities map[string][]byte

func (e entities) Unit(name string) []byte { return e[name] }

// stored are variants put by, by experiment.
type stored map[string][]byte

func (s stored) Variant(e *Experiment) []byte { return s[e.Name()] }

// armOf names where an assignment leads, as "experiment/variant"; empty: nowhere.
func armOf(a Assignment) string {
	if a.Variant == nil {
		return ""
	}
	return a.Experiment.Name() + "/" + a.Variant.Name()
}

// userWhere finds a user of whom something is true.
func userWhere(is func(user string) bool) string {
	for i := 0; ; i++ {
		if user := fmt.Sprint("unit", i); is(user) {
			return user
		}
	}
}

// bucketIn is a user's bucket for one purpose and salt.
func bucketIn(domain, salt, user string) uint16 {
	return bucketOf(hashKey(domain, salt), hashUnit([]byte(user)))
}
