package abtest

import (
	"maps"
	"slices"
)

// WithListFiles is the configuration with the contents of its list files, by the
// lists' names: Compile reads no files. c stays as it is.
func (c Config) WithListFiles(contents map[string]*List) Config {
	c.contents = contents
	return c
}

// namedList finds a named list.
func (c *compiler) namedList(at place, name string) *set {
	s := c.lists[name]
	if s == nil {
		c.addf(at, "%q is not declared under lists or list_files", name)
		return &set{list: newList(nil)}
	}
	s.used = true
	return s
}

// readLists compiles the named lists, those of the file and those of files of
// their own.
func (c *compiler) readLists(cfg *Config) {
	c.lists = map[string]*set{}
	c.limit("lists", len(cfg.Lists)+len(cfg.ListFiles), MaxLists)
	total := 0
	within := func(at place, n int) bool {
		if total += n; total > MaxListValues {
			c.addf(at, "more than %d values in all: put the group into the context and target it", MaxListValues)
		}
		return total <= MaxListValues
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Lists)) {
		at, values := place("lists").key(name), cfg.Lists[name]
		s := c.declare(at, name)
		if !within("lists", len(values)) {
			return
		}
		s.list = c.list(at, values)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.ListFiles)) {
		at := place("list_files").key(name)
		if c.lists[name] != nil {
			c.addf(at, "%q is declared under lists, too", name)
			continue
		}
		s := c.declare(at, name)
		if s.list = cfg.contents[name]; s.list == nil {
			c.addf(at, "was not read")
			s.list = newList(nil)
		}
		if !within("list_files", s.list.Len()) {
			return
		}
	}
}

// declare adds a named list without its values.
func (c *compiler) declare(at place, name string) *set {
	c.name(at, name)
	s := &set{at: at}
	c.lists[name] = s
	c.allLists = append(c.allLists, s)
	return s
}

// list compiles the values of a list that stands in the file.
func (c *compiler) list(at place, values []string) *List {
	if len(values) == 0 {
		c.addf(at, "is empty")
	}
	good := make([]string, 0, len(values))
	for i, v := range values {
		if err := checkListValue(v); err != nil {
			c.addf(at.index(i), "%v", err)
			continue
		}
		good = append(good, v)
	}
	return newList(good)
}
