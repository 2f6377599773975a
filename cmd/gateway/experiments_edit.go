package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/spf13/cobra"

	"hotpath/models/strictyaml"
)

func newExperimentsEditCommand(a *app) *cobra.Command {
	var f editFlags
	c := &cobra.Command{
		Use:   "edit",
		Short: "Edit the experiments that serve",
		Long: "Open the experiments that serve in an editor, $VISUAL or else $EDITOR or else vi, and then go on as `gateway\n" +
			"experiments apply` does. A text that is refused, or that somebody else's edit came before, is kept in a file,\n" +
			"whose name is printed.",
		Example: "  gateway experiments edit -m TICKET-412\n  gateway experiments edit --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			return a.editServed(cmd.Context(), client, &f)
		},
	}
	f.addTo(c)
	return c
}

func (a *app) editServed(ctx context.Context, client *adminClient, f *editFlags) error {
	text, etag, err := client.experimentsFile(ctx)
	if err != nil {
		return err
	}
	f.match = cmp.Or(f.match, etag)
	path, err := temporaryFile(text)
	if err != nil {
		return err
	}
	edited, err := a.openEditor(ctx, path)
	if err == nil && bytes.Equal(edited, text) {
		_, err = fmt.Fprintln(a.shown(f.format), "the text is as it was; nothing was changed")
		return errors.Join(err, os.Remove(path))
	}
	if err == nil {
		err = a.put(ctx, client, experimentsText{path, edited}, f)
	}
	if err != nil {
		return fmt.Errorf("%w\nthe text is kept: gateway experiments apply %s --if-match '%s'", renamed(err, path), path, f.match)
	}
	return os.Remove(path)
}

// temporaryFile holds a text that only the caller may read.
func temporaryFile(text []byte) (path string, err error) {
	f, err := os.CreateTemp("", "experiments-*.yaml")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return f.Name(), errors.Join(err, f.Close())
}

// openEditor lets the user edit a file and gives what is in it then.
func (a *app) openEditor(ctx context.Context, path string) ([]byte, error) {
	editor := cmp.Or(a.getenv("VISUAL"), a.getenv("EDITOR"), "vi")
	// The variable may hold arguments and quotes: it is the shell's to read.
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", path)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = a.environ, a.stdin, a.stdout, a.stderr
	// An interrupt is for the editor: it must not end this process and lose the text.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the editor %q failed: %w", editor, err)
	}
	return strictyaml.ReadFile(path)
}
