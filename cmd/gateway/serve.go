package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"hotpath/cmd/gateway/internal/config"
)

// serveFlags are the settings that have a flag of their own.
type serveFlags struct {
	listen, grpc, redis, models string
	demo                        bool
}

const serveExample = `  gateway serve --demo                           # demo models, embedded feature store
  gateway serve --demo --redis 127.0.0.1:6379    # the same with a real Redis
  gateway serve --config gateway.yaml
  gateway serve --models ./models --listen :8080`

// newServeCommand is what runs the gateway.
func newServeCommand(a *app) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway: predictions on one port, the same models by gRPC on another, and
metrics, health and model management on a third.

Settings come from flags, then from HOTPATH_ environment variables, then from the
file given by --config, then from the defaults ("gateway config init" writes them
all down).

SIGTERM or SIGINT stops it with nothing accepted lost: it turns not ready, serves
on for server.lame_duck, then refuses new requests and finishes those in progress.
A second signal stops it at once. SIGHUP reads the experiments file and the model
repository again.

Exit status: 0 stopped cleanly, 1 failed, 2 could not start (bad configuration, no
ONNX Runtime library, port taken), 3 work in progress had to be abandoned.`,
		Example: serveExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(cmd.Context(), f)
		},
	}
	c.Flags().BoolVar(&f.demo, "demo", false, "serve the demo models with an embedded feature store, from "+demoDir)
	c.Flags().StringVar(&f.listen, "listen", "", "host:port of predictions (server.listen)")
	c.Flags().StringVar(&f.grpc, "grpc", "", "host:port of the Open Inference Protocol over gRPC, or off (server.grpc_listen)")
	c.Flags().StringVar(&f.redis, "redis", "", "host:port of the Redis that holds the features (features.redis.addresses), comma-separated")
	c.Flags().StringVar(&f.models, "models", "", "directory of the model repository (models.dir)")
	return c
}

// overrides are the flags as settings.
func (f serveFlags) overrides() []config.Override {
	var out []config.Override
	add := func(path, value, flag string) {
		if value != "" {
			out = append(out, config.Override{Path: path, Value: value, Flag: flag})
		}
	}
	add("server.listen", f.listen, "--listen")
	add("server.grpc_listen", f.grpc, "--grpc")
	add("models.dir", f.models, "--models")
	if f.redis != "" {
		add("features.redis.addresses", f.redis, "--redis")
		add("features.embedded", "false", "--redis")
	}
	return out
}

// settings loads the configuration. What --demo decides yields to everything
// that was said anywhere else.
func (a *app) settings(f serveFlags) (*config.Config, config.Sources, error) {
	overrides := f.overrides()
	c, sources, err := a.load(overrides...)
	if err != nil || !f.demo {
		return c, sources, err
	}
	for path, value := range demoSettings(demoDir) {
		if sources.Of(path).Kind == config.FromDefault {
			overrides = append(overrides, config.Override{Path: path, Value: value, Flag: "--demo"})
		}
	}
	return a.load(overrides...)
}

// serve runs the gateway until a signal. Errors before it serves are usage
// errors: nothing has been lost yet.
func (a *app) serve(ctx context.Context, f serveFlags) error {
	if f.demo {
		if err := layOutDemo(demoDir); err != nil {
			return wrongError{err}
		}
	}
	c, sources, err := a.settings(f)
	if err != nil {
		return err
	}
	var seed io.Reader
	if c.Features.Embedded {
		file, err := openSeed(f.demo)
		if err != nil {
			return wrongError{err}
		}
		defer file.Close()
		seed = file
	}
	g, err := openGateway(ctx, c, sources, openOptions{logOutput: a.stderr, featuresSeed: seed})
	if err != nil {
		return wrongError{err}
	}
	ctx, reload, release := a.signals(ctx)
	defer release()
	return g.run(ctx, reload, func() {
		if f.demo {
			a.welcome(g)
		}
	})
}

// openSeed is what fills an embedded store.
func openSeed(isDemo bool) (io.ReadCloser, error) {
	if !isDemo {
		return io.NopCloser(strings.NewReader("entity,id\n")), nil
	}
	return os.Open(filepath.Join(demoDir, "features.csv"))
}

// signals gives a context that ends with the first SIGTERM or SIGINT, and a
// channel on which SIGHUPs arrive, any number of them as one. The second signal
// ends the process at once.
func (a *app) signals(parent context.Context) (ctx context.Context, reload <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(parent)
	stop, hup := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	signal.Notify(hup, syscall.SIGHUP)
	again, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				if ctx.Err() != nil {
					fmt.Fprintln(a.stderr, "second signal: stopping at once")
					os.Exit(exitAbandoned)
				}
				cancel()
			case <-hup:
				select {
				case again <- struct{}{}:
				default:
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, again, func() {
		signal.Stop(stop)
		signal.Stop(hup)
		close(done)
		cancel()
	}
}

// exitAbandoned is the exit status of a stop that lost something.
const exitAbandoned = 3

// welcome says what to try first. The curl line works as it stands.
func (a *app) welcome(g *gateway) {
	store := "Redis at " + strings.Join(g.config.Features.Redis.Addresses, ", ") +
		"; fill it with: " + os.Args[0] + " features load " + filepath.Join(demoDir, "features.csv") +
		" --schema " + filepath.Join(demoDir, "features.yaml") + " --redis " + g.config.Features.Redis.Addresses[0]
	if g.embedded != nil {
		store = "embedded in this process for the demo (Redis protocol at " + g.embedded.Addr() + "), user-1 to user-500; lost at exit"
	}
	fmt.Fprintf(a.stdout, `
Hotpath is serving its demo.

  predictions   http://%[1]s/predict
  gRPC          %[8]s (Open Inference Protocol, for Triton's and KServe's clients)
  operations    http://%[2]s/admin/status   http://%[2]s/metrics
  features      %[3]s
  models        %[4]s
  experiments   %[5]s (edit it and watch the split follow)

Try it:

  curl -s http://%[1]s/predict -d '{"user_id":"user-42"}'
  curl -s 'http://%[1]s/predict?explain=true' -d '{"user_id":"user-42","features":{"mean_radius":20}}'

Tell what came of it, and compare the variants:

  curl -s http://%[1]s/feedback -d '{"user_id":"user-42","outcome":"purchase"}'
  %[7]s experiments report

Swap a model without losing a request:

  cp -r %[6]s/candidates/risk/3 %[4]s/risk/3
  %[7]s models list
  %[7]s models rollback risk

`, shownAddr(g.listener.Addr().String()), shownAddr(g.adminLn.Addr().String()), store, g.config.Models.Dir, g.config.Experiments.File, demoDir, a.client(g), shownAddr(g.grpc.address()))
}

// client is how to call this binary about this gateway.
func (a *app) client(g *gateway) string {
	self := os.Args[0]
	if addr := shownAddr(g.adminLn.Addr().String()); addr != config.Default().Server.AdminListen {
		self += " --admin " + addr
	}
	return self
}

// shownAddr makes an address that listens everywhere one that can be called.
func shownAddr(addr string) string {
	for _, any := range []string{"[::]:", "0.0.0.0:"} {
		if rest, ok := strings.CutPrefix(addr, any); ok {
			return "127.0.0.1:" + rest
		}
	}
	return addr
}
