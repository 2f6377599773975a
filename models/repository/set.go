package repository

import (
	"maps"
	"slices"
	"time"

	"hotpath/models"
)

// Set is everything that is loaded at one moment. It is immutable.
type Set struct {
	// Generation grows by one with every set that was accepted.
	Generation uint64
	Models     map[string]*ModelSet
}

// ModelSet is what is loaded of one model; there is at least one version.
type ModelSet struct {
	Versions []*Loaded // ascending
	Current  int
	Previous int // what Rollback goes to; 0 when there is none
	// Labels name versions, each of them one of Versions.
	Labels map[string]int
	// Policy is the version policy that holds.
	Policy models.VersionPolicy
}

// Loaded is one loaded version.
type Loaded struct {
	Version  int
	Served   Served
	Config   models.Config
	SHA256   string // of model.onnx, hex
	Size     int64  // of model.onnx, bytes
	Memory   int64  // of a Sized, bytes; else 0
	LoadedAt time.Time
	LoadTime time.Duration
	// ConfigFiles are those that Config was made of; see Candidate.
	ConfigFiles []string
	// digest is that of what serves, raw that of the files.
	digest, raw string
}

// Version finds a loaded version; nil when it is not loaded.
func (m *ModelSet) Version(n int) *Loaded {
	if m == nil {
		return nil
	}
	for _, l := range m.Versions {
		if l.Version == n {
			return l
		}
	}
	return nil
}

// with is m with l added or put in the place of its version.
func (m *ModelSet) with(l *Loaded) *ModelSet {
	next := m.without(l.Version)
	next.Versions = append(next.Versions, l)
	slices.SortFunc(next.Versions, func(a, b *Loaded) int { return a.Version - b.Version })
	return next
}

// without is m without a version.
func (m *ModelSet) without(n int) *ModelSet {
	if m == nil {
		return &ModelSet{}
	}
	next := *m
	next.Versions = slices.DeleteFunc(slices.Clone(m.Versions), func(l *Loaded) bool { return l.Version == n })
	return &next
}

// highest is the highest version below limit that ok accepts; 0 when there is none.
func (m *ModelSet) highest(limit int, ok func(int) bool) int {
	for _, l := range slices.Backward(m.Versions) {
		if l.Version < limit && ok(l.Version) {
			return l.Version
		}
	}
	return 0
}

func (m *ModelSet) equal(other *ModelSet) bool {
	if m == nil || other == nil {
		return m == other
	}
	return m.Current == other.Current && m.Previous == other.Previous && slices.Equal(m.Versions, other.Versions) &&
		maps.Equal(m.Labels, other.Labels) && m.Policy.Equal(&other.Policy)
}

// with is s with one model replaced; next is nil or empty to remove it.
func (s *Set) with(model string, next *ModelSet) *Set {
	out := &Set{Generation: s.Generation + 1, Models: maps.Clone(s.Models)}
	if next == nil || len(next.Versions) == 0 {
		delete(out.Models, model)
	} else {
		out.Models[model] = next
	}
	return out
}
