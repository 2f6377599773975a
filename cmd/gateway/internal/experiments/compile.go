package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

// ETag names the content of a file: half of its SHA-256.
func ETag(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// Compile reads an experiments file that is given, and the list files beside it. Its
// error holds every problem with its line.
func Compile(file string, data []byte) (*abtest.Plan, error) {
	s, err := new(reading).read(file, directory(file), data)
	if err != nil {
		return nil, err
	}
	return s.plan, nil
}

// source is the content of an experiments file.
type source struct {
	text   []byte
	etag   string
	doc    *strictyaml.Document
	config abtest.Config
	lists  readLists
	// plan is that of the file alone, without holds; nil when it is not valid.
	plan *abtest.Plan
}

// same says that the contents of the file and of its list files are equal.
func (s *source) same(o *source) bool { return s.etag == o.etag && s.lists.state == o.lists.state }

// reading keeps what makes the next reading faster.
type reading struct {
	yaml  strictyaml.Reader
	lists listFiles
	// pause, if set, is called after each small piece of the work.
	pause func()
}

// pausing has readings, and all that comes of them, call pause.
func (r *reading) pausing(pause func()) { r.pause, r.yaml.Pause = pause, pause }

// read makes a source of a file's content and of the list files in a directory. It is
// not valid with an error, and nil when not even its list files are known. A value that
// cannot be read does not hide what is wrong elsewhere.
func (r *reading) read(file, dir string, data []byte) (*source, error) {
	s := &source{text: data, etag: ETag(data)}
	// What is wrong with the structure is in the error of Decode, too.
	s.doc, _ = r.yaml.Parse(file, data)
	unread := s.doc.Decode(&s.config)
	if unread == nil && s.config.Experiments == nil {
		return nil, s.doc.At("experiments", "is missing: an empty file switches nothing off; write `experiments: []` for that")
	}
	s.lists = r.lists.read(dir, s.config.ListFiles, false)
	s.config = s.config.WithListFiles(s.lists.contents()).WithPauses(r.pause)
	plan, err := abtest.Compile(s.config)
	err = s.located(err)
	if lists := s.listProblems(file, s.lists); lists != nil {
		err = s.joined(lists, err)
	}
	if unread != nil {
		return s, s.joined(unread, err)
	}
	if err != nil {
		return s, err
	}
	s.plan = plan
	return s, nil
}

// joined adds to what could not be read the problems that do not come of it: those
// around it and within it do, and those of a key that is not there beside it may.
func (s *source) joined(unread, wrong error) error {
	var all, more strictyaml.Problems
	if !errors.As(unread, &all) || !errors.As(wrong, &more) {
		return unread
	}
	first := len(all)
	for _, p := range more {
		_, _, there := s.doc.Locate(p.Path)
		if !slices.ContainsFunc(all[:first], func(u strictyaml.Problem) bool {
			return within(u.Path, p.Path) || within(p.Path, u.Path) || !there && parent(u.Path) == parent(p.Path)
		}) {
			all = append(all, p)
		}
	}
	return all.Err()
}

// within says that a path is another one or lies in it.
func within(path, in string) bool {
	rest, ok := strings.CutPrefix(path, in)
	return ok && (in == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parent is the path of the map or list around a place.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// located adds the lines of the file to the problems of a plan.
func (s *source) located(err error) error {
	var problems abtest.Problems
	if !errors.As(err, &problems) {
		return err
	}
	var located strictyaml.Problems
	for _, p := range problems {
		located = append(located, s.doc.At(p.Path, p.Message))
	}
	return located.Err()
}

// held is the plan of the file with holds on top.
func (s *source) held(holds []Held) (*abtest.Plan, error) {
	var named []abtest.Hold
	for _, h := range holds {
		if s.plan.Experiment(h.Experiment) != nil {
			named = append(named, h.Hold)
		}
	}
	if len(named) == 0 {
		return s.plan, nil
	}
	return abtest.Compile(s.config.WithHolds(named))
}
