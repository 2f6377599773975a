package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
	"github.com/valyala/fasthttp"
)

// settings are the flags.
type settings struct {
	listen, redis, model, library, name, key, fields string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("floor", flag.ContinueOnError)
	f.StringVar(&s.listen, "listen", "127.0.0.1:8090", "address to serve on")
	f.StringVar(&s.redis, "redis", "127.0.0.1:6379", "address of Redis")
	f.StringVar(&s.model, "model", "", "path of model.onnx")
	f.StringVar(&s.library, "lib", os.Getenv("ONNXRUNTIME_LIB"), "path of the ONNX Runtime library")
	f.StringVar(&s.name, "name", "mid", "name of the model in answers")
	f.StringVar(&s.key, "key", "features:user:", "prefix of a user's key in Redis")
	f.StringVar(&s.fields, "fields", "", "hash fields in the order of the model's input, separated by commas")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if s.model == "" || s.library == "" || s.fields == "" {
		return s, errors.New("-model, -lib and -fields are needed")
	}
	return s, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // the live heap is a few MB: the default collects all the time
	model, err := openModel(s.library, s.model)
	if err != nil {
		return err
	}
	fields := strings.Split(s.fields, ",")
	if len(fields) > model.width {
		return fmt.Errorf("%d fields for a model with %d inputs", len(fields), model.width)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{s.redis},
		DisableCache:      true,
		AlwaysPipelining:  true,
		ForceSingleClient: true,
		PipelineMultiplex: -1, // one connection: the deepest pipelines, the fewest system calls
	})
	if err != nil {
		return fmt.Errorf("redis %s: %w", s.redis, err)
	}
	defer client.Close()
	ln, err := net.Listen("tcp4", s.listen)
	if err != nil {
		return err
	}
	h := &handler{store: newStore(client, fields), model: model, name: s.name, key: s.key, fields: fields}
	server := &fasthttp.Server{Handler: h.serve, NoDefaultServerHeader: true, NoDefaultDate: true}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		// The bench kills its children; there is nothing here worth draining.
		return nil
	}
}
