package jsonl

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	prefix     = "exposures-"
	suffix     = ".jsonl"
	compressed = ".gz"
	// nameTime has a fixed width, so that names sort as their times do.
	nameTime = "20060102T150405.000000000Z"
)

// fileName is the name of a file that is begun now.
func fileName(now time.Time) string { return prefix + now.UTC().Format(nameTime) + suffix }

// file is one of a directory.
type file struct {
	path       string
	begun      time.Time
	size       int64 // on the disk
	compressed bool
}

// list is the files of a directory, the oldest first. Others are not ours.
func list(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, e := range entries {
		name, gz := strings.CutSuffix(e.Name(), compressed)
		stem, ok := strings.CutSuffix(name, suffix)
		stem, begins := strings.CutPrefix(stem, prefix)
		begun, err := time.Parse(nameTime, stem)
		if !ok || !begins || err != nil || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed since
		}
		files = append(files, file{filepath.Join(dir, e.Name()), begun, info.Size(), gz})
	}
	slices.SortFunc(files, func(a, b file) int { return a.begun.Compare(b.begun) })
	// A crash between writing the compressed file and removing the other leaves both.
	return slices.CompactFunc(files, func(a, b file) bool { return a.begun.Equal(b.begun) }), nil
}

// tornReach is how much of a file's end is looked at for half a line.
const tornReach = 1 << 20

// cutTorn removes what follows the last whole line, and says how long the file is
// then.
func cutTorn(f *os.File) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return 0, err
	}
	end := make([]byte, min(size, tornReach))
	if _, err := f.ReadAt(end, size-int64(len(end))); err != nil {
		return 0, err
	}
	last := bytes.LastIndexByte(end, '\n')
	if last < 0 && size > tornReach {
		return 0, errors.New("the file has no lines")
	}
	whole := size - int64(len(end)) + int64(last+1)
	if whole < size {
		err = f.Truncate(whole)
	}
	return whole, err
}
