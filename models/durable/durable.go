// Package durable writes small files that outlast a crash, of the process or of
// the machine.
package durable

import (
	"errors"
	"os"
)

// Replace gives a file other content so that a crash leaves the old or the new
// one. What it writes to first lies beside the file under a name made of
// temporary (as for os.CreateTemp), and may be left there by a crash.
func Replace(name, temporary string, data []byte) error {
	s, err := stage(name, temporary, data, false)
	if err != nil {
		return err
	}
	defer s.Abort()
	return s.Commit()
}

// SyncDir makes renames in a directory outlast a crash of the machine.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
