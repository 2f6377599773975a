package admin

import (
	"net/http"
	"net/url"
)

// putLabel makes a label name a version, which is loaded if need be.
func (h *handler) putLabel(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if !q.Has("version") {
		return badRequest("parameter version is missing: say which version the label names, as in ?version=2")
	}
	n, err := version(q)
	if err == nil {
		err = h.o.Repository.SetLabel(r.Context(), r.PathValue("model"), r.PathValue("label"), n)
	}
	if err != nil {
		return err
	}
	return h.model(w, r, q)
}

// deleteLabel removes a label that was set here.
func (h *handler) deleteLabel(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if err := h.o.Repository.SetLabel(r.Context(), r.PathValue("model"), r.PathValue("label"), 0); err != nil {
		return err
	}
	return h.model(w, r, q)
}
