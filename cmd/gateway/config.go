package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/config"
)

func newConfigCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:     "config",
		Short:   "Write, document and show the configuration",
		Long:    "Write a configuration file with every default, its reference, or the values in force.",
		Example: "  gateway config init --output gateway.yaml\n  gateway config show --config gateway.yaml",
	}, newConfigInitCommand(a), newConfigDocsCommand(a), newConfigShowCommand(a))
}

func newConfigInitCommand(a *app) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration file with every default",
		Long: "Write a configuration file that says all and changes nothing: every key with its default,\n" +
			"its meaning and its limits. An existing file is not overwritten.",
		Example: "  gateway config init --output gateway.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.write(output, config.WriteDefault)
		},
	}
	outputFlag(c, &output)
	return c
}

func newConfigDocsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "docs",
		Short:   "Write the reference of every configuration file as Markdown",
		Long:    "Write docs/configuration.md, made from the code: the main file, the experiments, the features and the model files.",
		Example: "  gateway config docs > docs/configuration.md",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.write("", config.WriteMarkdown) },
	}
}

func newConfigShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the configuration in force and where each value comes from",
		Long: "Show what `gateway serve` would use with the same flags, file and environment, as YAML, each key\n" +
			"with where its value comes from. Secrets show as ***. What a running gateway uses is at /admin/config.",
		Example: "  gateway config show --config gateway.yaml --set log.level=debug",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, sources, err := a.load()
			if err != nil {
				return err
			}
			return config.Dump(a.stdout, c, sources)
		},
	}
}

func outputFlag(c *cobra.Command, output *string) {
	c.Flags().StringVar(output, "output", "", "`file` to write, which must not exist (default standard output)")
}

// write gives a text to a new file, or to standard output when name is empty.
func (a *app) write(name string, to func(io.Writer) error) error {
	if name == "" {
		return to(a.stdout)
	}
	var b bytes.Buffer
	if err := to(&b); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; remove it, or name another file by --output", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}
