package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/inference"
)

// A model is code that somebody copied into a folder. The structure of its file
// is checked before ONNX Runtime sees it, but a file can still crash the C++
// that parses it, and Go cannot recover from that. So each new file is loaded
// once in a process of its own, this same binary run as `gateway trial-load`.

// trialCommand is the hidden command's name.
const trialCommand = "trial-load"

func newTrialCommand(a *app) *cobra.Command {
	var library string
	var size int64
	c := &cobra.Command{
		Use:   trialCommand,
		Short: "Load a model once, to see whether that can be done",
		Long: "Read an ONNX model from standard input, load it, and exit: with 0 when that could be done, else with 1 and\n" +
			"the reason on standard error. The gateway runs this before it loads a file itself (models.trial_process).",
		Example: "  gateway trial-load --library libonnxruntime.so.1 < model.onnx",
		Args:    cobra.NoArgs,
		Hidden:  true,
		RunE: func(*cobra.Command, []string) error {
			if err := lowerPriority(); err != nil {
				return fmt.Errorf("lowering the priority of the process: %w", err)
			}
			model, err := readAtOnce(a.stdin, size)
			if err != nil {
				return fmt.Errorf("reading the model: %w", err)
			}
			return trialLoad(model, library)
		},
	}
	c.Flags().StringVar(&library, "library", "", "`path` of the ONNX Runtime library (default as for serve)")
	c.Flags().Int64Var(&size, "size", 0, "`bytes` of the model, to read it at one go (default unknown)")
	return c
}

// readAtOnce reads a model of a known size into memory made once: growing with
// what comes would touch several times as much.
func readAtOnce(r io.Reader, size int64) ([]byte, error) {
	if size <= 0 {
		return io.ReadAll(r)
	}
	model := make([]byte, size)
	_, err := io.ReadFull(r, model)
	return model, err
}

func trialLoad(model []byte, library string) error {
	if err := limitTrial(int64(len(model))); err != nil {
		return fmt.Errorf("bounding the process: %w", err)
	}
	r, err := inference.Open(inference.Options{Library: library})
	if err != nil {
		return err
	}
	return errors.Join(r.Try(model), r.Close())
}

// trialProcess makes the trial that the repository asks for: exe is this binary,
// library the ONNX Runtime library that serves. It ends the process when the
// context ends. It is safe for concurrent use.
func trialProcess(exe, library string) func(ctx context.Context, data []byte) error {
	return func(ctx context.Context, data []byte) error {
		cmd := exec.CommandContext(ctx, exe, trialCommand, "--library", library, "--size", strconv.Itoa(len(data)))
		cmd.Stdin = bytes.NewReader(data)
		said := &tail{}
		cmd.Stdout, cmd.Stderr = said, said
		cmd.Env = trialEnv(os.Environ())
		cmd.WaitDelay = time.Second // for what the process may have started
		err := cmd.Run()
		if ctx.Err() != nil {
			return fmt.Errorf("the model was still loading when its time was over (models.load_timeout): %w", ctx.Err())
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return trialFailure(exit, said.String())
		}
		return err // nil, or the process could not be started
	}
}

// trialEnv keeps the gateway's settings, passwords among them, from the process.
func trialEnv(environ []string) []string {
	return slices.DeleteFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, "HOTPATH_") })
}

// trialFailure says how a trial ended. A crash in C++ is either the death by a
// signal, or Go's own report of one, after which it exits by itself.
func trialFailure(exit *exec.ExitError, said string) error {
	before, report, crashed := cutCrash(said)
	switch {
	case crashed:
		return crash(report, before)
	case !exit.Exited():
		return crash(exit.ProcessState.String(), said)
	case said == "":
		return fmt.Errorf("the trial process ended with %s and said nothing", exit.ProcessState)
	}
	return errors.New(strings.TrimPrefix(lastLines(said), "gateway: "))
}

// crash names the signal, and what the library wrote before.
func crash(signal, said string) error {
	message := "the model crashed ONNX Runtime (" + signal + ")"
	if lines := lastLines(said); lines != "" {
		message += ": " + lines
	}
	return errors.New(message)
}

// cutCrash finds Go's report of a signal, such as "SIGSEGV: segmentation
// violation", or of an error that ends the process, such as running out of memory.
func cutCrash(said string) (before, report string, found bool) {
	at := 0
	for line := range strings.Lines(said) {
		text := strings.TrimSpace(line)
		if strings.HasPrefix(text, "SIG") && strings.Contains(text, ": ") || strings.HasPrefix(text, "fatal error: ") {
			return said[:at], text, true
		}
		at += len(line)
	}
	return said, "", false
}

// reportedLines is how much of what a process said goes into a message.
const reportedLines = 5

func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-reportedLines):], "\n")
}

// tailBytes bounds what is kept of what a process says. Go's report of a crash
// has several kilobytes, and its first line is the one that counts.
const tailBytes = 64 << 10

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - tailBytes; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.b), "?") }
