package jsonl

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"hotpath/models/durable"
)

// tidy removes the oldest files, and has whole ones compressed. What it cannot do
// now it does when the next file is begun.
func (s *Sink) tidy() {
	files, err := list(s.o.Dir)
	if err != nil || len(files) == 0 {
		return
	}
	whole := files[:len(files)-1]
	// One that another gateway writes to stays, however old it is, and counts.
	excess := len(files) - s.o.Keep
	whole = slices.DeleteFunc(whole, func(f file) bool {
		if excess <= 0 || held(f.path) {
			return false
		}
		excess--
		os.Remove(f.path)
		return true
	})
	if !s.o.Compress {
		return
	}
	select {
	case s.work <- struct{}{}:
	default:
		return // the last one is still at work
	}
	s.compressing.Go(func() {
		defer func() { <-s.work }()
		for _, f := range whole {
			if !f.compressed && !held(f.path) {
				_ = compress(f.path) // tried again with the next file
			}
		}
	})
}

// partial marks a file that is being compressed.
const partial = ".part"

// compress replaces a whole file by a smaller one. A crash leaves either, or both.
func compress(name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	temporary := strings.TrimSuffix(name, suffix) + partial
	out, err := os.Create(temporary)
	if err != nil {
		return err
	}
	err = copyCompressed(out, in)
	err = errors.Join(err, out.Close())
	if err == nil {
		err = os.Rename(temporary, name+compressed)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(name))
	}
	if err != nil {
		os.Remove(temporary)
		return err
	}
	err = os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		// tidy has removed it meanwhile, as one too many: the other one is as well.
		return os.Remove(name + compressed)
	}
	return err
}

func copyCompressed(out *os.File, in io.Reader) error {
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, in); err != nil {
		return err
	}
	return errors.Join(z.Close(), out.Sync())
}
