package admin

import (
	"net/http"
	"net/url"
	"strings"

	"hotpath/resilience"
	"hotpath/router"
)

// GuardList is the answer of /admin/guards.
type GuardList struct {
	Guards []resilience.State `json:"guards"`
}

func (h *handler) guards(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	return writeJSON(w, http.StatusOK, GuardList{h.sortedGuards()})
}

// guard holds a guard open or releases it, and answers with its new state.
func (h *handler) guard(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	path := r.PathValue("name")
	name, hold := strings.CutSuffix(path, "/hold")
	if !hold {
		var release bool
		if name, release = strings.CutSuffix(path, "/release"); !release {
			return failf(http.StatusNotFound, router.NotFound.String(), "a guard takes /hold and /release, not %.200q", path)
		}
	}
	if err := h.o.GuardHold(name, hold); err != nil {
		return err
	}
	for _, g := range h.o.Guards() {
		if g.Name == name {
			return writeJSON(w, http.StatusOK, g)
		}
	}
	// It went with its model version in this moment.
	return ErrNoGuard
}
