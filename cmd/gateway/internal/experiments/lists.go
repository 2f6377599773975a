package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

// maxListBytes bounds the list files of an experiments file, all together.
const maxListBytes = 64 << 20

// listFiles reads the list files that experiments files name, and keeps what it read:
// a file that did not change is not read again, and a list that did not change is not
// compiled again.
type listFiles struct {
	known map[string]*listFile // by path
}

// listFile is a list file as it was read.
type listFile struct {
	info os.FileInfo
	// settled says that the file was old enough when it was read for a later change
	// to show in its time.
	settled bool
	bytes   int
	sum     [sha256.Size]byte
	list    *abtest.List
	err     error // listProblems, or why it could not be read
}

// clockStep is more than the steps in which file systems count time.
const clockStep = 2 * time.Second

// readLists are list files as they were read together, by the names of the lists.
type readLists struct {
	files map[string]*listFile
	// state is equal where all contents are, or the reasons why there are none.
	state string
}

// read reads list files by their paths in a directory, anew where force says so. The
// errors are in the files.
func (l *listFiles) read(dir string, paths map[string]string, force bool) readLists {
	out := readLists{files: map[string]*listFile{}}
	if len(paths) == 0 {
		return out
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		defer root.Close()
	}
	all := sha256.New()
	left, values := maxListBytes, 0
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		f := &listFile{err: err}
		if err == nil && values <= abtest.MaxListValues {
			f = l.readOne(root, paths[name], left, force)
		} else if err == nil {
			f.err = fmt.Errorf("was not read: those before have more than %d values", abtest.MaxListValues)
		}
		left -= f.bytes
		if f.list != nil {
			values += f.list.Len()
		}
		out.files[name] = f
		f.addTo(all, name)
	}
	out.state = hex.EncodeToString(all.Sum(nil))
	return out
}

func (f *listFile) addTo(h hash.Hash, name string) {
	if f.err != nil {
		fmt.Fprintf(h, "%q %q\n", name, f.err.Error())
	} else {
		fmt.Fprintf(h, "%q %x\n", name, f.sum)
	}
}

// readOne reads a file of at most left bytes, unless it is known.
func (l *listFiles) readOne(root *os.Root, path string, left int, force bool) *listFile {
	if !filepath.IsLocal(path) {
		return &listFile{err: fmt.Errorf("%q is not below the directory of the experiments file: give a path that is relative to it", path)}
	}
	// A pipe must not be waited for.
	file, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	var failed *os.PathError
	if errors.As(err, &failed) {
		return &listFile{err: fmt.Errorf("%s cannot be opened: %w", path, failed.Err)}
	}
	if err != nil {
		return &listFile{err: err}
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return &listFile{err: err}
	}
	if !info.Mode().IsRegular() {
		return &listFile{err: fmt.Errorf("%s is not a regular file (%s)", path, info.Mode())}
	}
	path = filepath.Join(root.Name(), path)
	if k := l.known[path]; k != nil && !force && k.bytes <= left && k.same(info) {
		return k
	}
	now := time.Now()
	var text []byte
	if info.Size() <= int64(left) {
		// It may grow meanwhile.
		text, err = io.ReadAll(io.LimitReader(file, int64(left)+1))
	}
	if err == nil && max(int64(len(text)), info.Size()) > int64(left) {
		err = fmt.Errorf("the list files are over the limit of %d MiB in all", maxListBytes>>20)
	}
	if err != nil {
		return &listFile{err: err}
	}
	f := &listFile{info: info, settled: now.Sub(info.ModTime()) > clockStep, bytes: len(text), sum: sha256.Sum256(text)}
	f.list, f.err = l.compiled(f.sum, text)
	if l.known == nil {
		l.known = map[string]*listFile{}
	}
	l.known[path] = f
	return f
}

// same says that a file is certainly as it was read.
func (f *listFile) same(info os.FileInfo) bool {
	return f.settled && os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime())
}

// compiled is the list of a text, which another file or an earlier one may have had.
func (l *listFiles) compiled(sum [sha256.Size]byte, text []byte) (*abtest.List, error) {
	for _, k := range l.known {
		if k.sum == sum {
			return k.list, k.err
		}
	}
	values, err := parseList(text)
	if err != nil {
		return nil, err
	}
	return abtest.NewList(values)
}

// contents are the lists that were read.
func (r readLists) contents() map[string]*abtest.List {
	lists := map[string]*abtest.List{}
	for name, f := range r.files {
		lists[name] = f.list
	}
	return lists
}

// revision is what a revision says of the lists.
func (r readLists) revision() map[string]RevisionList {
	if len(r.files) == 0 {
		return nil
	}
	lists := map[string]RevisionList{}
	for name, f := range r.files {
		lists[name] = RevisionList{f.list.Len(), f.list.Digest()}
	}
	return lists
}

// keep forgets all but these files.
func (l *listFiles) keep(files map[string]*listFile) {
	used := map[*listFile]bool{}
	for _, f := range files {
		used[f] = true
	}
	maps.DeleteFunc(l.known, func(_ string, f *listFile) bool { return !used[f] })
}

// behindLinks is the experiments file behind symbolic links, whose directory has its
// list files: those of a ConfigMap or a checkout, which is replaced as a whole, are then
// of one version. A file that is not there is its own name.
func behindLinks(file string) string {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		return target
	}
	return file
}

// directory is where the list files of an experiments file stand; of standard input it
// is the present one.
func directory(file string) string { return filepath.Dir(behindLinks(file)) }

// listProblems says what is wrong with the list files, in their lines or in that of
// the experiments file which names them.
func (s *source) listProblems(file string, read readLists) error {
	var located strictyaml.Problems
	for _, name := range slices.Sorted(maps.Keys(read.files)) {
		f, path := read.files[name], listPath(name)
		var lines listProblems
		switch {
		case f.err == nil:
		case errors.As(f.err, &lines):
			located = append(located, lines.in(filepath.Join(filepath.Dir(file), s.config.ListFiles[name]), path)...)
		default:
			located = append(located, s.doc.At(path, f.err.Error()))
		}
	}
	return located.Err()
}
