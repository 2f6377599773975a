package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// editFlags are those of the commands that change what serves.
type editFlags struct {
	message, actor, match string
	yes, dryRun           bool
	format                outputFormat
}

func (f *editFlags) addTo(c *cobra.Command) {
	f.addWho(c)
	flags := c.Flags()
	flags.StringVar(&f.match, "if-match", "", "`etag` that has to serve still, as `gateway experiments get` shows it (default what serves now)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do it without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	f.format.addTo(c)
}

// addWho adds what the history keeps of an edit.
func (f *editFlags) addWho(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.message, "message", "m", "", "`text` for the history: why")
	flags.StringVar(&f.actor, "as", "", "`name` for the history (default $USER and the machine)")
}

func newExperimentsApplyCommand(a *app) *cobra.Command {
	var f editFlags
	c := &cobra.Command{
		Use:   "apply FILE",
		Short: "Make a file's experiments serve",
		Long: "Put a file in the place of the experiments that serve. First it is shown what differs, what that does to units\n" +
			"in running experiments, and who of the recent traffic moves; then, on a terminal, it is asked. The gateway takes\n" +
			"the file whole or not at all, and lists every problem of one that it refuses.\n\n" +
			"If somebody else changes the experiments meanwhile nothing is done. To make sure of that since an earlier\n" +
			"`gateway experiments get`, give its ETag by --if-match. FILE - is standard input.",
		Example: "  gateway experiments apply experiments.yaml -m TICKET-412\n" +
			"  gateway experiments apply experiments.yaml --dry-run\n" +
			"  gateway experiments apply experiments.yaml --yes -o json",
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.readExperiments(args[0])
			if err != nil {
				return err
			}
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			return renamed(a.put(cmd.Context(), client, text, &f), text.name)
		},
	}
	f.addTo(c)
	return c
}

// put makes a text serve, after it was shown and confirmed.
func (a *app) put(ctx context.Context, client *adminClient, text experimentsText, f *editFlags) error {
	do := editCall{method: http.MethodPut, path: experimentsPath, kind: text.kind(), body: text.data}
	return a.propose(ctx, client, do, f)
}

// propose tries an edit, shows what it changes, asks, and does it. The ETag of
// what was shown guards what is done.
func (a *app) propose(ctx context.Context, client *adminClient, do editCall, f *editFlags) error {
	do.actor, do.match = a.actor(f.actor), f.match
	if do.match == "" {
		var err error
		if _, do.match, err = client.experimentsFile(ctx); err != nil {
			return err
		}
	}
	body, _, err := client.exchange(ctx, do.dryRun())
	if err != nil {
		return err
	}
	if f.dryRun {
		return answer(a, f.format, body, changeText)
	}
	var tried change
	if err := decodeAnswer(body, &tried); err != nil {
		return err
	}
	changeText(a.shown(f.format), tried)
	if err := a.confirm("Make this serve?", f.yes); err != nil {
		return err
	}
	if body, _, err = client.exchange(ctx, do.because(f.message)); err != nil {
		return err
	}
	return answer(a, f.format, body, servesText)
}

// shown is where an edit is shown before it is made: JSON on standard output is
// the answer alone.
func (a *app) shown(f outputFormat) io.Writer {
	if f == formatJSON {
		return a.stderr
	}
	return a.stdout
}

func servesText(w io.Writer, c change) {
	if c.Revision == 0 {
		fmt.Fprintf(w, "it serves already, ETag %s\n", c.ETag)
	} else {
		fmt.Fprintf(w, "revision %d serves, ETag %s\n", c.Revision, c.ETag)
	}
	if c.Warning != "" {
		fmt.Fprintf(w, "warning: %s\n", c.Warning)
	}
}

// errDeclined is what confirm gives for any answer but yes.
var errDeclined = errors.New("nothing was changed")

// confirm asks on the terminal, unless yes was given in advance.
func (a *app) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if f, ok := a.stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return wrongf("there is no terminal to ask on; add --yes to make the change, or --dry-run to look only")
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// actor is who edits: what the flag says, else the user and machine.
func (a *app) actor(flag string) string {
	if flag != "" {
		return flag
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return cmp.Or(a.getenv("USER"), a.getenv("LOGNAME"), "unknown") + "@" + host
}

// decodeAnswer reads an answer of the admin port.
func decodeAnswer(body []byte, dst any) error {
	if err := json.Unmarshal(body, dst); err != nil {
		return fmt.Errorf("the answer is not one of this gateway's version: %w", err)
	}
	return nil
}
