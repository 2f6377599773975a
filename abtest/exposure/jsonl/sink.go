package jsonl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hotpath/models/durable"
)

// Options of a Sink. A zero number stands for its default.
type Options struct {
	// Dir is made when it is missing.
	Dir string
	// MaxBytes and MaxAge end a file, before the write that would exceed them: 64
	// MiB, and a day. One write is at most a mebibyte, which a file may be longer.
	MaxBytes int64
	MaxAge   time.Duration
	// Keep is how many files are kept, the one that grows included; 16.
	Keep int
	// Compress makes whole files smaller, in the background.
	Compress bool
}

// Sink writes records to files. It implements exposure.Sink: one goroutine at a
// time calls it.
type Sink struct {
	o     Options
	file  *os.File // nil: none is open
	size  int64    // of the file's whole lines
	begun time.Time

	compressing sync.WaitGroup
	work        chan struct{} // holds a token while a compressor runs
}

// Open checks the options. It touches no disk: what is wrong there shows, and
// heals, when something is written.
func Open(o Options) (*Sink, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	if o.MaxAge == 0 {
		o.MaxAge = 24 * time.Hour
	}
	if o.Keep == 0 {
		o.Keep = 16
	}
	var problems []error
	if o.Dir == "" {
		problems = append(problems, errors.New("exposures: Dir is empty: name the directory for the files"))
	}
	if o.MaxBytes < 0 {
		problems = append(problems, fmt.Errorf("exposures: MaxBytes is %d: must be positive", o.MaxBytes))
	}
	if o.MaxAge < 0 {
		problems = append(problems, fmt.Errorf("exposures: MaxAge is %s: must be positive", o.MaxAge))
	}
	if o.Keep < 1 {
		problems = append(problems, fmt.Errorf("exposures: Keep is %d: must be 1 or more: the file that grows counts", o.Keep))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Sink{o: o, work: make(chan struct{}, 1)}, nil
}

// Name implements exposure.Sink.
func (s *Sink) Name() string { return "jsonl" }

// Write implements exposure.Sink: it appends the lines to the file that grows.
// After an error the file is as it was, as far as the disk lets it.
func (s *Sink) Write(batch []byte) error {
	if err := s.ready(int64(len(batch))); err != nil {
		return err
	}
	_, err := s.file.Write(batch)
	if err == nil {
		s.size += int64(len(batch))
		return nil
	}
	// Half of a batch would be read twice once it has been written again.
	if s.file.Truncate(s.size) != nil {
		s.drop()
	}
	return err
}

// ready has a file open that has room for so many bytes more.
func (s *Sink) ready(more int64) error {
	if s.file != nil && !s.inPlace() {
		s.drop()
	}
	if s.file != nil && s.size > 0 && (s.size+more > s.o.MaxBytes || time.Since(s.begun) >= s.o.MaxAge) {
		if err := s.end(); err != nil {
			return err
		}
	}
	if s.file != nil {
		return nil
	}
	return s.begin(more)
}

// inPlace says whether the open file is still the one that its name stands for:
// somebody may have removed it, or the whole directory.
func (s *Sink) inPlace() bool {
	open, err := s.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(s.file.Name())
	return err == nil && os.SameFile(open, named)
}

// drop forgets a file that cannot be used any more.
func (s *Sink) drop() {
	s.file.Close()
	s.file = nil
}

// end makes the file whole.
func (s *Sink) end() error {
	// A file that cannot be synced is left behind: trying again would say nothing of
	// what the kernel gave up.
	err := errors.Join(s.file.Sync(), s.file.Close())
	s.file = nil
	return err
}

// begin opens the file that grew last, if it has room, or else a new one.
func (s *Sink) begin(more int64) error {
	if err := os.MkdirAll(s.o.Dir, 0o750); err != nil {
		return err
	}
	files, err := list(s.o.Dir)
	if err != nil {
		return err
	}
	now := time.Now()
	name := now
	if n := len(files); n > 0 {
		last := files[n-1]
		if s.resume(last, more) {
			return nil
		}
		if !now.After(last.begun) { // the clock was put back: keep the order
			name = last.begun.Add(1)
		}
	}
	f, err := os.OpenFile(filepath.Join(s.o.Dir, fileName(name)), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	// Where files cannot be locked, this one is not.
	_ = lock(f)
	s.file, s.size, s.begun = f, 0, now
	s.tidy()
	return durable.SyncDir(s.o.Dir)
}

// resume goes on with a file of an earlier process: so a gateway that is restarted
// often does not push its older files out by many short ones. Half a line that it
// left is cut off.
func (s *Sink) resume(last file, more int64) bool {
	if last.compressed || last.size+more > s.o.MaxBytes || time.Since(last.begun) >= s.o.MaxAge {
		return false
	}
	f, err := os.OpenFile(last.path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return false
	}
	if lock(f) != nil {
		f.Close() // another gateway's
		return false
	}
	size, err := cutTorn(f)
	if err != nil {
		f.Close()
		return false
	}
	s.file, s.size, s.begun = f, size, last.begun
	return true
}

// Close implements exposure.Sink: it makes the file whole, and waits for files that
// are being compressed.
func (s *Sink) Close() error {
	var err error
	if s.file != nil {
		err = s.end()
	}
	s.compressing.Wait()
	return err
}
