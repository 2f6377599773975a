package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"hotpath/models"
	"hotpath/models/repository"
)

func newModelsLabelCommand(a *app) *cobra.Command {
	return a.labelCommand(http.MethodPut, 3, &cobra.Command{
		Use:   "label MODEL LABEL VERSION",
		Short: "Give a version a name, or move the name to it",
		Long: "Give a version a name that requests and experiments may use instead of its number, such as stable or\n" +
			"canary, or move the name from another version, loading the version if need be. It comes before a label\n" +
			"of the same name in the model's config.yaml.",
		Example: "  gateway models label risk stable 2",
	})
}

func newModelsUnlabelCommand(a *app) *cobra.Command {
	return a.labelCommand(http.MethodDelete, 2, &cobra.Command{
		Use:   "unlabel MODEL LABEL",
		Short: "Remove a name that was given to a version",
		Long: "Remove a label that `gateway models label` has set. If the model's config.yaml has one of the same name,\n" +
			"that holds again.",
		Example: "  gateway models unlabel risk canary",
	})
}

// labelCommand completes a command that takes n of MODEL, LABEL and VERSION.
func (a *app) labelCommand(method string, n int, c *cobra.Command) *cobra.Command {
	var format outputFormat
	var timeout time.Duration
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := takes(n, n)(cmd, args); err != nil {
			return err
		}
		if err := repository.CheckModelName(args[0]); err != nil {
			return err
		}
		if err := models.CheckLabel(args[1]); err != nil || n < 3 {
			return err
		}
		_, err := repository.ParseVersion(args[2])
		return err
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.adminClient()
		if err != nil {
			return err
		}
		q := url.Values{}
		if n == 3 {
			q.Set("version", args[2])
		}
		body, err := client.call(cmd.Context(), method, modelPath(args[0])+"/labels/"+url.PathEscape(args[1]), q, timeout)
		if err != nil {
			return err
		}
		return answer(a, format, body, modelTable)
	}
	format.addTo(c)
	c.Flags().DurationVar(&timeout, "timeout", loadingTimeout, "how long to wait; what is loading then goes on")
	return c
}

// modelNotes says what of a model's config.yaml does not hold.
func modelNotes(w io.Writer, all ...repository.ModelStatus) {
	for _, m := range all {
		for _, l := range m.Labels {
			if m.Current != 0 && l.Version != l.Wanted {
				fmt.Fprintf(w, "label %s of %s waits for version %d, which is not loaded\n", l.Label, m.Name, l.Wanted)
			}
		}
		if m.ConfigError != "" {
			fmt.Fprintf(w, "the config.yaml of %s is not in force: %s\n", m.Name, oneLine(m.ConfigError))
		}
	}
}
