package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

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
// not valid with an error, and nil when not even its list files are known.
func (r *reading) read(file, dir string, data []byte) (*source, error) {
	s := &source{text: data, etag: ETag(data)}
	// What is wrong with the structure is in the error of Decode, too.
	s.doc, _ = r.yaml.Parse(file, data)
	if err := s.doc.Decode(&s.config); err != nil {
		return nil, err
	}
	if s.config.Experiments == nil {
		return nil, s.doc.At("experiments", "is missing: an empty file switches nothing off; write `experiments: []` for that")
	}
	s.lists = r.lists.read(dir, s.config.ListFiles, false)
	if err := s.listProblems(file, s.lists); err != nil {
		return s, err
	}
	s.config = s.config.WithListFiles(s.lists.contents()).WithPauses(r.pause)
	var err error
	if s.plan, err = abtest.Compile(s.config); err != nil {
		return s, s.located(err)
	}
	return s, nil
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
