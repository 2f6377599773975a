package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func newExperimentsPauseCommand(a *app) *cobra.Command {
	return a.holdCommand("pause", 1, &cobra.Command{
		Use:   "pause NAME",
		Short: "Pause an experiment at once, whatever its file says",
		Long: "Pause an experiment at once: its units get the fallback variant, or the model as if there were no experiment.\n" +
			"The file stays as it is, and so do the units: `gateway experiments resume` goes on with the same ones. The hold\n" +
			"outlasts edits and, with experiments.data_dir, restarts.",
		Example: "  gateway experiments pause risk-gbm -m errors",
	})
}

func newExperimentsResumeCommand(a *app) *cobra.Command {
	return a.holdCommand("resume", 1, &cobra.Command{
		Use:   "resume NAME",
		Short: "End the holds on an experiment",
		Long: "End every hold on an experiment, those of `pause` and `rollback` and those of guardrails that tripped. Then the\n" +
			"file alone says what serves.",
		Example: "  gateway experiments resume risk-gbm -m fixed",
	})
}

func newExperimentsRollbackCommand(a *app) *cobra.Command {
	return a.holdCommand("rollback", 2, &cobra.Command{
		Use:   "rollback NAME VARIANT",
		Short: "Give a variant's units to the control at once",
		Long: "Hold a variant back: its units get the control from now on, and nobody else moves. The file stays as it is, and\n" +
			"`gateway experiments resume` undoes it. The hold outlasts edits and, with experiments.data_dir,\n" +
			"restarts.",
		Example: "  gateway experiments rollback risk-gbm treatment -m complaints",
	})
}

// holdCommand completes a command that takes n of NAME and VARIANT.
func (a *app) holdCommand(verb string, n int, c *cobra.Command) *cobra.Command {
	var f editFlags
	c.Args = takes(n, n)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.adminClient()
		if err != nil {
			return err
		}
		e := editCall{method: http.MethodPost, path: experimentsPath + "/" + url.PathEscape(args[0]) + "/" + verb, actor: a.actor(f.actor)}
		if n == 2 {
			e.query = url.Values{"variant": {args[1]}}
		}
		body, _, err := client.exchange(cmd.Context(), e.because(f.message))
		if err != nil {
			return err
		}
		return answer(a, f.format, body, experimentsTable)
	}
	f.addWho(c)
	f.format.addTo(c)
	return c
}
