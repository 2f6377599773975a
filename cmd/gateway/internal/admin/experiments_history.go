package admin

import (
	"net/http"
	"net/url"

	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/router"
)

// FindingList is the answer of /admin/experiments/lint.
type FindingList struct {
	Findings []experiments.Finding `json:"findings"`
}

// history lists the revisions, the newest first.
func (h *handler) history(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	all := h.o.Editor.History()
	if all == nil {
		all = []experiments.Revision{}
	}
	return writeJSON(w, http.StatusOK, all)
}

// revision shows one revision with its text.
func (h *handler) revision(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	text := r.PathValue("revision")
	if text == viewReport {
		return h.report(w, "history") // an experiment may be called so
	}
	number, err := revisionNumber("the revision", text)
	if err != nil {
		return err
	}
	one, err := h.o.Editor.Revision(number)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, one)
}

// lint shows what is valid in the file that serves, and hardly meant.
func (h *handler) lint(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	findings, err := h.o.Editor.Lint(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, FindingList{findings})
}

// viewReport is the one page that each experiment has.
const viewReport = "report"

// experimentView is a page about one experiment.
func (h *handler) experimentView(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if view := r.PathValue("view"); view != viewReport {
		return failf(http.StatusNotFound, router.NotFound.String(), "there is no %.200q on the admin port", r.URL.Path)
	}
	return h.report(w, r.PathValue("experiment"))
}

// report is the readout of one experiment.
func (h *handler) report(w http.ResponseWriter, name string) error {
	report, found := h.o.Report(name)
	if !found {
		return failf(http.StatusNotFound, string(experiments.CodeUnknownExperiment), "there is no experiment named %.140q that has a readout", name)
	}
	return writeJSON(w, http.StatusOK, report)
}

// reports are the readouts of all experiments.
func (h *handler) reports(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	all := h.o.Reports()
	if all == nil {
		return writeJSON(w, http.StatusOK, []struct{}{})
	}
	return writeJSON(w, http.StatusOK, all)
}
