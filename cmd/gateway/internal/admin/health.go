package admin

import (
	"net/http"

	"hotpath/router"
)

// live and ready answer probes as the traffic port does. Probes are not strict
// about queries: some tools add parameters against caches.
func (h *handler) live(w http.ResponseWriter, _ *http.Request) error {
	writeBody(w, http.StatusOK, "application/json", []byte(`{"status":"alive"}`))
	return nil
}

func (h *handler) ready(w http.ResponseWriter, _ *http.Request) error {
	r := h.o.Readiness()
	code := r.Code()
	if code != router.OK {
		w.Header().Set("Retry-After", "1")
	}
	return writeJSON(w, code.Status(), r)
}
