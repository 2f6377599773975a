package repository

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// readFile reads a regular file whole, once, and nothing else: a pipe in its
// place is not waited for.
func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	f, size, err := openFile(root, name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte more than the size shows a file that grows while it is read.
	data := make([]byte, size+1)
	n, err := io.ReadFull(f, data)
	switch {
	case err == nil:
		return nil, errUnsettled
	case err != io.ErrUnexpectedEOF && err != io.EOF:
		return nil, err
	}
	return data[:n:n], nil
}

// A model is read and hashed in slices. Between them a gentle reading makes a
// pause: done at one go, 7 MiB keep a core busy for as long as it could answer
// hundreds of requests.
const (
	readSlice = 512 << 10
	readPause = time.Millisecond
)

// readModel is readFile with the file's SHA-256.
func readModel(root *os.Root, name string, limit int64, gentle bool) (data []byte, sum [sha256.Size]byte, err error) {
	f, size, err := openFile(root, name, limit)
	if err != nil {
		return nil, sum, err
	}
	defer f.Close()
	data = make([]byte, size+1)
	hash := sha256.New()
	for n := 0; ; {
		slice := data[n:min(n+readSlice, len(data))]
		got, err := io.ReadFull(f, slice)
		n += got
		hash.Write(slice[:got])
		switch {
		case err == io.ErrUnexpectedEOF || err == io.EOF:
			hash.Sum(sum[:0])
			return data[:n:n], sum, nil
		case err != nil:
			return nil, sum, err
		case n == len(data):
			return nil, sum, errUnsettled
		}
		if gentle {
			time.Sleep(readPause)
		}
	}
}

// openFile opens a regular file within the limit.
func openFile(root *os.Root, name string, limit int64) (f *os.File, size int64, err error) {
	if f, err = root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file (%s)", name, info.Mode().Type())
	case info.Size() > limit:
		err = fmt.Errorf("%s has %d bytes, at most %d are allowed", name, info.Size(), limit)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
