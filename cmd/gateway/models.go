package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/models/repository"
)

func newModelsCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "models",
		Short: "List, load, unload, promote, roll back, label and deploy models of a running gateway",
		Long: "Manage the model versions of a running gateway through its admin port. A version is a folder\n" +
			"<models.dir>/<model>/<version>; a higher one is loaded and promoted by itself once it is there, unless\n" +
			"models.mode is explicit.",
		Example: "  gateway models list\n  gateway models promote risk 2",
	},
		newModelsListCommand(a),
		a.newModelCommand("load", "Load a version, or load it again",
			"Load a version now, whether its files have settled or were refused before, and wait until it is ready\n"+
				"or refused. Without a version: all that the model's version_policy names, those that were unloaded or\n"+
				"refused too; what is loaded and has not changed stays. A version above the current one is promoted.", versionOptional),
		a.newModelCommand("unload", "Take a version, or a whole model, out of service",
			"Take a version out of service until it is loaded or promoted again. Without a version: the whole model,\n"+
				"which is how to retire it for good. The current version is not taken out alone.", versionOptional),
		a.newModelCommand("promote", "Make a version the one that serves",
			"Make a version current, loading it if need be. It stays current until a version appears that is higher\n"+
				"than all that are there now.", versionNeeded),
		a.newModelCommand("rollback", "Make the previous version the one that serves",
			"Make the previous version current, at once: it is still loaded. It stays current like a promoted one.", versionNone),
		newModelsLabelCommand(a),
		newModelsUnlabelCommand(a),
		newModelsDeployCommand(a),
		newModelsDeploymentsCommand(a),
		newModelsCancelCommand(a),
	)
}

func newModelsListCommand(a *app) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:   "list [MODEL]",
		Short: "List models and versions",
		Long:  "List every version that is loaded or on disk, in what state it is, and why those that were refused were.",
		Example: "  gateway models list\n" +
			"  gateway models list risk -o json",
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			path := "/admin/models"
			if len(args) == 1 {
				body, err := client.get(cmd.Context(), modelPath(args[0]), nil)
				if err != nil {
					return err
				}
				return answer(a, format, body, modelTable)
			}
			body, err := client.get(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			return answer(a, format, body, repositoryTable)
		},
	}
	format.addTo(c)
	return c
}

// versionUse says what a command does with a version.
type versionUse uint8

const (
	versionNone versionUse = iota
	versionOptional
	versionNeeded
)

// loadingTimeout is the default of --timeout: a little above the time after
// which the admin port itself answers.
const loadingTimeout = 5 * time.Minute

func (a *app) newModelCommand(verb, short, long string, use versionUse) *cobra.Command {
	var format outputFormat
	var timeout time.Duration
	c := &cobra.Command{
		Use:     verb + " MODEL" + map[versionUse]string{versionOptional: " [VERSION]", versionNeeded: " VERSION"}[use],
		Short:   short,
		Long:    long,
		Example: "  gateway models " + verb + " risk" + map[versionUse]string{versionOptional: " 2", versionNeeded: " 2"}[use],
		Args:    modelArgs(use),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeModel(cmd.Context(), verb, args, timeout, format)
		},
	}
	format.addTo(c)
	c.Flags().DurationVar(&timeout, "timeout", loadingTimeout, "how long to wait; what is loading then goes on")
	return c
}

func modelArgs(use versionUse) cobra.PositionalArgs {
	least, most := 1, 2
	switch use {
	case versionNone:
		most = 1
	case versionNeeded:
		least = 2
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := takes(least, most)(cmd, args); err != nil {
			return err
		}
		if err := repository.CheckModelName(args[0]); err != nil {
			return err
		}
		if len(args) == 2 {
			_, err := repository.ParseVersion(args[1])
			return err
		}
		return nil
	}
}

func modelPath(model string) string { return "/admin/models/" + url.PathEscape(model) }

func (a *app) changeModel(ctx context.Context, verb string, args []string, timeout time.Duration, format outputFormat) error {
	client, err := a.adminClient()
	if err != nil {
		return err
	}
	q := url.Values{}
	if len(args) == 2 {
		q.Set("version", args[1])
	}
	body, err := client.post(ctx, modelPath(args[0])+"/"+verb, q, timeout)
	if err != nil {
		return err
	}
	return answer(a, format, body, modelTable)
}

func repositoryTable(w io.Writer, s repository.Status) {
	modelHeader(w)
	for _, m := range s.Models {
		modelRows(w, m)
	}
	modelNotes(w, s.Models...)
	if s.ScanError != "" {
		fmt.Fprintf(w, "the repository %s cannot be read: %s\n", s.Dir, s.ScanError)
	}
	for _, i := range s.Ignored {
		fmt.Fprintf(w, "ignored: %s: %s\n", i.Path, i.Reason)
	}
}

func modelTable(w io.Writer, m repository.ModelStatus) {
	modelHeader(w)
	modelRows(w, m)
	modelNotes(w, m)
}

func modelHeader(w io.Writer) {
	fmt.Fprintln(w, "MODEL\tVERSION\tSTATE\tROLE\tSIZE\tMEMORY\tLOAD\tNOTE")
}

func modelRows(w io.Writer, m repository.ModelStatus) {
	if len(m.Versions) == 0 {
		fmt.Fprintf(w, "%s\t-\tunloaded\t\t\t\t\t\n", m.Name)
	}
	for _, v := range m.Versions {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, v.Version, v.State, role(m, v), size(v.Size), memory(v), loadTime(v), note(v))
	}
}

func role(m repository.ModelStatus, v repository.VersionStatus) string {
	var all []string
	switch {
	case v.Current && m.Pin == v.Version:
		all = append(all, "current", "pinned")
	case v.Current:
		all = append(all, "current")
	case v.Previous:
		all = append(all, "previous")
	}
	for _, l := range m.Labels {
		if l.Version == v.Version {
			all = append(all, "label "+l.Label)
		}
	}
	return strings.Join(all, ", ")
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	case n >= 1<<10:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " B"
}

func memory(v repository.VersionStatus) string {
	if v.MemoryBytes == 0 {
		return ""
	}
	return size(v.MemoryBytes)
}

func loadTime(v repository.VersionStatus) string {
	if v.LoadedAt == nil {
		return ""
	}
	return strconv.FormatFloat(v.LoadMS, 'f', 0, 64) + " ms"
}

// note is on one line, whatever the reason holds.
func note(v repository.VersionStatus) string {
	var all []string
	if v.Reason != "" {
		all = append(all, string(v.Code)+": "+oneLine(v.Reason))
	}
	if v.MissingOnDisk {
		all = append(all, "missing on disk")
	}
	return strings.Join(all, "; ")
}
