package repository

import (
	"maps"
	"slices"
	"time"
)

// publish makes the picture that List shows.
func (o *owner) publish() {
	s := &Status{Dir: o.o.Dir, Mode: o.o.Mode, Generation: o.set.Generation, Models: []ModelStatus{}}
	if o.tree != nil {
		s.ScannedAt, s.Ignored = o.tree.at, o.tree.ignored
		if o.tree.err != nil {
			s.ScanError = o.tree.err.Error()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.models)) {
		m, set, d := o.models[name], o.set.Models[name], o.decisions(name)
		ms := ModelStatus{Name: name, Pin: d.Pin, PinnedUpTo: d.UpTo, Unloaded: d.Off, Versions: []VersionStatus{},
			Labels: o.labelStatus(m), VersionPolicy: o.policy(m)}
		if m.fileErr != nil {
			ms.ConfigError = m.fileErr.Error()
		}
		if set != nil {
			ms.Current, ms.Previous = set.Current, set.Previous
		}
		want := o.wanted(m)
		if o.o.Mode == ModeExplicit && !m.asked {
			want = nil // what is wanted waits for somebody to ask
		}
		for _, n := range slices.Sorted(maps.Keys(m.versions)) {
			l := set.Version(n)
			if l == nil && !d.free(n) {
				l = m.unset(n)
			}
			v := m.versions[n].status(l, want[n], m.unset(n) != nil && l == nil)
			v.Current, v.Previous, v.Held = n == ms.Current, n == ms.Previous, !d.free(n)
			ms.Versions = append(ms.Versions, v)
		}
		s.Models = append(s.Models, ms)
	}
	o.r.status.Store(s)
}

// status is one version; l is nil when it is not loaded.
func (v *version) status(l *Loaded, wanted, fresh bool) VersionStatus {
	s := VersionStatus{Version: v.number, Loading: v.job != nil || fresh, MissingOnDisk: !v.onDisk}
	if v.refusal != nil {
		s.Code, s.Reason, s.RefusedAt = v.refusal.code, v.refusal.err.Error(), &v.refusal.at
	}
	if v.onDisk {
		s.Size = v.seen.model.size
	}
	switch {
	case l != nil:
		s.State, s.SHA256, s.Size, s.LoadedAt = StateReady, l.SHA256, l.Size, &l.LoadedAt
		s.ConfigFiles, s.MemoryBytes = l.ConfigFiles, l.Memory
		s.LoadMS = float64(l.LoadTime) / float64(time.Millisecond)
	case s.Loading:
		s.State = StateLoading
	case v.refused():
		s.State = StateRefused
	case wanted || !v.seen.model.there():
		s.State = StateWaiting
	default:
		s.State = StateUnloaded
	}
	return s
}
