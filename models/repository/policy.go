package repository

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// onTree takes in what the directory looks like now.
func (o *owner) onTree(t *tree) {
	o.scanning = false
	before := o.tree
	o.tree = t
	if t.rewatched || o.rescan {
		o.rescan = false
		o.wakeIn(o.o.Debounce)
	}
	if t.err != nil {
		if before == nil || before.err == nil {
			o.log.Error("model repository cannot be read; what is loaded serves on", "error", t.err)
		}
		o.answerAsking(t)
		return
	}
	// Only the first reading is of what was there at start: what comes while that
	// is still loading settles like everything else.
	o.saw(t, before == nil || before.err != nil && !o.started)
	for name, m := range o.models {
		if !t.unread[name] {
			m.noteMissing(t)
		}
	}
	o.answerAsking(t)
	for _, name := range slices.Sorted(maps.Keys(o.models)) {
		m := o.models[name]
		o.takeFile(m, m.asked)
		o.plan(m)
		o.settle(m)
		o.forget(m)
	}
}

// saw notes what is on disk.
func (o *owner) saw(t *tree, initial bool) {
	for name, versions := range t.models {
		m := o.model(name)
		m.sawFile(t.files[name], t.at, initial)
		for n, s := range versions {
			v := m.version(n)
			v.saw(s, t.at)
			if initial {
				v.initial = s
			}
		}
	}
	if initial && o.o.Mode == ModeExplicit {
		o.beginExplicit()
	}
}

func (o *owner) model(name string) *model {
	m := o.models[name]
	if m == nil {
		m = &model{name: name, versions: map[int]*version{}}
		o.models[name] = m
	}
	return m
}

func (m *model) version(n int) *version {
	v := m.versions[n]
	if v == nil {
		v = &version{number: n}
		m.versions[n] = v
	}
	return v
}

// saw notes the version's files; seenAt is when they were first like this.
func (v *version) saw(s stamp, at time.Time) {
	if !v.onDisk || v.seen != s {
		v.seen, v.seenAt = s, at
	}
	v.onDisk, v.missing = true, time.Time{}
}

func (m *model) noteMissing(t *tree) {
	for n, v := range m.versions {
		if _, ok := t.models[m.name][n]; !ok {
			v.onDisk = false
			if v.missing.IsZero() {
				v.missing = t.at
			}
		}
	}
}

// forget drops what is neither on disk nor loaded nor being loaded.
func (o *owner) forget(m *model) {
	set := o.set.Models[m.name]
	for n, v := range m.versions {
		if !v.onDisk && v.job == nil && len(v.waiters) == 0 && set.Version(n) == nil && m.unset(n) == nil {
			delete(m.versions, n)
		}
	}
	if len(m.versions) == 0 {
		delete(o.models, m.name)
		o.r.metrics.forget(m.name)
	}
}

func (o *owner) decisions(name string) *decisions {
	if d := o.saved[name]; d != nil {
		return d
	}
	return &decisions{}
}

// wanted are the versions that shall be loaded: those that the policy names, and
// those that somebody needs.
func (o *owner) wanted(m *model) map[int]bool {
	d, set, want := o.decisions(m.name), o.set.Models[m.name], map[int]bool{}
	for n, v := range m.versions {
		if len(v.waiters) > 0 {
			want[n] = true
		}
	}
	if d.Off {
		return want
	}
	if set != nil {
		want[set.Current] = true
		// Who says which versions there shall be wants no other for a rollback.
		if m.file.policy.IsZero() {
			want[set.Previous] = true
		}
	}
	want[d.Pin] = true
	for _, some := range [][]int{d.Loaded, o.pinned(m.name), o.labelled(m)} {
		for _, n := range some {
			want[n] = true
		}
	}
	o.byPolicy(m, d, want)
	for _, n := range d.Unloaded {
		if v := m.versions[n]; v == nil || len(v.waiters) == 0 {
			delete(want, n)
		}
	}
	for _, n := range d.Held {
		want[n] = true
	}
	return want
}

func (o *owner) pinned(name string) []int {
	if o.o.Pinned == nil {
		return nil
	}
	return o.o.Pinned(name)
}

// refused reports whether the files as they are now were refused.
func (v *version) refused() bool { return v.refusal != nil && v.tried == v.seen }

// plan queues loads of wanted versions whose files are new, the highest first.
func (o *owner) plan(m *model) {
	if o.o.Mode == ModeExplicit && !m.asked {
		return
	}
	want := o.wanted(m)
	for _, n := range slices.SortedFunc(maps.Keys(m.versions), func(a, b int) int { return b - a }) {
		v := m.versions[n]
		if !want[n] || !v.onDisk || !v.seen.model.there() || v.job != nil || v.tried == v.seen {
			continue
		}
		settled := m.asked && !v.unfinished() || v.settled(o.o.Settle)
		// With a manifest the copy shows by itself whether it is complete; the
		// model's own config.yaml is in no manifest.
		complete := v.seen.manifest.there() && v.early != v.seen && v.seen.modelConfig == m.taken
		if settled || complete {
			o.enqueue(m, v, settled)
		} else {
			o.wakeIn(time.Until(v.seenAt.Add(o.o.Settle)))
		}
	}
}

// unfinished reports whether a load found the files as they are unfinished.
func (v *version) unfinished() bool { return v.early == v.seen && v.early != stamp{} }

// settled reports whether the files have been as they are for long enough: as
// we saw it, or by their own times when they were made elsewhere and moved
// here. What was there at start is taken as it is; a copy in progress is then
// caught by the checks.
func (v *version) settled(d time.Duration) bool {
	return time.Since(v.seenAt) >= d ||
		v.early != v.seen && (v.initial == v.seen || v.seen.olderThan(time.Now().Add(-d)))
}

func (o *owner) enqueue(m *model, v *version, settled bool) {
	j := &load{model: m.name, version: v.number, settled: settled, gentle: o.started}
	if l := m.unset(v.number); l != nil {
		j.served = l.digest
	} else if l := o.set.Models[m.name].Version(v.number); l != nil {
		j.served = l.digest
	}
	if v.refusal != nil && len(v.waiters) == 0 && !m.asked {
		j.refused = v.refusal.digest
	}
	v.job = j
	o.queue = append(o.queue, j)
}

// onResult takes in a load that is over.
func (o *owner) onResult(j *load) {
	delete(o.running, j)
	// What was given up for the end of the repository says nothing about the files.
	if j.abandoned || o.ctx.Err() != nil {
		if j.loaded != nil {
			j.loaded.Served.Close()
		}
		return
	}
	switch {
	case j.loaded != nil:
		o.r.metrics.load(j.model, resultOK, j.loaded.LoadTime)
	case errors.Is(j.err, context.DeadlineExceeded):
		o.r.metrics.load(j.model, resultTimeout, 0)
	case j.err != nil && !errors.Is(j.err, errUnsettled) && !errors.Is(j.err, errGone) && j.err != errRefusedBefore:
		o.r.metrics.load(j.model, resultRefused, 0)
	}
	o.decided(j)
}

// decided applies the outcome of a load and lets the model's policy follow.
func (o *owner) decided(j *load) {
	m := o.model(j.model)
	v := m.version(j.version)
	v.job = nil
	if j.stamp.model.there() {
		v.saw(j.stamp, time.Now())
	}
	switch {
	case errors.Is(j.err, errUnsettled):
		v.early, v.seenAt = j.stamp, time.Now()
		o.answer(v, fail(CodeConflict, m.name, v.number, "%w; try again when the copy is complete", errUnsettled))
	case errors.Is(j.err, errGone):
		// The next reading tells whether the folder is still there.
		v.onDisk, v.missing = false, time.Now()
		o.wakeIn(o.o.Debounce)
		o.answer(v, fail(o.unknown(m), m.name, v.number, "%w", j.err))
	case j.err == errRefusedBefore:
		v.tried = j.stamp
		o.answer(v, fail(v.refusal.code, m.name, v.number, "%w", v.refusal.err))
	case j.err != nil:
		// An error before the files were seen is one of the files we know.
		if v.tried = j.stamp; !j.stamp.model.there() {
			v.tried = v.seen
		}
		o.refuse(m, v, CodeBadModel, j.err, j.raw)
	default:
		v.tried, v.refusal = j.stamp, nil
		switch {
		case j.loaded != nil:
			m.hold(j.loaded)
		case o.set.Models[m.name].Version(v.number) == nil && m.unset(v.number) == nil:
			// It is as what served, but that was unloaded meanwhile.
			v.tried = stamp{}
		}
	}
	o.plan(m)
	o.settle(m)
	o.forget(m)
}

// unknown tells a model that is not there from a version that is not.
func (o *owner) unknown(m *model) Code {
	if _, ok := o.tree.models[m.name]; ok || o.set.Models[m.name] != nil {
		return CodeUnknownVersion
	}
	return CodeUnknownModel
}

func (o *owner) refuse(m *model, v *version, code Code, err error, digest string) {
	v.refusal = &refusal{code, err, time.Now(), digest}
	o.log.Error("model version refused", "model", m.name, "version", v.number, "code", code, "error", err)
	o.answer(v, fail(code, m.name, v.number, "%w", err))
}
