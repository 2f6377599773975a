package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/experiments"
)

func newExperimentsHistoryCommand(a *app) *cobra.Command {
	var format outputFormat
	var diff bool
	c := &cobra.Command{
		Use:   "history [REVISION]",
		Short: "List what the experiments were, or show one revision",
		Long: "List every change of the experiments that serve, newest first: when, by whom, by which way, how many lines it\n" +
			"added and removed, and what was held back. With a REVISION: its text, or with --diff how it differs from the one before.",
		Example: "  gateway experiments history\n  gateway experiments history 7 --diff\n  gateway experiments history 7 > then.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := takes(0, 1)(cmd, args); err != nil || len(args) == 0 {
				return err
			}
			_, err := parseRevision(args[0])
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if diff && len(args) == 0 {
				return wrongf("--diff needs a REVISION, as in gateway experiments history 7 --diff")
			}
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				body, err := client.get(cmd.Context(), historyPath, nil)
				if err != nil {
					return err
				}
				return answer(a, format, body, historyTable)
			}
			body, err := client.get(cmd.Context(), historyPath+"/"+args[0], nil)
			if err != nil {
				return err
			}
			return a.showRevision(format, body, diff)
		},
	}
	c.Flags().BoolVar(&diff, "diff", false, "show how REVISION differs from the one before")
	format.addTo(c)
	return c
}

// parseRevision reads a revision's number.
func parseRevision(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no revision: give a number as in `gateway experiments history`", text)
	}
	return int(n), nil
}

func historyTable(w io.Writer, all []experiments.Revision) {
	fmt.Fprintln(w, "REVISION\tAT\tWHO\tVIA\tCHANGE\tMESSAGE")
	for _, r := range all {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Number, r.At.UTC().Format(time.RFC3339), r.Who, r.Via, revisionChange(&r), oneLine(r.Message))
	}
}

// revisionChange is what became different: lines of the file, or a hold.
func revisionChange(r *experiments.Revision) string {
	if r.Hold == nil {
		return fmt.Sprintf("+%d -%d%s", r.Added, r.Removed, changedLists(r.ListsChanged))
	}
	what := "pause"
	if r.Hold.Variant != "" {
		what = "rollback of " + r.Hold.Variant
	}
	if r.Released {
		what = "end of " + what
	}
	return what + " in " + r.Hold.Experiment
}

// shownLists is how many lists are named in a line.
const shownLists = 3

func changedLists(names []string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n > shownLists:
		return fmt.Sprintf(", lists %s and %d more", strings.Join(names[:shownLists], ", "), n-shownLists)
	case n > 1:
		return ", lists " + strings.Join(names, ", ")
	}
	return ", list " + names[0]
}

// showRevision gives the text alone to standard output, so that it can be a file.
func (a *app) showRevision(f outputFormat, body []byte, diff bool) error {
	if f == formatJSON {
		return a.answerJSON(body)
	}
	var r experiments.RevisionText
	if err := decodeAnswer(body, &r); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "revision %d, %s by %s (%s), %s: %s\n", r.Number, r.At.UTC().Format(time.RFC3339), r.Who, r.Via, revisionChange(&r.Revision), oneLine(r.Message))
	text := r.Text
	if diff {
		text = r.Diff
	}
	_, err := io.WriteString(a.stdout, text)
	return err
}

func newExperimentsRestoreCommand(a *app) *cobra.Command {
	var f editFlags
	c := &cobra.Command{
		Use:   "restore REVISION",
		Short: "Make an earlier revision serve again",
		Long: "Put the text of an earlier revision in the place of the one that serves. That is shown and confirmed as by\n" +
			"`gateway experiments apply`, and is a new revision: nothing of the history is lost.",
		Example: "  gateway experiments history\n  gateway experiments restore 7 -m steep",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := takes(1, 1)(cmd, args); err != nil {
				return err
			}
			_, err := parseRevision(args[0])
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			do := editCall{method: http.MethodPost, path: experimentsPath + "/restore", query: url.Values{"revision": {args[0]}}}
			return a.propose(cmd.Context(), client, do, &f)
		},
	}
	f.addTo(c)
	return c
}
