package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The deadlines of child processes.
const (
	startDeadline = 30 * time.Second
	stopDeadline  = 5 * time.Second
)

// child is a process that the suite started. Its output goes to a file.
type child struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the process has ended; err is set before
	err  error
}

// start runs a program. With pin, it may use that core only; -1 is any.
func start(name, dir string, pin int, path string, args ...string) (*child, error) {
	argv := append([]string{path}, args...)
	if pin >= 0 {
		argv = append([]string{"taskset", "-c", fmt.Sprint(pin)}, argv...)
	}
	file, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer file.Close() // the child has its own descriptor
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = append(os.Environ(), "ORT_DISABLE_TELEMETRY=1")
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, log: file.Name(), done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the process: SIGTERM, then SIGKILL after a deadline.
func (c *child) stop() {
	select {
	case <-c.done:
		return
	default:
	}
	// A process that ended in between makes both signals fail, which is fine.
	_ = c.cmd.Process.Signal(os.Interrupt)
	select {
	case <-c.done:
	case <-time.After(stopDeadline):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// tail is the end of the process's output, for error messages.
func (c *child) tail() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	b = bytes.TrimSpace(b[max(0, len(b)-2000):])
	return string(b)
}

// ready polls ok until it is nil, the process ends, or the deadline passes.
func (c *child) ready(ctx context.Context, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	for {
		err := ok(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return fmt.Errorf("%s ended before it was ready (%v): %s", c.name, c.err, c.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready after %v: %w: %s", c.name, startDeadline, err, c.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// adminClient keeps no connections, so that none lives on beside the load.
func adminClient() *http.Client {
	return &http.Client{Timeout: stopDeadline, Transport: &http.Transport{DisableKeepAlives: true}}
}

// answers200 is a readiness check by HTTP.
func answers200(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := adminClient().Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, res.Status)
		}
		return nil
	}
}

// freeAddr is a loopback address that nothing listens on. Another process could
// take it before the child does; the child then fails to start and says so.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := ln.Addr().String()
	return addr, ln.Close()
}

// firstExisting is the first of the paths that is a file.
func firstExisting(paths ...string) (string, error) {
	for _, p := range paths {
		if p == "" {
			continue
		}
		if i, err := os.Stat(p); err == nil && !i.IsDir() {
			return filepath.Abs(p)
		}
	}
	return "", fmt.Errorf("none of %s exists: %w", strings.Join(paths, ", "), errors.ErrUnsupported)
}
