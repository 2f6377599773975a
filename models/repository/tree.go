package repository

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hotpath/models"
)

// The files of a version.
const (
	modelFile    = "model.onnx"
	configFile   = "config.yaml"
	goldenFile   = "golden.json"
	manifestFile = "manifest.json"
)

// The most entries of a directory that are looked at, and of Status.Ignored.
const (
	maxEntries = 10000
	maxIgnored = 100
)

// tree is what the directory looked like at one moment. It is made by one
// goroutine and not changed after.
type tree struct {
	at      time.Time
	models  map[string]map[int]stamp
	ignored []Ignored
	// err is set when the directory itself could not be read; unread are models
	// whose directory could not be. Nothing is concluded from their absence.
	err    error
	unread map[string]bool
	// configs are the models' own config.yaml files, and files what is in them.
	configs map[string]fileStamp
	files   map[string]modelSettings
	dirs    map[string]fileID // by path in the repository, to be watched
	// rewatched is set when directories are watched that were not before: what
	// happened in between was not notified.
	rewatched bool
	// reading counts the readings of the directory.
	reading uint64
}

type fileID struct{ dev, inode uint64 }

// stamp identifies a version's files without reading them.
type stamp struct {
	model, config, golden, manifest fileStamp
	// modelConfig is the model's own config.yaml.
	modelConfig fileStamp
}

type fileStamp struct {
	id    fileID
	size  int64
	mtime int64 // nanoseconds
	// problem is why the file cannot be read, "" when it can or is not there.
	problem string
}

func (f fileStamp) there() bool { return f != fileStamp{} }

func (s stamp) files() [5]fileStamp {
	return [5]fileStamp{s.model, s.config, s.golden, s.manifest, s.modelConfig}
}

// olderThan reports whether every file's own time is before t.
func (s stamp) olderThan(t time.Time) bool {
	for _, f := range s.files() {
		if f.there() && f.mtime >= t.UnixNano() {
			return false
		}
	}
	return true
}

// readTree looks at the whole directory, following links inside it.
func readTree(dir string, maxModels int) *tree {
	t := &tree{at: time.Now(), models: map[string]map[int]stamp{}, unread: map[string]bool{},
		configs: map[string]fileStamp{}, files: map[string]modelSettings{}, dirs: map[string]fileID{}}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.err = err
		return t
	}
	defer root.Close()
	names, err := t.subdirs(root, ".")
	if err != nil {
		t.err = err
		return t
	}
	for _, name := range names {
		switch err := CheckModelName(name); {
		case err != nil:
			t.ignore(name, err.Error())
		case len(t.models) >= maxModels:
			t.ignore(name, fmt.Sprintf("more than %d models", maxModels))
		default:
			t.readModel(root, name)
		}
	}
	return t
}

func (t *tree) readModel(root *os.Root, model string) {
	names, err := t.subdirs(root, model)
	if err != nil {
		t.unread[model] = true
		t.ignore(model, err.Error())
		return
	}
	versions := map[int]stamp{}
	for _, name := range names {
		n, err := ParseVersion(name)
		if err != nil {
			t.ignore(path.Join(model, name), err.Error())
			continue
		}
		t.watch(root, path.Join(model, name))
		versions[n] = stampOf(root, model, n)
	}
	t.models[model] = versions
	t.configs[model] = statFile(root, path.Join(model, configFile))
}

func (t *tree) ignore(name, reason string) {
	if len(t.ignored) < maxIgnored {
		t.ignored = append(t.ignored, Ignored{name, reason})
	}
}

func (t *tree) watch(root *os.Root, name string) {
	if info, err := root.Stat(name); err == nil {
		t.dirs[name] = idOf(info)
	}
}

// subdirs lists the directories in dir, sorted, versions by number; hidden and
// temporary names and plain files are left out.
func (t *tree) subdirs(root *os.Root, dir string) ([]string, error) {
	t.watch(root, dir)
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxEntries)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if temporary(name) || e.Type().IsRegular() {
			continue
		}
		info, err := root.Stat(path.Join(dir, name))
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			t.ignore(path.Join(dir, name), err.Error())
		case err == nil && info.IsDir():
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return names, nil
}

// stampOf looks at the files of one version.
func stampOf(root *os.Root, model string, version int) stamp {
	dir := path.Join(model, strconv.Itoa(version))
	return stamp{
		model:       statFile(root, path.Join(dir, modelFile)),
		config:      statFile(root, path.Join(dir, configFile)),
		golden:      statFile(root, path.Join(dir, goldenFile)),
		manifest:    statFile(root, path.Join(dir, manifestFile)),
		modelConfig: statFile(root, path.Join(model, configFile)),
	}
}

func statFile(root *os.Root, name string) fileStamp {
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fileStamp{}
	case err != nil:
		return fileStamp{problem: err.Error()}
	case !info.Mode().IsRegular():
		return fileStamp{problem: fmt.Sprintf("%s is not a regular file (%s)", name, info.Mode().Type())}
	}
	return fileStamp{id: idOf(info), size: info.Size(), mtime: info.ModTime().UnixNano()}
}

func idOf(info fs.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(st.Dev), st.Ino}
	}
	return fileID{}
}

func temporary(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") ||
		strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part")
}

// CheckModelName reports whether name can be a model: 1 to 128 letters, digits,
// dots, dashes and underscores, not starting with a dot, not temporary.
func CheckModelName(name string) error {
	ok := len(name) >= 1 && len(name) <= 128 && !temporary(name)
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-')
	}
	if !ok {
		return fmt.Errorf("%.140q is no model name: want 1 to 128 of a-z A-Z 0-9 _ . - not starting with a dot, not ending in .tmp or .part", name)
	}
	return nil
}

// MaxVersion is the highest version number.
const MaxVersion = models.MaxVersion

// ParseVersion reads the name of a version's folder.
func ParseVersion(name string) (int, error) {
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != name {
		return 0, fmt.Errorf("%.140q is no version: want an integer from 1 to %d without leading zeros", name, MaxVersion)
	}
	return int(n), nil
}
