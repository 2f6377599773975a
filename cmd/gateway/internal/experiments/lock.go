package experiments

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockEvery is how often a lock that another process has is tried again.
const lockEvery = 5 * time.Millisecond

// lockedDir runs f while no other process works in a directory, which is made if need
// be.
func lockedDir(dir string, f func() error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	unlock, err := lockFile(ctx, filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	return f()
}

// lockFile takes the advisory lock of a file, which is made if need be, and waits
// for it until ctx ends. The file stays: removing it would let two hold the lock.
func lockFile(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: name, Err: err}
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, waited(ctx, "another process let go of "+name)
		case <-time.After(lockEvery):
		}
	}
}
