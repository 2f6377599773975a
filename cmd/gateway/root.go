package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/config"
	"hotpath/models/strictyaml"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitWrong  = 2
)

// app is what the commands share: where they read and write, and the flags that
// all of them have.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // as in os.Environ

	configFile string
	adminAddr  string
	keyFile    string
	caFile     string
	set        []string
	// started is set once a command's own code runs: an error before that is
	// about the command line.
	started bool
}

// run is the whole program but for the process around it. args are those after
// the program's name. It returns the exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{environ: environ, stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRootCommand(a)
	root.SetArgs(append([]string{}, args...)) // nil would stand for those of the process
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return a.exit(cmd, err)
}

func newRootCommand(a *app) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "gateway",
		Short: "Hotpath, a low-latency inference gateway",
		Long: "Hotpath answers predictions: it assigns each request to an A/B variant, reads the\n" +
			"user's features from Redis, and scores them with ONNX Runtime in micro-batches.",
		Example: "  gateway serve --demo\n  gateway validate --config gateway.yaml",
		// Errors are printed by exit, in one form.
		SilenceErrors: true, SilenceUsage: true,
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "configuration `file` (default $"+config.EnvFile+", else none: every key has its default)")
	flags.StringVar(&a.adminAddr, "admin", "", "`host:port` of the admin port, with https:// where it has TLS (default $"+adminEnv+", else server.admin_listen)")
	flags.StringVar(&a.keyFile, "key-file", "", "`file` with the API key for the admin port (default $"+config.EnvKeyFile+", else $"+config.EnvKey+")")
	flags.StringVar(&a.caFile, "ca-file", "", "`file` with the authorities of the admin port's certificate (default $"+config.EnvCAFile+", else the system's)")
	flags.StringArrayVar(&a.set, "set", nil, "set a configuration key, as in `key=value`; may be repeated")
	root.AddCommand(
		newServeCommand(a), newValidateCommand(a), newConfigCommand(a), newStatusCommand(a), newModelsCommand(a),
		newExperimentsCommand(a), newFeaturesCommand(a), newKeysCommand(a), newBenchCommand(a), newVersionCommand(a), newTrialCommand(a),
	)
	a.notice(root)
	return root
}

// notice makes every command set started when its code begins.
func (a *app) notice(c *cobra.Command) {
	if code := c.RunE; code != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			return code(cmd, args)
		}
	}
	for _, sub := range c.Commands() {
		a.notice(sub)
	}
}

// group makes a command that only holds others: alone it shows its help, and a
// name that it does not hold is an error, which cobra would answer with help.
func group(c *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c.AddCommand(subs...)
	c.SuggestionsMinimumDistance = 2
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		message := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			message += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return errors.New(message)
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return c
}

// takes is the number of arguments of a command, whose Use names them.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if least <= len(args) && len(args) <= most {
			return nil
		}
		_, names, _ := strings.Cut(cmd.Use, " ")
		return fmt.Errorf("%s takes %s, not %s", strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), names, count(len(args), "argument"))
	}
}

// wrongError is an error of whoever called the program: its command line or its
// configuration.
type wrongError struct{ error }

func (e wrongError) Unwrap() error { return e.error }

func wrongf(format string, args ...any) error { return wrongError{fmt.Errorf(format, args...)} }

// exit prints an error and gives the exit code. Problems of files stand alone on
// their lines, so that an editor can jump to them.
func (a *app) exit(cmd *cobra.Command, err error) int {
	var wrong wrongError
	var problems strictyaml.Problems
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &problems):
		fmt.Fprintf(a.stderr, "%s\ngateway: %s\n", problems, count(len(problems), "problem"))
		return exitWrong
	case !a.started:
		fmt.Fprintf(a.stderr, "gateway: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
		return exitWrong
	case errors.Is(err, errAbandoned):
		fmt.Fprintf(a.stderr, "gateway: %v\n", err)
		return exitAbandoned
	case errors.As(err, &wrong):
		fmt.Fprintf(a.stderr, "gateway: %v\n", err)
		return exitWrong
	}
	fmt.Fprintf(a.stderr, "gateway: %v\n", err)
	return exitFailed
}

// file is the configuration file's name; empty for none.
func (a *app) file() string {
	if a.configFile != "" {
		return a.configFile
	}
	return a.getenv(config.EnvFile)
}

func (a *app) getenv(name string) string {
	for _, pair := range a.environ {
		if n, value, _ := strings.Cut(pair, "="); n == name {
			return value
		}
	}
	return ""
}

// overrides are the values of the flags --set and --admin, then extra, so that a
// command's own flags win.
func (a *app) overrides(extra ...config.Override) ([]config.Override, error) {
	var all []config.Override
	for _, s := range a.set {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, wrongf("--set %q is not key=value, as in --set log.level=debug", s)
		}
		all = append(all, config.Override{Path: key, Value: value})
	}
	if a.adminAddr != "" {
		_, addr := cutScheme(a.adminAddr)
		all = append(all, config.Override{Path: "server.admin_listen", Value: addr, Flag: "--admin"})
	}
	return append(all, extra...), nil
}

// load reads the configuration as the flags and the environment say. extra are
// the values of the command's own flags. An error makes the program exit with 2.
func (a *app) load(extra ...config.Override) (*config.Config, config.Sources, error) {
	overrides, err := a.overrides(extra...)
	if err != nil {
		return nil, nil, err
	}
	c, sources, err := config.Load(a.file(), a.environ, overrides...)
	if err != nil {
		return nil, nil, wrongError{err}
	}
	return c, sources, nil
}

// count is a number with its noun: 1 model, 2 models.
func count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ies"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
