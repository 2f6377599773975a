package promotion

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"hotpath/models/durable"
)

// The files of a version that can be sent.
const (
	ModelFile  = "model.onnx"
	ConfigFile = "config.yaml"
	GoldenFile = "golden.json"
)

const (
	manifestFile = "manifest.json"
	// stagingDir is in the repository, so that a folder moves into its place by one
	// rename, and hidden, so that the repository does not look at it.
	stagingDir = ".staging"
	// markFile in a version's folder names the deployment that made it.
	markFile = ".deployment"
)

// Files are what is sent to be deployed, one file after the other.
type Files interface {
	// Next gives the next file's name, one of those above, and its content; io.EOF
	// after the last.
	Next() (name string, content io.Reader, err error)
}

// staged is what became of the files.
type staged struct {
	size int64 // of model.onnx
	sum  map[string]string
}

// newID makes the name of a deployment.
func newID() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails
	return "d-" + hex.EncodeToString(b)
}

// isID says that a text has the form of an ID, so that it can be part of a path.
func isID(s string) bool {
	rest, ok := strings.CutPrefix(s, "d-")
	_, err := hex.DecodeString(rest)
	return ok && err == nil && len(rest) == 16
}

// folders are the places of a repository that a deployment uses.
type folders struct{ repository string }

// staged is laid out like the repository itself, so that the version in it is read
// as it will be in its place.
func (f folders) staged(id string) string { return filepath.Join(f.repository, stagingDir, id) }
func (f folders) arriving(r *record) string {
	return filepath.Join(f.staged(r.ID), r.Model, strconv.Itoa(r.Version))
}
func (f folders) gone(id string) string { return filepath.Join(f.repository, stagingDir, id+".gone") }
func (f folders) model(model string) string {
	return filepath.Join(f.repository, model)
}
func (f folders) version(model string, n int) string {
	return filepath.Join(f.repository, model, strconv.Itoa(n))
}

// receive writes the files into a folder, or with an empty name nowhere: then
// they are only hashed.
func (m *Manager) receive(ctx context.Context, dir string, files Files) (staged, error) {
	s := staged{sum: map[string]string{}}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return s, fail(CodeStorage, "models.dir cannot be written: %w", err)
		}
	}
	for {
		name, content, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return s, uploadError(err)
		}
		limit, known := m.o.Limits[name]
		if _, twice := s.sum[name]; !known || twice {
			return s, fail(CodeBadRequest, "%.80q is not one of %s, %s and %s, each at most once", name, ModelFile, ConfigFile, GoldenFile)
		}
		size, sum, err := receiveFile(ctx, dir, name, content, limit)
		if err != nil {
			return s, err
		}
		if s.sum[name] = sum; name == ModelFile {
			s.size = size
		}
	}
	if s.sum[ModelFile] == "" {
		return s, fail(CodeBadRequest, "there is no %s among the files", ModelFile)
	}
	return s, nil
}

func uploadError(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return fail(CodeUpload, "the upload did not arrive whole: %w", err)
}

// receiveFile copies one file and makes it last.
func receiveFile(ctx context.Context, dir, name string, content io.Reader, limit int64) (size int64, sum string, err error) {
	hash := sha256.New()
	var to io.Writer = hash
	var f *os.File
	if dir != "" {
		if f, err = os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
			return 0, "", fail(CodeStorage, "models.dir cannot be written: %w", err)
		}
		defer f.Close()
		to = io.MultiWriter(hash, storage{f})
	}
	size, err = io.Copy(to, &cancellable{ctx, io.LimitReader(content, limit+1)})
	switch {
	case err != nil:
		return 0, "", uploadError(err)
	case size > limit:
		return 0, "", fail(CodeTooLarge, "%s is larger than the %d bytes that are allowed", name, limit)
	case size == 0:
		return 0, "", fail(CodeBadRequest, "%s is empty", name)
	}
	if f != nil {
		if err := f.Sync(); err != nil {
			return 0, "", fail(CodeStorage, "%w", err)
		}
	}
	return size, hex.EncodeToString(hash.Sum(nil)), nil
}

// storage tells errors of the disk from those of the upload.
type storage struct{ f *os.File }

func (s storage) Write(b []byte) (int, error) {
	n, err := s.f.Write(b)
	if err != nil {
		return n, fail(CodeStorage, "models.dir cannot be written: %w", err)
	}
	return n, nil
}

// cancellable stops reading at the end of its context.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(b []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// seal adds what identifies the folder: a manifest, which the repository checks
// before it loads, and the mark of the deployment.
func (f folders) seal(r *record, s staged) error {
	dir := f.arriving(r)
	type file struct {
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	}
	list := map[string]file{}
	for name, sum := range s.sum {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		list[name] = file{info.Size(), sum}
	}
	data, err := json.MarshalIndent(map[string]any{"files": list}, "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{manifestFile: append(data, '\n'), markFile: []byte(r.ID + "\n")} {
		if err := writeSynced(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	config, err := f.modelConfig(r.Model)
	if err != nil {
		return err
	}
	if config != nil {
		if err := writeSynced(filepath.Join(filepath.Dir(dir), ConfigFile), config); err != nil {
			return err
		}
	}
	return durable.SyncDir(dir)
}

// modelConfig reads the model's own config.yaml, following links inside the
// repository alone; nil when there is none.
func (f folders) modelConfig(model string) ([]byte, error) {
	root, err := os.OpenRoot(f.repository)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.Join(model, ConfigFile)
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxModelConfig:
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", name, maxModelConfig)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxModelConfig))
}

// maxModelConfig is the largest config.yaml that the repository reads.
const maxModelConfig = 1 << 20

func writeSynced(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// place moves a staged folder to where the repository looks, by one rename.
func (f folders) place(r *record) error {
	to := f.version(r.Model, r.Version)
	if err := os.MkdirAll(f.model(r.Model), 0o755); err != nil {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has appeared meanwhile; choose another version", to)
	}
	if err := os.Rename(f.arriving(r), to); err != nil {
		return err
	}
	return errors.Join(durable.SyncDir(f.model(r.Model)), durable.SyncDir(f.repository), f.clear(r.ID, r.Model, false))
}

// made says that a version's folder has the mark of a deployment.
func (f folders) made(id, model string, n int) bool {
	data, err := os.ReadFile(filepath.Join(f.version(model, n), markFile))
	return err == nil && string(bytes.TrimSpace(data)) == id
}

// takeAway moves a version's folder out of the repository's sight, if the
// deployment made it. It can be put back until it is cleared.
func (f folders) takeAway(id, model string, n int) (removed bool, err error) {
	if !f.made(id, model, n) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(f.gone(id)), 0o755); err != nil {
		return false, err
	}
	// Not synced: it is in the way of a rollback, and a restart would repeat it.
	err = os.Rename(f.version(model, n), f.gone(id))
	return err == nil, err
}

func (f folders) putBack(id, model string, n int) error {
	return os.Rename(f.gone(id), f.version(model, n))
}

// clear removes what is hidden of a deployment, and the model's folder if it made
// that and nothing is in it.
func (f folders) clear(id, model string, madeModel bool) error {
	err := errors.Join(os.RemoveAll(f.staged(id)), os.RemoveAll(f.gone(id)))
	if madeModel {
		os.Remove(f.model(model)) // fails when it is not empty, as it should
	}
	os.Remove(filepath.Dir(f.staged(id))) // likewise: it may be another deployment's
	return err
}
