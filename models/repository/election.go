package repository

import (
	"slices"
	"time"
)

// settle puts into the set what has been loaded, answers those who waited for
// it, and takes out what is not wanted any more.
func (o *owner) settle(m *model) {
	// While nothing serves, the set waits for all that is loading, so that the
	// highest becomes current first; later a version serves as soon as it can.
	if o.set.Models[m.name] != nil || !m.loading() {
		o.addFresh(m)
	}
	for _, v := range m.versions {
		o.replyTo(m, v)
	}
	o.prune(m)
	if m.asked {
		o.answerLoads(m)
	}
}

func (m *model) loading() bool {
	for _, v := range m.versions {
		if v.job != nil {
			return true
		}
	}
	return false
}

// unset is a version that is loaded and not in the set yet; nil when it is not.
func (m *model) unset(n int) *Loaded {
	for _, l := range m.fresh {
		if l.Version == n {
			return l
		}
	}
	return nil
}

// hold keeps a loaded version for the next set, in the place of an earlier one.
func (m *model) hold(l *Loaded) {
	m.fresh = slices.DeleteFunc(m.fresh, func(old *Loaded) bool {
		if old.Version == l.Version {
			old.Served.Close()
		}
		return old.Version == l.Version
	})
	m.fresh = append(m.fresh, l)
}

// addFresh offers all loaded versions at once; if that is refused, each alone.
func (o *owner) addFresh(m *model) {
	want, fresh := o.wanted(m), m.fresh[:0]
	for _, l := range m.fresh {
		if want[l.Version] {
			fresh = append(fresh, l)
			continue
		}
		l.Served.Close() // unloaded while it was loading
		m.version(l.Version).tried = stamp{}
	}
	m.fresh = nil
	free := func(l *Loaded) bool { return o.decisions(m.name).free(l.Version) }
	if o.set.Models[m.name] == nil && !slices.ContainsFunc(fresh, free) {
		m.fresh = fresh // held versions alone make no model: they wait for Release
		return
	}
	if len(fresh) == 0 || o.add(m, fresh...) == nil {
		return
	}
	slices.SortFunc(fresh, func(a, b *Loaded) int { return b.Version - a.Version })
	for _, l := range fresh {
		if o.set.Models[m.name] == nil && !free(l) {
			m.fresh = append(m.fresh, l)
			continue
		}
		if err := o.add(m, l); err != nil {
			l.Served.Close()
			o.refuse(m, m.version(l.Version), CodeConflict, err, l.raw)
		}
	}
}

func (o *owner) add(m *model, loaded ...*Loaded) error {
	next := o.set.Models[m.name]
	for _, l := range loaded {
		next = next.with(l)
	}
	o.elect(m, next)
	if err := o.commit(m.name, next); err != nil {
		return err
	}
	for _, l := range loaded {
		o.log.Info("model version loaded", "model", m.name, "version", l.Version, "sha256", l.SHA256,
			"seconds", l.LoadTime.Seconds(), "current", next.Current)
	}
	// A version above those that were known when somebody pinned ends the pin.
	if d := o.saved[m.name]; d != nil && d.UpTo > 0 && next.Current > d.UpTo {
		d.Pin, d.UpTo = 0, 0
		o.save()
	}
	return nil
}

// prune takes out versions that are not wanted, and those whose folder is gone
// while another one's is there.
func (o *owner) prune(m *model) {
	set := o.set.Models[m.name]
	if set == nil {
		return
	}
	want, pinned := o.wanted(m), append(o.pinned(m.name), o.labelled(m)...)
	for _, l := range set.Versions {
		v := m.version(l.Version)
		drop := !want[l.Version] && l.Version != o.set.Models[m.name].Current
		if !v.onDisk && !drop && o.o.Mode != ModeExplicit && !slices.Contains(pinned, l.Version) && o.anotherServes(m, l.Version) {
			left := o.o.Settle - time.Since(v.missing)
			if drop = left <= 0; !drop {
				o.wakeIn(left)
			}
		}
		if drop && (v.kept == 0 || v.kept != o.set.Generation) {
			o.drop(m, v)
		}
	}
}

// anotherServes reports whether a version other than n is loaded, on disk, and
// may be elected.
func (o *owner) anotherServes(m *model, n int) bool {
	d := o.decisions(m.name)
	return slices.ContainsFunc(o.set.Models[m.name].Versions, func(l *Loaded) bool {
		return l.Version != n && m.version(l.Version).onDisk && d.free(l.Version)
	})
}

func (o *owner) drop(m *model, v *version) {
	next := o.set.Models[m.name].without(v.number)
	o.elect(m, next)
	if err := o.commit(m.name, next); err != nil {
		v.kept = o.set.Generation
		o.log.Warn("model version stays loaded", "model", m.name, "version", v.number, "reason", err)
		return
	}
	o.log.Info("model version unloaded", "model", m.name, "version", v.number, "current", next.Current)
	// Were it to be loaded again, its files are looked at afresh.
	v.tried = stamp{}
}

// commit offers a set with next as the model's part, its labels worked out.
func (o *owner) commit(name string, next *ModelSet) error {
	o.label(o.model(name), o.decisions(name), next)
	return o.offer(name, next)
}

// offer offers a set with next as the model's part, and makes it the set if
// nobody objects. What it does not hold any more is closed.
func (o *owner) offer(name string, next *ModelSet) error {
	old := o.set.Models[name]
	if old.equal(next) {
		return nil
	}
	set := o.set.with(name, next)
	if o.o.OnChange != nil {
		if err := o.o.OnChange(set); err != nil {
			return err
		}
	}
	o.set = set
	if old != nil {
		for _, l := range old.Versions {
			if next.Version(l.Version) != l {
				l.Served.Close()
			}
		}
	}
	o.r.metrics.serving(name, set.Models[name])
	return nil
}

// elect chooses the current and the previous version of next.
func (o *owner) elect(m *model, next *ModelSet) {
	d := o.decisions(m.name)
	highest := m.highest(next, d)
	current := next.Current
	switch {
	case d.Pin == 0 || highest > d.UpTo:
		current = highest
	case next.Version(d.Pin) != nil:
		current = d.Pin
	case next.Version(current) == nil:
		// What an operator rolled back to is gone: rather an older one than
		// one that was rolled back from, and rather that than nothing.
		if current = next.highest(d.Pin, m.electable(d)); current == 0 {
			current = highest
		}
	}
	next.moveTo(current, next.Current, m.electable(d))
}

// highest is the highest version of next that may be elected: of those that the
// policy names, if it names any and one of them is there.
func (m *model) highest(next *ModelSet, d *decisions) int {
	if n := next.highest(noLimit, m.electable(d)); n > 0 {
		return n
	}
	if next.Version(next.Current) != nil {
		return next.Current
	}
	return next.highest(noLimit, d.free)
}

// electable says which versions may be elected: those that are not held, and of
// them those that the policy names, if it names any.
func (m *model) electable(d *decisions) func(n int) bool {
	named := m.file.policy.Specific
	return func(n int) bool { return d.free(n) && (len(named) == 0 || slices.Contains(named, n)) }
}

// moveTo makes a version current and another previous, if it is there and ok.
func (m *ModelSet) moveTo(current, previous int, ok func(n int) bool) {
	if current != m.Current {
		m.Current, m.Previous = current, previous
	}
	if m.Previous == current || m.Version(m.Previous) == nil || !ok(m.Previous) {
		m.Previous = m.highest(current, ok)
	}
}
