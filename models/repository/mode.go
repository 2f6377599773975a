package repository

import (
	"maps"
	"slices"

	"hotpath/models"
)

// Mode says when what is on disk is loaded.
type Mode string

// The modes.
const (
	// ModeWatch loads and unloads versions as their files come and go, and asks
	// the system for notifications besides reading the directory every Poll.
	ModeWatch Mode = "watch"
	// ModePoll does without notifications.
	ModePoll Mode = "poll"
	// ModeExplicit loads what Options.Load names at start and what operations ask
	// for. New files show in List, and no more.
	ModeExplicit Mode = "explicit"
)

// AllModels in Options.Load stands for every model there is at start.
const AllModels = "*"

// beginExplicit says what explicit mode loads at start: the models of
// Options.Load and those that were loaded whole before, by their policies, and of
// all models what decisions, labels and experiments name.
func (o *owner) beginExplicit() {
	for _, m := range o.models {
		m.asked = true
	}
	for _, name := range o.o.Load {
		if name != AllModels && o.models[name] == nil {
			o.log.Warn("a model to load is not in the repository", "model", name)
		}
	}
}

// followsPolicy reports whether versions on disk are loaded by the model's policy
// now: in explicit mode only when they were asked for.
func (o *owner) followsPolicy(m *model) bool {
	if o.o.Mode != ModeExplicit {
		return true
	}
	return m.asked && (o.decisions(m.name).On || slices.Contains(o.o.Load, m.name) || slices.Contains(o.o.Load, AllModels))
}

// byPolicy adds the versions that the model's policy wants. Those that may be
// loaded from disk count only while the policy is followed; else those that are
// loaded already.
func (o *owner) byPolicy(m *model, d *decisions, want map[int]bool) {
	set, follows, named := o.set.Models[m.name], o.followsPolicy(m), m.file.policy.Specific
	usable := func(n int) bool {
		v := m.versions[n]
		there := set.Version(n) != nil || follows && v.onDisk && v.seen.model.there() && !v.refused()
		return there && !slices.Contains(d.Unloaded, n) && d.free(n)
	}
	if len(named) > 0 && !o.o.All {
		for _, n := range named {
			if follows || m.versions[n] != nil && usable(n) {
				want[n] = true
			}
		}
		return
	}
	left := o.limit(m)
	for _, n := range slices.SortedFunc(maps.Keys(m.versions), func(a, b int) int { return b - a }) {
		if left > 0 && usable(n) {
			want[n] = true
			left--
		}
	}
}

// policy is the version policy that holds.
func (o *owner) policy(m *model) models.VersionPolicy {
	if p := m.file.policy; !p.IsZero() {
		return p
	}
	return models.VersionPolicy{Latest: o.o.KeepVersions}
}

// limit is how many of the newest versions the policy wants, if it names none.
func (o *owner) limit(m *model) int {
	switch p := o.policy(m); {
	case o.o.All:
		return noLimit
	case p.All:
		return models.MaxLoadedVersions
	default:
		return p.Latest
	}
}
