package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/admin"
	"hotpath/cmd/gateway/internal/experiments"
)

func newExperimentsCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "experiments",
		Short: "List, check, edit and evaluate experiments",
		Long: "Look into the experiments that a running gateway serves, and change them, through its admin port. An edit is\n" +
			"shown, with whom it moves, before it is made; every one is kept in the history and can be undone.\n\n" +
			"  what serves       list, get, lint, assign, report, history\n" +
			"  before an edit    lint FILE, diff, preview, simulate\n" +
			"  an edit           apply, edit, set, restore, reload\n" +
			"  trouble           pause, rollback, resume\n" +
			"  testing           token",
		Example: "  gateway experiments list\n" +
			"  gateway experiments set risk-gbm weight.control=80 weight.treatment=20\n" +
			"  gateway experiments report risk-gbm --html report.html",
	},
		newExperimentsListCommand(a), newExperimentsGetCommand(a), newExperimentsLintCommand(a), newExperimentsDiffCommand(a),
		newExperimentsPreviewCommand(a), newExperimentsApplyCommand(a), newExperimentsEditCommand(a), newExperimentsSetCommand(a),
		newExperimentsPauseCommand(a), newExperimentsResumeCommand(a), newExperimentsRollbackCommand(a),
		newExperimentsHistoryCommand(a), newExperimentsRestoreCommand(a), newExperimentsAssignCommand(a),
		newExperimentsReportCommand(a), newExperimentsTokenCommand(a),
		newExperimentsReloadCommand(a), newExperimentsSimulateCommand(a),
	)
}

func newExperimentsListCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:   "list",
		Short: "List the experiments that serve",
		Long: "List the experiments that serve with their variants, what an operator or a guardrail holds back, the revision\n" +
			"and the ETag of the file, and why that does not serve if it does not.",
		Example: "  gateway experiments list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			body, err := client.get(cmd.Context(), "/admin/experiments", nil)
			if err != nil {
				return err
			}
			return answer(a, format, body, experimentsTable)
		},
	}
	format.addTo(c)
	return c
}

func newExperimentsReloadCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:   "reload",
		Short: "Read the experiments file again",
		Long: "Make a running gateway read its experiments file now. It is taken whole or not at all; every problem\n" +
			"of a file that is refused is listed.",
		Example: "  gateway experiments reload",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			body, err := client.post(cmd.Context(), "/admin/reload", nil, loadingTimeout)
			if err != nil {
				return err
			}
			return answer(a, format, body, experimentsTable)
		},
	}
	format.addTo(c)
	return c
}

func experimentsTable(w io.Writer, l admin.ExperimentList) {
	fmt.Fprintln(w, "EXPERIMENT\tMODEL\tSTATE\tLAYER\tVARIANT\tSHARE\tSERVED BY")
	for _, e := range l.List {
		layer := e.Layer
		if layer != "" {
			layer += fmt.Sprintf(" [%d, %d)", e.Range[0], e.Range[1])
		}
		for i, v := range e.Variants {
			first := []string{e.Name, e.Model, state(e), layer}
			if i > 0 {
				first = make([]string, len(first))
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", strings.Join(first, "\t"), v.Name+"\t"+share(v), variantServedBy(v))
		}
	}
	for _, h := range l.Holds {
		fmt.Fprintln(w, holdText(h))
	}
	fmt.Fprintf(w, "digest %s", l.Digest)
	if l.File != "" {
		fmt.Fprintf(w, ", from %s", l.File)
	}
	fmt.Fprintln(w)
	if l.Revision > 0 {
		fmt.Fprintf(w, "revision %d, ETag %s\n", l.Revision, l.ETag)
	}
	if l.File != "" && !l.HistoryStored {
		fmt.Fprintln(w, "history and holds end with the gateway's process: experiments.data_dir is not set")
	}
	if l.ReloadError != "" {
		fmt.Fprintf(w, "the file as it is now does not serve:\n%s\n", l.ReloadError)
	}
}

// holdText says what is held back, by whom and why.
func holdText(h experiments.Held) string {
	what := "is paused"
	if h.Variant != "" {
		what = "has " + h.Variant + " rolled back"
	}
	text := fmt.Sprintf("held: %s %s since %s by %s (%s)", h.Experiment, what, h.At.UTC().Format(time.RFC3339), h.Who, h.Via)
	if h.Text != "" {
		text += ": " + oneLine(h.Text)
	}
	return text
}

// state is an experiment's, with the share of its ramp while that is not all.
func state(e admin.Experiment) string {
	if e.Ramp == 100 {
		return e.State
	}
	return e.State + " (" + percent(e.Ramp) + ")"
}

func share(v admin.Variant) string {
	switch {
	case v.Shadow:
		return "shadow " + percent(v.Sample)
	case v.Canary:
		return "canary " + percent(v.Weight)
	}
	return percent(v.Weight)
}

func percent(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) + "%" }

func variantServedBy(v admin.Variant) string {
	if v.Label != "" {
		return v.Model + " " + v.Label
	}
	return servedBy(v.Model, v.Version)
}

func servedBy(model string, version int) string {
	if version == 0 {
		return model + " (current)"
	}
	return fmt.Sprintf("%s %d", model, version)
}
