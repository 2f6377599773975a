package admin

import (
	"net/http"
	"net/url"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/experiments"
)

// pause holds a whole experiment.
func (h *handler) pause(w http.ResponseWriter, r *http.Request, q url.Values) error {
	return h.hold(w, r, q, abtest.Hold{Experiment: r.PathValue("experiment")})
}

// holdBack holds one variant.
func (h *handler) holdBack(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if q.Get("variant") == "" {
		return badRequest("parameter variant is missing: say which variant goes back to the control, as in ?variant=treatment")
	}
	return h.hold(w, r, q, abtest.Hold{Experiment: r.PathValue("experiment"), Variant: q.Get("variant")})
}

func (h *handler) hold(w http.ResponseWriter, r *http.Request, q url.Values, hold abtest.Hold) error {
	by, err := authorOf(r, q, experiments.ViaOperator)
	if err != nil {
		return err
	}
	if err := h.o.Editor.Hold(r.Context(), hold, by); err != nil {
		return err
	}
	return h.listExperiments(w)
}

// resume lets go of every hold of an experiment, whoever set it.
func (h *handler) resume(w http.ResponseWriter, r *http.Request, q url.Values) error {
	by, err := authorOf(r, q, experiments.ViaOperator)
	if err != nil {
		return err
	}
	if _, err := h.o.Editor.Release(r.Context(), r.PathValue("experiment"), by); err != nil {
		return err
	}
	return h.listExperiments(w)
}
