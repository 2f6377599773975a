package repository

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"

	"hotpath/models"
	"hotpath/models/strictyaml"
)

// layer is one config.yaml: the model's, or that of a version, which says more
// about this version and is read after it.
type layer struct {
	file string // as messages name it
	own  bool   // the version's
	data []byte
	doc  *strictyaml.Document
}

// layersOf lists the files that there are, the model's first.
func (f files) layersOf(dir, model, version string) (all []layer) {
	for _, l := range []layer{
		{file: filepath.Join(dir, model, configFile), data: f.modelConfig},
		{file: filepath.Join(dir, model, version, configFile), data: f.config, own: true},
	} {
		if l.data != nil {
			// What is wrong with the structure is among the problems of decoding.
			l.doc, _ = strictyaml.Parse(l.file, l.data)
			all = append(all, l)
		}
	}
	return all
}

// inherit decodes the layers over the defaults: a key that a layer does not
// mention keeps its value, a list or map that it mentions replaces the one before.
func (c *Candidate) inherit(defaults models.Config) error {
	c.Config = defaults
	var all strictyaml.Problems
	for _, l := range c.layers {
		err := strictyaml.Decode(l.file, l.data, &c.Config)
		var problems strictyaml.Problems
		if err != nil && !errors.As(err, &problems) {
			return err
		}
		all = append(all, problems...)
		if l.own {
			all = append(all, l.misplaced(filepath.Join(c.dir, c.Model, configFile))...)
		}
		c.ConfigFiles = append(c.ConfigFiles, l.file)
	}
	if len(all) > 0 {
		return all
	}
	return c.Problems(c.Config.Validate())
}

// misplaced reports the keys of a version's file that are about all versions.
func (l layer) misplaced(belongs string) (ps strictyaml.Problems) {
	for _, key := range models.ModelKeys() {
		if _, _, mentioned := l.doc.Locate(key); mentioned {
			ps = append(ps, l.doc.At(key, "is about all versions of the model; it belongs into "+belongs))
		}
	}
	return ps
}

// Problems is an error that shows each problem of the config with its file and
// line; nil when there are none.
func (c *Candidate) Problems(ps []models.Problem) error {
	var out strictyaml.Problems
	for _, p := range ps {
		if l := c.layerOf(p.Path); l != nil {
			out = append(out, l.doc.At(p.Path, p.Message))
		} else {
			out = append(out, strictyaml.Problem{Path: p.Path, Message: p.Message})
		}
	}
	return out.Err()
}

// layerOf is the layer that gave the value at path; nil when there is no file.
// A list comes whole from the last one that mentions it; for a value that nobody
// gave it is the last one that mentions its section, or the last.
func (c *Candidate) layerOf(path string) *layer {
	list, _, _ := strings.Cut(path, "[")
	section, _, _ := strings.Cut(list, ".")
	for _, at := range []string{list, section} {
		for i := range c.layers {
			l := &c.layers[len(c.layers)-1-i]
			if _, _, mentioned := l.doc.Locate(at); mentioned && at != "" {
				return l
			}
		}
	}
	if len(c.layers) == 0 {
		return nil
	}
	return &c.layers[len(c.layers)-1]
}

// served is what the config has to say about how this version serves: which
// versions there shall be, and what they are called, changes nothing in one.
func (c *Candidate) served() ([]byte, error) {
	config := c.Config
	config.VersionPolicy, config.Labels = models.VersionPolicy{}, nil
	return json.Marshal(config)
}
