package serving

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"hotpath/models"
	"hotpath/models/repository"
	"hotpath/router"
	"hotpath/router/oip"
)

// Catalog answers for the server and its models in the words of the Open
// Inference Protocol. Its methods may be called from any goroutine.
type Catalog struct {
	World      *World
	Repository *repository.Repository
	// IsReady says whether the gateway as a whole is.
	IsReady func() bool
	// Version of the gateway.
	Version string
	// KeepVersions is how many versions of a model are loaded unless its config
	// says otherwise.
	KeepVersions int
	// RepositoryAPI says that clients may load and unload models.
	RepositoryAPI bool
}

var _ oip.Catalog = (*Catalog)(nil)

// platform is Triton's name of what runs the models.
const platform = "onnxruntime_onnx"

// extensions of the protocol that are served, by Triton's names.
func (c *Catalog) extensions() []string {
	all := []string{"binary_tensor_data", "classification", "model_configuration", "parameters", "statistics"}
	if c.RepositoryAPI {
		// No model depends on another, so that each is unloaded with its dependents.
		all = append(all, "model_repository", "model_repository(unload_dependents)")
	}
	return all
}

// Live is true for as long as the process answers.
func (c *Catalog) Live() bool { return true }

// Ready says whether the gateway serves.
func (c *Catalog) Ready() bool { return c.IsReady() }

// Server describes the server.
func (c *Catalog) Server() oip.ServerMetadata {
	return oip.ServerMetadata{Name: "hotpath", Version: c.Version, Extensions: c.extensions()}
}

// ModelReady says whether a version is loaded and serves.
func (c *Catalog) ModelReady(model, version string) bool {
	set, started := c.World.loaded()
	_, _, err := find(set, model, version)
	return started && err == nil
}

// Model describes a model by its version's inputs and outputs.
func (c *Catalog) Model(model, version string) (oip.ModelMetadata, *router.Error) {
	set, _ := c.World.loaded()
	m, l, err := find(set, model, version)
	if err != nil {
		return oip.ModelMetadata{}, err
	}
	sig := l.Served.(*served).lane.Signature
	out := oip.ModelMetadata{Name: model, Platform: platform, Inputs: tensors(&sig, sig.Inputs), Outputs: tensors(&sig, sig.Outputs)}
	for _, v := range m.Versions {
		out.Versions = append(out.Versions, strconv.Itoa(v.Version))
	}
	return out, nil
}

func tensors(sig *models.Signature, ports []models.Port) []oip.TensorMetadata {
	out := make([]oip.TensorMetadata, len(ports))
	for i := range ports {
		p := &ports[i]
		// A scalar's shape is an empty list, not null.
		out[i] = oip.TensorMetadata{Name: p.Name, Datatype: p.DType.String(), Shape: append([]int64{}, sig.FullShape(p)...)}
	}
	return out
}

// Statistics are those of one version, of a model, or of all.
func (c *Catalog) Statistics(model, version string) ([]oip.ModelStatistics, *router.Error) {
	set, _ := c.World.loaded()
	if model == "" && version != "" {
		return nil, &router.Error{Code: router.BadRequest, Field: "version", Message: "a version is given without the name of its model"}
	}
	out := []oip.ModelStatistics{}
	add := func(name string, l *repository.Loaded) {
		s := l.Served.(*served).statistics()
		s.Name, s.Version = name, strconv.Itoa(l.Version)
		out = append(out, s)
	}
	if model == "" {
		for _, name := range slices.Sorted(maps.Keys(set.Models)) {
			for _, l := range set.Models[name].Versions {
				add(name, l)
			}
		}
		return out, nil
	}
	m, l, err := find(set, model, version)
	switch {
	case err != nil:
		return nil, err
	case version != "":
		add(model, l)
	default:
		for _, l := range m.Versions {
			add(model, l)
		}
	}
	return out, nil
}

// Index lists the versions in the repository, by model and number. A model
// without versions has one entry without a version.
func (c *Catalog) Index(readyOnly bool) []oip.IndexEntry {
	out := []oip.IndexEntry{}
	for _, m := range c.Repository.List().Models {
		for _, v := range m.Versions {
			e := oip.IndexEntry{Name: m.Name, Version: strconv.Itoa(v.Version)}
			e.State, e.Reason = c.versionState(m.Name, &v)
			if e.State == oip.StateReady || !readyOnly {
				out = append(out, e)
			}
		}
		if len(m.Versions) == 0 && !readyOnly {
			out = append(out, oip.IndexEntry{Name: m.Name, State: oip.StateUnavailable, Reason: "it has no versions"})
		}
	}
	return out
}

// versionState is a version's state in the protocol's words, and why.
func (c *Catalog) versionState(model string, v *repository.VersionStatus) (state, reason string) {
	switch v.State {
	case repository.StateReady:
		if !c.ModelReady(model, strconv.Itoa(v.Version)) {
			return oip.StateLoading, "the gateway is starting"
		}
		// With a reason where newer files of the version were refused.
		return oip.StateReady, v.Reason
	case repository.StateLoading:
		return oip.StateLoading, ""
	case repository.StateWaiting:
		return oip.StateUnavailable, "its files are not complete, or have just changed"
	case repository.StateUnloaded:
		return oip.StateUnavailable, "unloaded"
	}
	return oip.StateUnavailable, cmp.Or(v.Reason, "refused")
}

// find resolves a model and a version, which is a number, a label or "".
func find(set *repository.Set, model, version string) (*repository.ModelSet, *repository.Loaded, *router.Error) {
	m := set.Models[model]
	if m == nil {
		message := "no model named " + strconv.Quote(shorten(model)) + " is loaded"
		if model == "" {
			message = "the name of the model is missing"
		}
		return nil, nil, &router.Error{Code: router.UnknownModel, Field: "model", Message: message}
	}
	if version == "" {
		return m, m.Version(m.Current), nil
	}
	n, ok := m.Labels[version]
	if !ok {
		// Not a number gives 0, which no version has.
		n, _ = strconv.Atoi(version)
	}
	if l := m.Version(n); l != nil {
		return m, l, nil
	}
	return nil, nil, &router.Error{Code: router.UnknownModel, Field: "version",
		Message: "model " + strconv.Quote(model) + " has no version or label " + strconv.Quote(shorten(version)) + " loaded"}
}

// shownName is how much of an unknown name an error repeats, in bytes.
const shownName = 64

func shorten(name string) string { return name[:min(len(name), shownName)] }

// loaded is what serves, once the world has started.
func (w *World) loaded() (set *repository.Set, started bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.set, w.mu.started
}
