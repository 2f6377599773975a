package config

import "fmt"

// Source says where a value came from.
type Source struct {
	Kind SourceKind
	// Name is the file, environment variable or flag.
	Name string
	// Line and Column are a file's, from 1.
	Line, Column int
}

// SourceKind is a kind of Source.
type SourceKind string

// The kinds of sources, each overruling those before it.
const (
	FromDefault SourceKind = "default"
	FromFile    SourceKind = "file"
	FromEnv     SourceKind = "env"
	FromFlag    SourceKind = "flag"
)

// String is "default", "gateway.yaml:12", "env HOTPATH_LOG_LEVEL" or "flag --listen".
func (s Source) String() string {
	switch s.Kind {
	case FromFile:
		return fmt.Sprintf("%s:%d", s.Name, s.Line)
	case FromEnv, FromFlag:
		return string(s.Kind) + " " + s.Name
	}
	return string(FromDefault)
}

// Sources holds the source of every key that does not have its default, by path.
type Sources map[string]Source

// Of is the source of the key at path.
func (s Sources) Of(path string) Source {
	if src, ok := s[path]; ok {
		return src
	}
	return Source{Kind: FromDefault}
}
