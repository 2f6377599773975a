package jsonl

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock marks a file as one that this process writes to, until it is closed. Two
// gateways that were given the same directory then take a file each.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// held says whether somebody writes to the file.
func held(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return lock(f) == unix.EWOULDBLOCK
}
