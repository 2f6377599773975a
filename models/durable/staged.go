package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Staged is the next content of a file: written and outlasting a crash, beside the
// file, and not yet in its place.
type Staged struct{ name, temporary string }

// Stage writes what Commit puts into the place of a file. What it writes to lies
// beside the file under a name made of temporary (as for os.CreateTemp), and may be
// left there by a crash. A file that is there keeps its mode, and its owner where we
// may set it.
func Stage(name, temporary string, data []byte) (*Staged, error) {
	return stage(name, temporary, data, true)
}

func stage(name, temporary string, data []byte, keep bool) (*Staged, error) {
	f, err := os.CreateTemp(filepath.Dir(name), temporary)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	if err == nil && keep {
		err = keepMode(name, f)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return &Staged{name, f.Name()}, nil
}

// Commit puts the content into the file's place so that a crash leaves the old or
// the new one. An error of the rename changes nothing; Abort is still due then.
func (s *Staged) Commit() error {
	if err := os.Rename(s.temporary, s.name); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(s.name))
}

// Abort removes what was written, unless Commit has put it into its place.
func (s *Staged) Abort() { os.Remove(s.temporary) }
