package features

import (
	"strings"
	"time"
)

// SchemaConfig is features.yaml.
type SchemaConfig struct {
	// Entities by name; the name is the part before the dot in "user.age".
	Entities map[string]EntityConfig `yaml:"entities" doc:"what the store holds, by entity"`
	// Request holds the features that only come with requests.
	Request map[string]FeatureConfig `yaml:"request" doc:"request-only features with a default; one without an entry is required"`
}

// EntityConfig describes one kind of hash in the store.
type EntityConfig struct {
	Key            string                   `yaml:"key" doc:"key template with {id} once; default features:<entity>:{id}"`
	TimestampField string                   `yaml:"timestamp_field" doc:"hash field with the unix milliseconds of the last write; default _ts"`
	Features       map[string]FeatureConfig `yaml:"features" doc:"features by hash field name"`
}

// FeatureConfig describes one feature.
type FeatureConfig struct {
	Type      string        `yaml:"type" doc:"float, int, bool or string"`
	Width     int           `yaml:"width" doc:"number of elements, stored as a JSON array when above 1; default 1"`
	Default   any           `yaml:"default" doc:"value used when there is none: a scalar, or a list of width elements"`
	MaxAge    time.Duration `yaml:"max_age" doc:"older values are stale; 0 = any age"`
	OnMissing string        `yaml:"on_missing" doc:"default, or error (422 bad_features)"`
	OnStale   string        `yaml:"on_stale" doc:"default, or error (422 bad_features)"`
	OnInvalid string        `yaml:"on_invalid" doc:"default, or error (422 bad_features)"`
	Override  *bool         `yaml:"override" doc:"whether a request may send the value itself; default true"`
}

// Limits of one schema.
const (
	MaxEntities    = 256
	MaxFeatures    = 10_000
	MaxWidth       = 65_536
	maxNameBytes   = 128
	defaultTSField = "_ts"
)

// Problem is one mistake in a configuration.
type Problem struct {
	// Path is the place in the YAML document: entities.user.features.age.type.
	Path    string
	Message string
}

// Problems is every mistake of a configuration at once.
type Problems []Problem

func (p Problems) Error() string {
	var b strings.Builder
	for i, one := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.Path)
		b.WriteString(": ")
		b.WriteString(one.Message)
	}
	return b.String()
}

// Schema is a compiled, immutable feature schema.
type Schema struct {
	entities map[string]*entity
	request  map[string]*feature
}

// kind is the declared type of a feature.
type kind uint8

const (
	kindFloat kind = iota
	kindInt
	kindBool
	kindString
	numKinds
)

var kindNames = [numKinds]string{"float", "int", "bool", "string"}

func (k kind) String() string { return kindNames[k] }

// zero is the text of a kind's value when nothing is declared.
func (k kind) zero() string { return [numKinds]string{"0", "0", "false", ""}[k] }

type entity struct {
	name           string
	prefix, suffix string // of the key, around the id
	timestamp      string // hash field
	features       map[string]*feature
	sortedFeatures []string
}

// feature is one declared feature. Its default is kept as the texts that the
// store would hold, one per element, so that defaults and stored values go
// through the same conversion.
type feature struct {
	name       string
	entity     *entity // nil: request-only
	kind       kind
	width      int
	defaults   []string // nil: none declared
	maxAge     time.Duration
	failOn     policies
	overridden bool // a request may send it
}

// policies is the set of conditions that fail a request with 422.
type policies uint8

const (
	failMissing policies = 1 << iota
	failStale
	failInvalid
)

// qualified is the name as bindings and error messages use it.
func (f *feature) qualified() string {
	if f.entity == nil {
		return f.name
	}
	return f.entity.name + "." + f.name
}

// Entities lists the entity names, sorted.
func (s *Schema) Entities() []string { return sortedKeys(s.entities) }
