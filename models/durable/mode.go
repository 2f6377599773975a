package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// keepMode gives f the mode of the file of that name, and its owner where we may
// set it. A file that is not there has none to keep.
func keepMode(name string, f *os.File) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		// Only root may give files away; then the file is ours from now on.
		_ = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	return f.Chmod(info.Mode().Perm())
}
