package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"hotpath/cmd/gateway/internal/config"
	"hotpath/features"
)

func newFeaturesCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:     "features",
		Short:   "Fill the feature store",
		Long:    "Write features into the Redis that the gateway reads them from.",
		Example: "  gateway features load features.csv --redis 127.0.0.1:6379 --schema features.yaml",
	}, newFeaturesLoadCommand(a))
}

func newFeaturesLoadCommand(a *app) *cobra.Command {
	var redis, schema string
	c := &cobra.Command{
		Use:   "load FILE.csv",
		Short: "Write a CSV file's features into Redis",
		Long: "Write the rows of a CSV file into Redis, each as one hash. The header is entity,id,<feature>...; names and\n" +
			"types are those of the feature schema, and an empty cell is an absent value. FILE - is standard input.\n" +
			"It stops at the first invalid line, with the rows before it written; loading a file again is harmless.",
		Example: "  gateway features load features.csv --redis 127.0.0.1:6379 --schema features.yaml\n" +
			"  gateway features load features.csv --config gateway.yaml",
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var own []config.Override
			if redis != "" {
				own = append(own, config.Override{Path: "features.redis.addresses", Value: redis, Flag: "--redis"})
			}
			if schema != "" {
				own = append(own, config.Override{Path: "features.schema", Value: schema, Flag: "--schema"})
			}
			c, _, err := a.load(own...)
			if err != nil {
				return err
			}
			return a.loadFeatures(cmd, c, args[0])
		},
	}
	c.Flags().StringVar(&redis, "redis", "", "`host:port` of Redis (default features.redis.addresses)")
	c.Flags().StringVar(&schema, "schema", "", "features.yaml `file` (default features.schema)")
	return c
}

func (a *app) loadFeatures(cmd *cobra.Command, c *config.Config, name string) error {
	if c.Features.Schema == "" {
		return wrongf("no feature schema is configured; name one by --schema FILE or features.schema")
	}
	file, err := readSchema(c.Features.Schema)
	if err != nil {
		return wrongError{err}
	}
	// A pipe is a file too, but cannot be rewound: its Seek must not be tried.
	in := io.Reader(struct{ io.Reader }{a.stdin})
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	progress := newProgress(a.stderr)
	report, err := features.Load(cmd.Context(), storeOptions(c), file.schema, in, progress.update)
	err = errors.Join(err, progress.finish())
	if err != nil {
		if report.Rows > 0 {
			err = fmt.Errorf("%s: %w (%s written before)", name, err, count(report.Rows, "row"))
		} else {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return err
	}
	fmt.Fprintf(a.stdout, "loaded %s with %s into %v in %s", count(report.Rows, "row"), count(report.Values, "value"),
		c.Features.Redis.Addresses, report.Took.Round(time.Millisecond))
	for _, entity := range sortedNames(report.Entities) {
		fmt.Fprintf(a.stdout, "; %s: %d", entity, report.Entities[entity])
	}
	_, err = fmt.Fprintln(a.stdout)
	return err
}

// progress shows how far a load has come: a bar on a terminal, else a line now
// and then, so that a log is not filled with it.
type progress struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // made when the total is known
	next     int                      // rows at which the next line is due
}

// linesPerLoad is how many lines a load of known length gets, and rowsPerLine how
// often one of unknown length gets one.
const (
	linesPerLoad = 10
	rowsPerLine  = 100_000
)

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (p *progress) update(done, total int) {
	if !p.terminal {
		p.line(done, total)
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription("loading"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
			progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	// A terminal that cannot be written to is no reason to stop loading.
	_ = p.bar.Set(done)
}

func (p *progress) line(done, total int) {
	if done < p.next && done != total {
		return
	}
	if total < 0 {
		fmt.Fprintf(p.w, "loaded %d rows\n", done)
		p.next = done + rowsPerLine
		return
	}
	fmt.Fprintf(p.w, "loaded %d of %d rows\n", done, total)
	p.next = done + max(1, total/linesPerLoad)
}

func (p *progress) finish() error {
	if p.bar == nil {
		return nil
	}
	return p.bar.Finish()
}
