package jsonl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"hotpath/abtest/exposure"
)

// Reading says what was found in files.
type Reading struct {
	Files int
	// Bytes on the disk that were read.
	Bytes int64
	// Exposures and Feedback were told of.
	Exposures, Feedback int
	// Unknown records are of a later release. Malformed lines are no records. Torn
	// files end within a line, as after a crash or while the gateway writes, or are
	// compressed and damaged: what comes before is read.
	Unknown, Malformed, Torn int
	// Truncated: older records were left out because of the limit.
	Truncated bool
}

// maxLine bounds a line; longer ones are malformed.
const maxLine = 1 << 20

// checkEvery is after how many lines the context is looked at.
const checkEvery = 1024

// ReadFiles tells a follower of the records in files and directories, in the order
// given; those of a directory from the oldest file to the newest. Of everything, it
// reads the newest limit bytes (0: all). Each exposure was the first of its window
// when it was recorded, and is so again.
func ReadFiles(ctx context.Context, paths []string, limit int64, to exposure.Follower) (Reading, error) {
	r := reader{to: to, decoder: exposure.NewDecoder(), lines: bufio.NewReaderSize(nil, 256<<10)}
	files, err := find(paths)
	if err != nil {
		return r.Reading, err
	}
	files, skip := r.newest(files, limit)
	for i, f := range files {
		if i > 0 {
			skip = 0
		}
		if err := r.file(ctx, f, skip); err != nil {
			return r.Reading, err
		}
	}
	return r.Reading, nil
}

// find resolves directories.
func find(paths []string) ([]file, error) {
	var files []file
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, file{path: p, size: info.Size(), compressed: strings.HasSuffix(p, compressed)})
			continue
		}
		inside, err := list(p)
		if err != nil {
			return nil, err
		}
		files = append(files, inside...)
	}
	return files, nil
}

type reader struct {
	Reading
	to      exposure.Follower
	decoder *exposure.Decoder
	lines   *bufio.Reader
	long    []byte // a line that is longer than the buffer
}

// newest is the last files within the limit, and how much of the first to leave
// out. Of a compressed one that does not fit, everything is left out.
func (r *reader) newest(files []file, limit int64) (kept []file, skip int64) {
	if limit <= 0 {
		return files, 0
	}
	for i := len(files) - 1; i >= 0; i-- {
		f := files[i]
		if f.size <= limit {
			limit -= f.size
			continue
		}
		r.Truncated = true
		if limit == 0 || f.compressed {
			return files[i+1:], 0
		}
		return files[i:], f.size - limit
	}
	return files, 0
}

// file reads one file but its first skip bytes.
func (r *reader) file(ctx context.Context, f file, skip int64) error {
	in, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) && !f.begun.IsZero() {
		// Compressed or removed by the gateway since the directory was read.
		if in, err = os.Open(f.path + compressed); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		f.compressed, skip = true, 0
	}
	if err != nil {
		return err
	}
	defer in.Close()
	counted := &counter{from: in, bytes: &r.Bytes}
	r.Files++
	if !f.compressed {
		if skip > 0 {
			// One byte earlier: then a whole line is not taken for half of one.
			if _, err := in.Seek(skip-1, io.SeekStart); err != nil {
				return err
			}
		}
		return r.all(ctx, f, counted, skip > 0)
	}
	z, err := gzip.NewReader(counted)
	if err == nil {
		defer z.Close()
		return r.all(ctx, f, z, false)
	}
	if damaged(err) {
		r.Torn++
		return nil
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

// all reads lines to the end. Within says that it begins within one.
func (r *reader) all(ctx context.Context, f file, in io.Reader, within bool) error {
	r.lines.Reset(in)
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, whole, err := r.next()
		switch {
		case err == nil && within:
			within = false
		case err == nil && whole:
			r.line(line)
		case err == nil:
			r.Malformed++
		case damaged(err):
			if len(line) > 0 || err != io.EOF {
				r.Torn++
			}
			return nil
		default:
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
}

// damaged says of an error that the file ends there, or makes no sense from there on.
func damaged(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) ||
		errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}

// next is the next line; whole says that it is not longer than maxLine.
func (r *reader) next() (line []byte, whole bool, err error) {
	line, err = r.lines.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, true, err
	}
	r.long, whole = append(r.long[:0], line...), true
	for err == bufio.ErrBufferFull {
		line, err = r.lines.ReadSlice('\n')
		if whole = whole && len(r.long)+len(line) <= maxLine; whole {
			r.long = append(r.long, line...)
		}
	}
	return r.long, whole, err
}

func (r *reader) line(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	e, f, err := r.decoder.Decode(line)
	switch {
	case e != nil:
		r.Exposures++
		r.to.Exposed(e, true)
	case f != nil:
		r.Feedback++
		r.to.Reported(f)
	case errors.Is(err, exposure.ErrUnknown):
		r.Unknown++
	default:
		r.Malformed++
	}
}

// counter counts what is read.
type counter struct {
	from  io.Reader
	bytes *int64
}

// Read implements io.Reader.
func (c *counter) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	*c.bytes += int64(n)
	return n, err
}
