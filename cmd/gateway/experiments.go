package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/admin"
)

func newExperimentsCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:     "experiments",
		Short:   "List and reload the experiments of a running gateway, and ask who gets what",
		Long:    "Look into the experiments that a running gateway serves, through its admin port.",
		Example: "  gateway experiments list\n  gateway experiments assign --model risk --user user-1",
	}, newExperimentsListCommand(a), newExperimentsAssignCommand(a), newExperimentsReloadCommand(a))
}

func newExperimentsListCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the experiments that serve",
		Long:    "List the experiments that serve with their variants, and why the file does not serve if it does not.",
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

func newExperimentsAssignCommand(a *app) *cobra.Command {
	var format outputFormat
	var model, user string
	var attributes []string
	c := &cobra.Command{
		Use:   "assign",
		Short: "Show which variant a user gets, and why",
		Long: "Show which variant a request of a user would get, and what each experiment about the model says of the user.\n" +
			"An attribute is part of the request's context; a value that reads as a number or as true or false is one,\n" +
			"unless it is in double quotes.",
		Example: "  gateway experiments assign --user user-1\n" +
			"  gateway experiments assign --model risk --user user-1 --attr country=de --attr age=18",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"user_id": {user}}
			if model != "" {
				q.Set("model", model)
			}
			for _, pair := range attributes {
				name, value, ok := strings.Cut(pair, "=")
				if !ok || name == "" {
					return wrongf("--attr %q is not name=value, as in --attr country=de", pair)
				}
				q.Set("attr."+name, value)
			}
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			body, err := client.get(cmd.Context(), "/admin/experiments/assign", q)
			if err != nil {
				return err
			}
			return answer(a, format, body, assignmentTable)
		},
	}
	format.addTo(c)
	c.Flags().StringVar(&user, "user", "", "user `id` (needed)")
	c.Flags().StringVar(&model, "model", "", "`model` asked for (default models.default)")
	c.Flags().StringArrayVar(&attributes, "attr", nil, "context attribute, as in `name=value`; may be repeated")
	if err := c.MarkFlagRequired("user"); err != nil {
		panic(err) // the flag is the line above
	}
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
	fmt.Fprintf(w, "digest %s", l.Digest)
	if l.File != "" {
		fmt.Fprintf(w, ", from %s", l.File)
	}
	fmt.Fprintln(w)
	if l.ReloadError != "" {
		fmt.Fprintf(w, "the file as it is now does not serve:\n%s\n", l.ReloadError)
	}
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

func assignmentTable(w io.Writer, s admin.Assignment) {
	fmt.Fprintf(w, "user\t%s\nmodel\t%s\n", s.UserID, s.Model)
	if s.Variant != "" {
		fmt.Fprintf(w, "experiment\t%s\nvariant\t%s\n", s.Experiment, s.Variant)
	}
	fmt.Fprintf(w, "reason\t%s\nserved by\t%s\n", s.Reason, servedBy(s.ServedModel, s.ServedVersion))
	if len(s.Shadows) > 0 {
		fmt.Fprintf(w, "shadows\t%s\n", strings.Join(s.Shadows, ", "))
	}
	for _, c := range s.Considered {
		fmt.Fprintf(w, "considered\t%s: %s", c.Experiment, c.Reason)
		if c.Variant != "" {
			fmt.Fprintf(w, " -> %s", c.Variant)
		}
		fmt.Fprintf(w, ", bucket %d\n", c.Bucket)
	}
}
