package httpapi

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// crowded fails to accept as the errors say, one after the other.
type crowded struct {
	net.Listener
	errs []error
}

func (c *crowded) Accept() (net.Conn, error) {
	err := c.errs[0]
	c.errs = c.errs[1:]
	return nil, err
}

func TestNoRoomForConnections(t *testing.T) {
	full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	inner := &crowded{errs: []error{full, full, &net.OpError{Op: "accept", Err: syscall.ECONNABORTED}, net.ErrClosed}}
	var log bytes.Buffer
	_, err := patientListener{inner, slog.New(slog.NewTextHandler(&log, nil))}.Accept()
	if !errors.Is(err, net.ErrClosed) || len(inner.errs) != 0 {
		t.Errorf("Accept: %v with %d attempts left, want the error that waiting does not heal", err, len(inner.errs))
	}
	if n := strings.Count(log.String(), "ulimit"); n != 1 {
		t.Errorf("%d log lines, want 1:\n%s", n, log.String())
	}
}
