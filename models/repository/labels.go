package repository

import (
	"context"
	"maps"
	"slices"

	"hotpath/models"
)

// Label is one label of a model; see ModelStatus.
type Label struct {
	Label string `json:"label"`
	// Version is the one that the label stands for now; 0 while that which it
	// shall stand for, Wanted, is not loaded.
	Version int `json:"version,omitempty"`
	Wanted  int `json:"wanted"`
	// Set says that the label was set by SetLabel and not in config.yaml.
	Set bool `json:"set,omitempty"`
}

// SetLabel makes a label name a version, which is loaded first if need be, and
// stays loaded for as long as it is named. It comes before a label of the same
// name in config.yaml. Version 0 removes the label, so that the one in
// config.yaml, if there is one, holds again. Errors are *Error.
func (r *Repository) SetLabel(ctx context.Context, model, label string, version int) error {
	if err := models.CheckLabel(label); err != nil {
		return fail(CodeBadRequest, model, 0, "%w", err)
	}
	return r.ask(request{verb: verbLabel, ctx: ctx, model: model, version: version, label: label})
}

// wantedLabels are the labels as they shall be, those of d over those of the
// model's config.yaml.
func (m *model) wantedLabels(d *decisions) map[string]int {
	all := maps.Clone(m.file.labels)
	if all == nil {
		all = map[string]int{}
	}
	maps.Copy(all, d.Labels)
	return all
}

// label fills in the policy and the labels of next: those that are wanted and whose version is
// loaded. While that is not so, a label stays with the version that it had.
func (o *owner) label(m *model, d *decisions, next *ModelSet) {
	if next == nil {
		return
	}
	old := next.Labels
	next.Labels, next.Policy = map[string]int{}, o.policy(m)
	for label, n := range m.wantedLabels(d) {
		if next.Version(n) == nil {
			n = old[label]
		}
		if next.Version(n) != nil {
			next.Labels[label] = n
		}
	}
}

// relabel offers a set in which the model's labels are those of d.
func (o *owner) relabel(m *model, d *decisions) error {
	set := o.set.Models[m.name]
	if set == nil {
		return nil
	}
	next := *set
	o.label(m, d, &next)
	return o.offer(m.name, &next)
}

// setLabel moves a label to a loaded version, or removes it when n is 0.
func (o *owner) setLabel(m *model, label string, n int) error {
	before := o.decisions(m.name)
	if _, set := before.Labels[label]; n == 0 && !set {
		if _, ok := m.file.labels[label]; ok {
			return fail(CodeConflict, m.name, 0, "label %s is set in its %s: remove it there", label, configFile)
		}
		return fail(CodeUnknownLabel, m.name, 0, "there is no label %s", label)
	}
	d := before.clone()
	d.label(label, n)
	if len(d.Labels) > maxSetLabels {
		return fail(CodeConflict, m.name, n, "%d labels are set already; remove one first", maxSetLabels)
	}
	if err := o.relabel(m, d); err != nil {
		return fail(CodeConflict, m.name, n, "%w", err)
	}
	o.change(m.name, func(d *decisions) { d.label(label, n) })
	o.log.Info("model label changed", "model", m.name, "label", label, "version", n)
	o.plan(m)
	o.prune(m)
	return nil
}

// maxSetLabels bounds the labels of one model that are set at run time.
const maxSetLabels = 100

// label notes a label, or forgets it when n is 0. The map is made anew, since
// clones share it.
func (d *decisions) label(label string, n int) {
	labels := maps.Clone(d.Labels)
	if labels == nil {
		labels = map[string]int{}
	}
	if labels[label] = n; n == 0 {
		delete(labels, label)
	}
	d.Labels = labels
}

// labelled are the versions that the model's labels name and shall name. In
// explicit mode a file does not say what is loaded.
func (o *owner) labelled(m *model) []int {
	d := o.decisions(m.name)
	versions := slices.Collect(maps.Values(d.Labels))
	if o.followsPolicy(m) {
		versions = slices.AppendSeq(versions, maps.Values(m.wantedLabels(d)))
	}
	if set := o.set.Models[m.name]; set != nil {
		versions = slices.AppendSeq(versions, maps.Values(set.Labels))
	}
	return versions
}

// labelOf is a label that names a version or shall name it; "" when none does.
func (o *owner) labelOf(m *model, n int) string {
	all := m.wantedLabels(o.decisions(m.name))
	if set := o.set.Models[m.name]; set != nil {
		maps.Copy(all, set.Labels)
	}
	for _, label := range slices.Sorted(maps.Keys(all)) {
		if all[label] == n {
			return label
		}
	}
	return ""
}

// labelStatus lists the labels as List shows them.
func (o *owner) labelStatus(m *model) []Label {
	d, set := o.decisions(m.name), o.set.Models[m.name]
	var all []Label
	wanted := m.wantedLabels(d)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		l := Label{Label: name, Wanted: wanted[name]}
		if set != nil {
			l.Version = set.Labels[name]
		}
		_, l.Set = d.Labels[name]
		all = append(all, l)
	}
	return all
}
