package admin

import (
	"net/http"
	"net/url"

	"hotpath/models/repository"
)

// models lists the repository.
func (h *handler) models(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	return writeJSON(w, http.StatusOK, h.o.Repository.List())
}

// model shows one model, and is the answer to every operation on it.
func (h *handler) model(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	name := r.PathValue("model")
	m, ok := h.o.Repository.List().Model(name)
	if !ok {
		return failf(http.StatusNotFound, string(repository.CodeUnknownModel), "there is no model named %.140q in the repository", name)
	}
	return writeJSON(w, http.StatusOK, m)
}

func (h *handler) load(w http.ResponseWriter, r *http.Request, q url.Values) error {
	n, err := version(q)
	if err == nil {
		err = h.o.Repository.Load(r.Context(), r.PathValue("model"), n)
	}
	if err != nil {
		return err
	}
	return h.model(w, r, q)
}

// unload answers with the model, unless nothing is left of it: a model whose
// folder is gone is forgotten with its last version.
func (h *handler) unload(w http.ResponseWriter, r *http.Request, q url.Values) error {
	n, err := version(q)
	if err == nil {
		err = h.o.Repository.Unload(r.Context(), r.PathValue("model"), n)
	}
	if err != nil {
		return err
	}
	name := r.PathValue("model")
	m, ok := h.o.Repository.List().Model(name)
	if !ok {
		m = repository.ModelStatus{Name: name, Unloaded: true, Versions: []repository.VersionStatus{}}
	}
	return writeJSON(w, http.StatusOK, m)
}

func (h *handler) promote(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if !q.Has("version") {
		return badRequest("parameter version is missing: say which version to promote, as in ?version=2")
	}
	n, err := version(q)
	if err == nil {
		err = h.o.Repository.Promote(r.Context(), r.PathValue("model"), n)
	}
	if err != nil {
		return err
	}
	return h.model(w, r, q)
}

func (h *handler) rollback(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if err := h.o.Repository.Rollback(r.Context(), r.PathValue("model")); err != nil {
		return err
	}
	return h.model(w, r, q)
}
