package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/admin"
	"hotpath/models/promotion"
)

func newModelsDeploymentsCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:     "deployments [MODEL]",
		Short:   "List deployments, the newest first",
		Long:    "List the deployments in progress and those that have ended, as far as they are kept (models.promotion.history).",
		Example: "  gateway models deployments\n  gateway models deployments risk -o json",
		Args:    takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			path := "/admin/deployments"
			if len(args) == 1 {
				path = modelPath(args[0]) + "/deployments"
			}
			body, err := client.get(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			return answer(a, format, body, deploymentTable)
		},
	}
	format.addTo(c)
	return c
}

func deploymentTable(w io.Writer, l admin.DeploymentList) {
	fmt.Fprintln(w, "ID\tMODEL\tVERSION\tSTATE\tSTEP\tBEGAN\tTOOK\tREASON")
	for _, s := range l.Deployments {
		step, end := "", time.Now()
		for _, t := range s.Steps {
			if t.StartedAt != nil && t.Name != promotion.UndoStep {
				step = t.Name
			}
		}
		if s.EndedAt != nil {
			end = *s.EndedAt
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Model, s.Version, s.State, step,
			s.CreatedAt.Local().Format(time.DateTime), shortTime(end.Sub(s.CreatedAt)), oneLine(s.Reason))
	}
}

func shortTime(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

func newModelsCancelCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:     "cancel ID",
		Short:   "Cancel a deployment and undo what it did",
		Long:    "Cancel a deployment in progress. What it did is undone: the version before serves, the new one is removed.",
		Example: "  gateway models cancel d-0123456789abcdef",
		Args:    takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			body, err := client.call(cmd.Context(), "DELETE", "/admin/deployments/"+url.PathEscape(args[0]), nil, cancelTimeout)
			if err != nil {
				return err
			}
			return answer(a, format, body, deploymentSteps)
		},
	}
	format.addTo(c)
	return c
}

// cancelTimeout is a little above the time that an undoing may take.
const cancelTimeout = time.Minute

// deploymentSteps shows how a deployment went.
func deploymentSteps(w io.Writer, s promotion.Saga) {
	for _, t := range s.Steps {
		if line := stepLine(t); line != "" {
			fmt.Fprintln(w, line)
		}
	}
	fmt.Fprintln(w, deploymentEnd(s))
}

// deploymentEnd is the last line: how it ended, and why.
func deploymentEnd(s promotion.Saga) string {
	text := fmt.Sprintf("%s: %s version %d", s.State, s.Model, s.Version)
	if s.State == promotion.Done {
		return text + " is current"
	}
	return text + ": " + oneLine(s.Reason)
}

// stepLine is a step that has ended; "" for one that has not.
func stepLine(t promotion.Step) string {
	mark, known := map[promotion.StepState]string{promotion.StepDone: "✓", promotion.StepFailed: "✗", promotion.StepSkipped: "–"}[t.State]
	if !known || t.StartedAt == nil {
		return ""
	}
	took := ""
	if t.EndedAt != nil && t.State != promotion.StepSkipped {
		took = shortTime(t.EndedAt.Sub(*t.StartedAt))
	}
	return strings.TrimRight(fmt.Sprintf("%s %-8s %7s  %s", mark, t.Name, took, oneLine(t.Detail)), " ")
}

// liveLine is the last line of a terminal: how the step in progress is going.
type liveLine struct {
	w        io.Writer
	on, used bool
}

// maxLiveLine keeps it from wrapping, which could not be taken back.
const maxLiveLine = 79

func (l *liveLine) show(t promotion.Step) {
	if !l.on || t.StartedAt == nil {
		return
	}
	text := []rune(strings.TrimRight(fmt.Sprintf("… %-8s %7s  %s", t.Name, "", oneLine(t.Detail)), " "))
	fmt.Fprint(l.w, "\r\x1b[K"+string(text[:min(len(text), maxLiveLine)]))
	l.used = true
}

func (l *liveLine) clear() {
	if l.used {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.used = false
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// watchDeployment shows the steps as they end, until the last, and on a terminal
// how the one in progress is going.
func (a *app) watchDeployment(ctx context.Context, client *adminClient, begun []byte, format outputFormat) error {
	first, err := decodeSaga(begun)
	if err != nil {
		return err
	}
	if format == formatTable {
		fmt.Fprintf(a.stdout, "deployment %s of %s version %d\n", first.ID, first.Model, first.Version)
	}
	shown, live := 0, liveLine{w: a.stdout, on: format == formatTable && isTerminal(a.stdout)}
	last, err := client.follow(ctx, first, func(s promotion.Saga) {
		for ; format == formatTable && shown < len(s.Steps); shown++ {
			t := s.Steps[shown]
			if line := stepLine(t); line != "" {
				live.clear()
				fmt.Fprintln(a.stdout, line)
			} else if t.State != promotion.StepSkipped {
				live.show(t)
				return // it and those after it come later
			}
		}
	})
	live.clear()
	if err != nil {
		return err
	}
	if format == formatJSON {
		if err := a.answerJSON(last.raw); err != nil {
			return err
		}
	}
	if last.saga.State != promotion.Done {
		return errors.New(deploymentEnd(last.saga))
	}
	if format == formatTable {
		fmt.Fprintln(a.stdout, deploymentEnd(last.saga))
	}
	return nil
}
