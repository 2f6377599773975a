package features

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// CompileSchema checks a configuration and prepares it for views and writers.
// The error is a [Problems] that lists every mistake, sorted by path.
func CompileSchema(c SchemaConfig) (*Schema, error) {
	b := schemaBuilder{schema: &Schema{entities: map[string]*entity{}, request: map[string]*feature{}}}
	b.limits(c)
	for name, ec := range c.Entities {
		b.entity("entities."+name, name, ec)
	}
	for name, fc := range c.Request {
		path := "request." + name
		if name == "" || len(name) > maxNameBytes {
			b.add(path, "a feature name has 1 to %d bytes", maxNameBytes)
		}
		f := b.feature(path, name, nil, fc)
		b.requestOnly(path, fc)
		b.schema.request[name] = f
	}
	if len(b.problems) > 0 {
		slices.SortFunc(b.problems, func(x, y Problem) int { return strings.Compare(x.Path, y.Path) })
		return nil, b.problems
	}
	return b.schema, nil
}

type schemaBuilder struct {
	schema   *Schema
	problems Problems
}

func (b *schemaBuilder) add(path, format string, args ...any) {
	b.problems = append(b.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (b *schemaBuilder) limits(c SchemaConfig) {
	if n := len(c.Entities); n > MaxEntities {
		b.add("entities", "%d entities are over the limit of %d", n, MaxEntities)
	}
	n := len(c.Request)
	for _, e := range c.Entities {
		n += len(e.Features)
	}
	if n > MaxFeatures {
		b.add("entities", "%d features are over the limit of %d", n, MaxFeatures)
	}
}

func (b *schemaBuilder) entity(path, name string, c EntityConfig) {
	b.name(path, "entity", name)
	e := &entity{name: name, timestamp: c.TimestampField, features: map[string]*feature{}}
	if e.timestamp == "" {
		e.timestamp = defaultTSField
	}
	key := c.Key
	if key == "" {
		key = "features:" + name + ":{id}"
	}
	var ok bool
	e.prefix, e.suffix, ok = strings.Cut(key, "{id}")
	if !ok || strings.Contains(e.suffix, "{id}") {
		b.add(path+".key", "%q must contain {id} exactly once", key)
	}
	if len(c.Features) == 0 {
		b.add(path+".features", "an entity needs at least one feature")
	}
	for fname, fc := range c.Features {
		fpath := path + ".features." + fname
		b.name(fpath, "feature", fname)
		if fname == e.timestamp {
			b.add(fpath, "is the entity's timestamp field; rename one of the two")
		}
		e.features[fname] = b.feature(fpath, fname, e, fc)
	}
	e.sortedFeatures = sortedKeys(e.features)
	b.schema.entities[name] = e
}

// name checks a name that is used on both sides of the dot in "user.age".
func (b *schemaBuilder) name(path, what, name string) {
	if name == "" || len(name) > maxNameBytes {
		b.add(path, "%s name %q: a name has 1 to %d bytes", what, name, maxNameBytes)
		return
	}
	for _, r := range name {
		if r <= ' ' || r == '.' || r == '{' || r == '}' || r == 0x7f {
			b.add(path, "%s name %q: dots, braces, spaces and control characters are not allowed", what, name)
			return
		}
	}
}

func (b *schemaBuilder) feature(path, name string, e *entity, c FeatureConfig) *feature {
	f := &feature{name: name, entity: e, width: c.Width, maxAge: c.MaxAge, overridden: c.Override == nil || *c.Override}
	k := slices.Index(kindNames[:], c.Type)
	if k < 0 {
		b.add(path+".type", "%q is not one of float, int, bool, string", c.Type)
		k = 0
	}
	f.kind = kind(k)
	if f.width == 0 {
		f.width = 1
	}
	if f.width < 1 || f.width > MaxWidth {
		b.add(path+".width", "%d is not in 1..%d", c.Width, MaxWidth)
		f.width = 1
	}
	if c.MaxAge < 0 {
		b.add(path+".max_age", "%s is negative; leave it out for any age", c.MaxAge)
	}
	b.policy(path+".on_missing", c.OnMissing, failMissing, f)
	b.policy(path+".on_stale", c.OnStale, failStale, f)
	b.policy(path+".on_invalid", c.OnInvalid, failInvalid, f)
	if c.Default != nil {
		f.defaults = b.defaults(path+".default", f, c.Default)
	} else if e != nil && f.failOn != failMissing|failStale|failInvalid {
		b.add(path+".default", "is needed unless on_missing, on_stale and on_invalid are all error")
	}
	return f
}

func (b *schemaBuilder) policy(path, value string, bit policies, f *feature) {
	switch value {
	case "", "default":
	case "error":
		f.failOn |= bit
	default:
		b.add(path, "%q is not one of default, error", value)
	}
}

// requestOnly refuses what has a meaning for stored features only.
func (b *schemaBuilder) requestOnly(path string, c FeatureConfig) {
	const why = "has no meaning for a request-only feature; remove it"
	if c.MaxAge != 0 {
		b.add(path+".max_age", why)
	}
	if c.Override != nil && !*c.Override {
		b.add(path+".override", "false would leave a request-only feature without any value")
	}
	for key, v := range map[string]string{"on_missing": c.OnMissing, "on_stale": c.OnStale, "on_invalid": c.OnInvalid} {
		if v != "" {
			b.add(path+"."+key, why)
		}
	}
}

// defaults turns a YAML value into one text per element. A scalar stands for
// every element.
func (b *schemaBuilder) defaults(path string, f *feature, v any) []string {
	list, isList := v.([]any)
	if isList && len(list) != f.width {
		b.add(path, "has %d elements, width is %d", len(list), f.width)
		return nil
	}
	texts := make([]string, f.width)
	for i := range texts {
		one, at := v, path
		if isList {
			one, at = list[i], path+"["+strconv.Itoa(i)+"]"
		}
		text, ok := scalarText(one)
		_, isString := one.(string)
		if !ok || isString != (f.kind == kindString) || !f.kind.valid([]byte(text)) {
			b.add(at, "%v is not a valid %s", one, f.kind)
			return nil
		}
		texts[i] = text
	}
	return texts
}

// scalarText writes a decoded YAML scalar as the store would hold it.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatFloat(v, 'f', -1, 64), true
		}
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
