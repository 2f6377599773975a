package repository

import (
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"time"

	"hotpath/models"
	"hotpath/models/strictyaml"
)

// modelSettings is what a model's own config.yaml says about all of its versions; the
// zero value is that of a model without one.
type modelSettings struct {
	stamp  fileStamp
	policy models.VersionPolicy
	labels map[string]int
	err    error // why it cannot be used
}

// readModelFiles puts into t what each model's config.yaml says. Only those that
// are others than at the last reading are read. Called by the reading goroutine,
// of which there is one at a time.
func (o *owner) readModelFiles(t *tree) {
	root, err := os.OpenRoot(o.o.Dir)
	if err != nil {
		return // the next reading of the directory says so
	}
	defer root.Close()
	for name, stamp := range t.configs {
		if f, ok := o.files[name]; !ok || f.stamp != stamp || errors.Is(f.err, errUnsettled) {
			o.files[name] = readModelFile(root, o.o, name, stamp)
		}
		t.files[name] = o.files[name]
	}
	maps.DeleteFunc(o.files, func(name string, _ modelSettings) bool {
		_, ok := t.configs[name]
		return !ok
	})
}

func readModelFile(root *os.Root, o *Options, model string, stamp fileStamp) modelSettings {
	f := modelSettings{stamp: stamp}
	switch {
	case !stamp.there():
		return f
	case stamp.problem != "":
		f.err = errors.New(stamp.problem)
		return f
	}
	name := path.Join(model, configFile)
	data, err := readFile(root, name, maxSmallFile)
	if statFile(root, name) != stamp {
		err = errUnsettled
	}
	if err != nil {
		f.err = err
		return f
	}
	c := Candidate{Model: model, dir: o.Dir, layers: files{modelConfig: data}.layersOf(o.Dir, model, "")}
	c.Config = o.Defaults
	if f.err = strictyaml.Decode(filepath.Join(o.Dir, name), data, &c.Config); f.err == nil {
		// What else it says may be wrong by itself and right together with what the
		// versions' files say: they are checked with their versions.
		f.err = c.Problems(c.Config.ValidateVersions())
	}
	if f.err == nil {
		f.policy, f.labels = c.Config.VersionPolicy, c.Config.Labels
	}
	return f
}

// sawFile notes the model's config.yaml as it is on disk.
func (m *model) sawFile(f modelSettings, at time.Time, initial bool) {
	if f.stamp != m.onDisk.stamp || errors.Is(m.onDisk.err, errUnsettled) {
		m.onDisk, m.onDiskAt, m.initial = f, at, initial
	}
}

// fileSettled reports whether the model's config.yaml has been as it is for long
// enough, in the same way as the files of a version.
func (m *model) fileSettled(d time.Duration) bool {
	s := m.onDisk.stamp
	return !errors.Is(m.onDisk.err, errUnsettled) && (m.initial || time.Since(m.onDiskAt) >= d ||
		s.there() && s.mtime < time.Now().Add(-d).UnixNano())
}

// takeFile puts the model's config.yaml in force, once it has settled or when now
// is set. One that is wrong changes nothing, and neither does one whose labels
// leave an experiment without a version: that is tried again at each reading.
func (o *owner) takeFile(m *model, now bool) {
	f := m.onDisk
	if f.stamp == m.taken && m.fileErr == nil || o.o.Mode == ModeExplicit && !m.asked {
		return
	}
	if !now && !m.fileSettled(o.o.Settle) {
		o.wakeIn(max(time.Until(m.onDiskAt.Add(o.o.Settle)), o.o.Debounce))
		return
	}
	err := f.err
	if err == nil {
		err = o.useFile(m, f)
	}
	if err != nil && (m.fileErr == nil || m.fileErr.Error() != err.Error()) {
		o.log.Error("model config refused; what it said before holds", "model", m.name, "error", err)
	}
	m.fileErr = err
	m.taken = f.stamp
}

// useFile lets the policy and the labels of a file hold, and elects by them.
func (o *owner) useFile(m *model, f modelSettings) error {
	before := m.file
	m.file = f
	if set := o.set.Models[m.name]; set != nil {
		next := *set
		o.elect(m, &next)
		if err := o.commit(m.name, &next); err != nil {
			m.file = before
			return err
		}
		if next.Current != set.Current {
			o.log.Info("model version promoted by its policy", "model", m.name, "version", next.Current, "previous", next.Previous)
		}
	}
	if !before.policy.Equal(&f.policy) {
		o.log.Info("version policy changed", "model", m.name, "latest", f.policy.Latest, "specific", f.policy.Specific, "all", f.policy.All)
	}
	return nil
}
