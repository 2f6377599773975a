package repository

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"hotpath/models"
	"hotpath/models/onnxscan"
)

// The largest config.yaml and manifest.json.
const maxSmallFile = 1 << 20

// load is one attempt to load a version. The owner fills the first part, one
// goroutine the second; it travels back to the owner by Repository.results.
type load struct {
	model   string
	version int
	// settled is set when the files are known not to change any more: what does
	// not fit together then is wrong and not unfinished.
	settled bool
	// gentle is set while others serve: the load then leaves them the processor.
	gentle bool
	// served is the digest of what serves and refused the raw one of what was
	// refused last; files with one of them are not loaded again.
	served, refused string
	deadline        time.Time // set when it starts
	abandoned       bool      // the owner has given up on it

	stamp stamp
	// raw is the digest of the files, digest that of what they make the version
	// be: a comment in a config.yaml changes only the first.
	raw, digest string
	loaded      *Loaded // nil when nothing new was loaded
	// err is nil, errUnsettled, errRefusedBefore, errGone or a reason for refusal.
	err error
}

var (
	errUnsettled     = errors.New("files are still being written")
	errGone          = errors.New("is not there")
	errRefusedBefore = errors.New("the same files were refused before")
)

// run does the load. It is called in a goroutine of its own.
func (j *load) run(ctx context.Context, r *Repository) {
	ctx, cancel := context.WithTimeout(ctx, r.o.LoadTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			j.loaded, j.err = nil, fmt.Errorf("panic while loading: %v", p)
			r.o.Log.Error("panic while loading a model", "model", j.model, "version", j.version,
				"panic", p, "stack", string(debug.Stack()))
		}
	}()
	c, err := j.read(r)
	if err != nil || c == nil {
		j.err = err
		return
	}
	if r.o.Trial != nil {
		if err := r.o.Trial(ctx, c.Data); err != nil {
			j.err = fmt.Errorf("trial load: %w", err)
			return
		}
	}
	start := time.Now()
	size := int64(len(c.Data))
	served, err := r.loader.Load(ctx, *c)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not loaded within %v: %w", r.o.LoadTimeout, err)
	}
	if err != nil {
		j.err = err
		return
	}
	var memory int64
	if s, ok := served.(Sized); ok {
		memory = s.MemoryBytes()
	}
	j.loaded = &Loaded{Version: j.version, Served: served, Config: c.Config, SHA256: c.SHA256, Size: size, Memory: memory,
		LoadedAt: time.Now(), LoadTime: time.Since(start), ConfigFiles: c.ConfigFiles, digest: j.digest, raw: j.raw}
}

// read makes a candidate of the files, or gives nil when they are those that
// serve. It reads each file once, and none of them if they change meanwhile.
func (j *load) read(r *Repository) (*Candidate, error) {
	root, err := os.OpenRoot(r.o.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir := path.Join(j.model, strconv.Itoa(j.version))
	if _, err := root.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %w", filepath.Join(r.o.Dir, dir), errGone)
	}
	j.stamp = stampOf(root, j.model, j.version)
	for _, f := range j.stamp.files() {
		if f.problem != "" {
			return nil, errors.New(f.problem)
		}
	}
	if !j.stamp.model.there() {
		return nil, fmt.Errorf("%s %w", filepath.Join(r.o.Dir, dir, modelFile), errGone)
	}
	f, err := j.readFiles(root, dir, r.o.Scan.MaxBytes)
	if stampOf(root, j.model, j.version) != j.stamp {
		return nil, errUnsettled
	}
	if err != nil {
		return nil, err
	}
	j.raw = digest(f.modelSum, sha256.Sum256(f.modelConfig), sha256.Sum256(f.config), sha256.Sum256(f.golden))
	if j.raw == j.refused {
		return nil, errRefusedBefore
	}
	c := &Candidate{Model: j.model, Version: j.version, Data: f.model, SHA256: hex.EncodeToString(f.modelSum[:]), dir: r.o.Dir,
		layers: f.layersOf(r.o.Dir, j.model, strconv.Itoa(j.version))}
	if err := c.inherit(r.o.Defaults); err != nil {
		return nil, err
	}
	config, err := c.served()
	if err != nil {
		return nil, err
	}
	if j.digest = digest(f.modelSum, sha256.Sum256(config), sha256.Sum256(f.golden)); j.digest == j.served {
		return nil, nil
	}
	return c, c.parse(f, r.o.Scan)
}

// files are the contents of one version's files; nil for one that is not there.
type files struct {
	model, modelConfig, config, golden []byte
	modelSum                           [sha256.Size]byte
}

func (j *load) readFiles(root *os.Root, dir string, maxModel int64) (f files, err error) {
	var list manifest
	if j.stamp.manifest.there() {
		data, err := readFile(root, path.Join(dir, manifestFile), maxSmallFile)
		if err != nil {
			return f, err
		}
		if list, err = readManifest(data); err != nil {
			return f, err
		}
		// Cheap first: a copy in progress is not read again and again.
		if want, ok := list.Files[modelFile]; ok && want.Size != j.stamp.model.size {
			return f, j.mismatch("%s has %d bytes, manifest.json says %d", modelFile, j.stamp.model.size, want.Size)
		}
	}
	if f.model, f.modelSum, err = readModel(root, path.Join(dir, modelFile), maxModel, j.gentle); err != nil {
		return f, err
	}
	for _, more := range []struct {
		stamp fileStamp
		name  string
		limit int64
		data  *[]byte
	}{
		{j.stamp.modelConfig, path.Join(j.model, configFile), maxSmallFile, &f.modelConfig},
		{j.stamp.config, path.Join(dir, configFile), maxSmallFile, &f.config},
		{j.stamp.golden, path.Join(dir, goldenFile), models.MaxGoldenBytes, &f.golden},
	} {
		if !more.stamp.there() {
			continue
		}
		if *more.data, err = readFile(root, more.name, more.limit); err != nil {
			return f, err
		}
	}
	return f, j.verify(f, list)
}

// mismatch is a difference from the manifest: a copy in progress, or an error.
func (j *load) mismatch(format string, args ...any) error {
	if !j.settled {
		return errUnsettled
	}
	return fmt.Errorf(format+"; the copy is not complete or the manifest is of another version", args...)
}

// verify compares the files with the manifest. The model's own config.yaml is
// in no version's manifest.
func (j *load) verify(f files, list manifest) error {
	have := map[string][]byte{modelFile: f.model, configFile: f.config, goldenFile: f.golden}
	for name, want := range list.Files {
		data := have[name]
		sum := f.modelSum
		if name != modelFile {
			sum = sha256.Sum256(data)
		}
		switch {
		case data == nil:
			return j.mismatch("%s is in manifest.json but not there", name)
		case int64(len(data)) != want.Size:
			return j.mismatch("%s has %d bytes, manifest.json says %d", name, len(data), want.Size)
		case hex.EncodeToString(sum[:]) != want.SHA256:
			return j.mismatch("%s has SHA-256 %x, manifest.json says %s", name, sum, want.SHA256)
		}
	}
	return nil
}

// digest is the SHA-256 of the sums of several files.
func digest(sums ...[sha256.Size]byte) string {
	all := sha256.New()
	for _, sum := range sums {
		all.Write(sum[:])
	}
	return hex.EncodeToString(all.Sum(nil))
}

// parse reads the golden rows and the structure of the graph.
func (c *Candidate) parse(f files, limits onnxscan.Limits) error {
	if f.golden != nil {
		g, err := models.ReadGolden(bytes.NewReader(f.golden))
		if err != nil {
			return err
		}
		c.Golden = g
	}
	scan, err := onnxscan.Scan(f.model, limits)
	if err != nil {
		return err
	}
	c.Scan = scan
	return scan.CheckOutputs(c.Config.Outputs...)
}

// manifest is a version's manifest.json.
type manifest struct {
	Files map[string]struct {
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	} `json:"files"`
}

func readManifest(data []byte) (m manifest, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestFile, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return m, fmt.Errorf("%s: something follows the object", manifestFile)
	}
	for name := range m.Files {
		if name != modelFile && name != configFile && name != goldenFile {
			return m, fmt.Errorf("%s: files has %q; want only %s, %s and %s", manifestFile, name, modelFile, configFile, goldenFile)
		}
	}
	return m, nil
}
