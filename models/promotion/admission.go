package promotion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"hotpath/models/repository"
)

// choose settles the version, and what there is before it.
func (m *Manager) choose(rec *record) error {
	have, _ := m.o.Repository.List().Model(rec.Model)
	rec.Before, rec.Pin, rec.PinnedUpTo = have.Current, have.Pin, have.PinnedUpTo
	if have.Unloaded {
		return fail(CodeConflict, "the whole model %q is unloaded; load a version of it first", rec.Model)
	}
	highest := 0
	for _, v := range have.Versions {
		highest = max(highest, v.Version)
	}
	for _, e := range m.entries {
		// A number that has served must not mean two models to whoever reads a log.
		if e.record.Model == rec.Model && e.record.served() {
			highest = max(highest, e.record.Version)
		}
	}
	r := rec.Request
	switch rec.Version = max(r.Version, r.From); {
	case r.From != 0:
		v, there := have.Version(r.From)
		if !there || v.MissingOnDisk {
			return fail(CodeUnknownVersion, "model %q has no version %d in the repository", rec.Model, r.From)
		}
		if v.Current {
			return fail(CodeConflict, "version %d of model %q is the current one", r.From, rec.Model)
		}
		rec.Loaded = v.State == repository.StateReady
	case rec.Version == 0:
		if rec.Version = highest + 1; rec.Version > repository.MaxVersion {
			return fail(CodeConflict, "model %q has version %d; there is no higher one", rec.Model, highest)
		}
	default:
		if _, there := have.Version(rec.Version); there {
			return fail(CodeConflict, "model %q has a version %d already; choose another, leave version out for the next one, or say from=%d to deploy it",
				rec.Model, rec.Version, rec.Version)
		}
	}
	return nil
}

// byKey finds the deployment that came with a key; nil for none. An upload that
// broke off leaves its key free.
func (m *Manager) byKey(model, key string) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if key != "" && e.record.Key == key && (e.record.Digest != "" || e == m.active[model]) {
			return e
		}
	}
	return nil
}

// again compares a request with the one that had its key before.
func (m *Manager) again(ctx context.Context, e *entry, model string, r Request, files Files) (Saga, error) {
	m.mu.Lock()
	digest, id := e.record.Digest, e.record.ID
	m.mu.Unlock()
	if digest == "" {
		return Saga{}, fail(CodeConflict, "the files of deployment %s, which has this idempotency key, are still arriving", id)
	}
	var s staged
	if files != nil {
		var err error
		if s, err = m.receive(ctx, "", files); err != nil {
			return Saga{}, err
		}
	}
	if digestOf(model, r, s) != digest {
		return Saga{}, fail(CodeKeyReused, "deployment %s had this idempotency key with another request; use a new key for a new request", id)
	}
	return m.show(e), nil
}

// digestOf identifies a request with its files.
func digestOf(model string, r Request, s staged) string {
	data, err := json.Marshal(struct {
		Model   string
		Request Request
		Files   map[string]string
	}{model, r, s.sum})
	if err != nil {
		panic(err) // numbers that are not finite were refused
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
