package httpapi

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// acceptPause is between two attempts to take a connection for which the system
// has no room.
const acceptPause = 50 * time.Millisecond

// patientListener waits while the system has no room for another connection, where
// fasthttp would stop serving for good: connections that wait are taken once there
// is room again.
type patientListener struct {
	net.Listener
	log *slog.Logger
}

// Accept gives the next connection.
func (l patientListener) Accept() (net.Conn, error) {
	for told := false; ; time.Sleep(acceptPause) {
		c, err := l.Listener.Accept()
		if err == nil || !noRoom(err) {
			return c, err
		}
		if !told {
			told = true
			l.log.Warn("connections wait: the system has no room for them; let the process open more files (ulimit -n) or set server.max_connections below that", "error", err.Error())
		}
	}
}

// noRoom says whether accepting failed for want of descriptors or memory, or for a
// connection that ended before it was taken.
func noRoom(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
