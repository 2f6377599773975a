package repository

import (
	"context"
	"slices"
	"strings"
)

// LoadModel loads what a model's version policy wants, from the files as they
// are now: what was refused is tried again, what changed is loaded again, and a
// model or version that was unloaded is wanted again. It waits until all of it is
// loaded or refused, and reports the refusals. When ctx ends first, the loads go
// on. Errors are *Error.
func (r *Repository) LoadModel(ctx context.Context, model string) error {
	return r.do(ctx, verbLoadModel, model, 0)
}

// modelLoad is a LoadModel that waits for the loads of some versions.
type modelLoad struct {
	req      request
	versions []int
}

// askForModel lets a request wait for a reading of the directory that begins now:
// the model may just have been copied.
func (o *owner) askForModel(req request) {
	req.after = o.readings
	o.asking = append(o.asking, req)
	o.scan()
}

// answerAsking begins what was waiting for t.
func (o *owner) answerAsking(t *tree) {
	var later []request
	for _, req := range o.asking {
		m := o.models[req.model]
		switch {
		case t.reading <= req.after:
			later = append(later, req)
		case t.err != nil:
			o.reply(req, fail(CodeConflict, req.model, 0, "the repository cannot be read: %w", t.err))
		case m == nil:
			o.reply(req, fail(CodeUnknownModel, req.model, 0, "there is no such model in %s", o.o.Dir))
		default:
			o.loadModel(m, req)
		}
	}
	if o.asking = later; len(later) > 0 {
		o.scan()
	}
}

// loadModel lets plan load what the model's policy wants; settle answers.
func (o *owner) loadModel(m *model, req request) {
	m.asked = true
	o.takeFile(m, true)
	for _, v := range m.versions {
		if v.refusal != nil && v.job == nil {
			v.tried = stamp{}
		}
	}
	o.change(m.name, func(d *decisions) {
		d.Off, d.Unloaded, d.On = false, nil, o.o.Mode == ModeExplicit
	})
	load := modelLoad{req: req, versions: slices.Clone(m.file.policy.Specific)}
	for n := range o.wanted(m) {
		if v := m.versions[n]; v != nil && v.onDisk && v.seen.model.there() && !slices.Contains(load.versions, n) {
			load.versions = append(load.versions, n)
		}
	}
	if len(load.versions) == 0 {
		m.asked = len(m.loads) > 0
		o.reply(req, fail(CodeUnknownVersion, m.name, 0, "no version with a %s is on disk", modelFile))
		return
	}
	slices.Sort(load.versions)
	m.loads = append(m.loads, load)
}

// answerLoads ends what was asked for once nothing of the model is loading.
func (o *owner) answerLoads(m *model) {
	if m.loading() {
		return
	}
	for _, load := range m.loads {
		o.reply(load.req, o.outcome(m, load.versions))
	}
	m.loads, m.asked = nil, false
}

// outcome is what became of the versions that were to be loaded.
func (o *owner) outcome(m *model, versions []int) error {
	set := o.set.Models[m.name]
	var failed []*Error
	for _, n := range versions {
		switch v := m.versions[n]; {
		case v != nil && v.refusal != nil:
			failed = append(failed, fail(v.refusal.code, m.name, n, "%w", v.refusal.err))
		case v != nil && v.unfinished():
			failed = append(failed, fail(CodeConflict, m.name, n, "%w; try again when the copy is complete", errUnsettled))
		case v == nil || !v.onDisk && set.Version(n) == nil:
			failed = append(failed, fail(CodeUnknownVersion, m.name, n, "its folder is not there"))
		}
	}
	switch {
	case len(failed) == 1:
		return failed[0]
	case len(failed) > 1:
		all := make([]string, len(failed))
		for i, f := range failed {
			all[i] = f.Error()
		}
		return fail(failed[0].Code, m.name, 0, "%s", strings.Join(all, "; "))
	case set == nil:
		return fail(CodeConflict, m.name, 0, "it was not loaded")
	}
	return nil
}
