package httpapi_test

import (
	"context"
	"sync"

	"hotpath/router"
	"hotpath/router/oip"
)

// fakeCatalog knows the models risk (versions 1 and 2, the label stable for 1) and
// raw, which has one input.
type fakeCatalog struct {
	ready bool
	// models beside those, by name.
	models map[string]oip.ModelMetadata
	// maxBatch is every model's max_batch_size.
	maxBatch int32

	mu      sync.Mutex
	changes []string
	loadErr *router.Error
}

func (c *fakeCatalog) Live() bool  { return true }
func (c *fakeCatalog) Ready() bool { return c.ready }
func (c *fakeCatalog) Server() oip.ServerMetadata {
	return oip.ServerMetadata{Name: "hotpath", Version: "test", Extensions: []string{"binary_tensor_data"}}
}

func (c *fakeCatalog) ModelReady(model, version string) bool {
	_, refusal := c.Model(model, version)
	return c.ready && refusal == nil
}

func (c *fakeCatalog) Model(model, version string) (oip.ModelMetadata, *router.Error) {
	if m, ok := c.models[model]; ok {
		return m, nil
	}
	tensors := []oip.TensorMetadata{{Name: "id", Datatype: "INT64", Shape: []int64{-1}}, {Name: "version", Datatype: "INT64", Shape: []int64{-1}},
		{Name: "x", Datatype: "FP64", Shape: []int64{-1, 2}}}
	switch {
	case model != "risk", version != "" && version != "1" && version != "2" && version != "stable":
		return oip.ModelMetadata{}, &router.Error{Code: router.UnknownModel, Field: "model", Message: "no model " + model + " " + version}
	}
	return oip.ModelMetadata{Name: model, Versions: []string{"1", "2"}, Platform: "onnxruntime_onnx", Inputs: tensors, Outputs: tensors}, nil
}

func (c *fakeCatalog) Config(model, version string) (oip.ModelConfig, *router.Error) {
	if _, refusal := c.Model(model, version); refusal != nil {
		return oip.ModelConfig{}, refusal
	}
	return oip.ModelConfig{Name: model, MaxBatchSize: c.maxBatch}, nil
}

func (c *fakeCatalog) Statistics(model, version string) ([]oip.ModelStatistics, *router.Error) {
	if model == "" {
		return nil, nil
	}
	if _, refusal := c.Model(model, version); refusal != nil {
		return nil, refusal
	}
	number := version
	switch version {
	case "":
		return []oip.ModelStatistics{{Name: model, Version: "1"}, {Name: model, Version: "2"}}, nil
	case "stable":
		number = "1"
	}
	return []oip.ModelStatistics{{Name: model, Version: number}}, nil
}

func (c *fakeCatalog) Index(readyOnly bool) []oip.IndexEntry {
	all := []oip.IndexEntry{{Name: "risk", Version: "1", State: oip.StateReady}, {Name: "risk", Version: "2", State: oip.StateReady}}
	if !readyOnly {
		all = append(all, oip.IndexEntry{Name: "risk", Version: "3", State: oip.StateLoading}, oip.IndexEntry{Name: "bad", Version: "1", State: oip.StateUnavailable, Reason: "not a model"})
	}
	return all
}

func (c *fakeCatalog) Load(ctx context.Context, model string, p oip.Parameters) *router.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := p["n"].(int64); ok && n == 3 {
		model += "+n"
	}
	c.changes = append(c.changes, "load "+model)
	return c.loadErr
}

func (c *fakeCatalog) Unload(_ context.Context, model string) *router.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes = append(c.changes, "unload "+model)
	return c.loadErr
}

// changed are the calls of Load and Unload so far.
func (c *fakeCatalog) changed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

type oipMetadata = oip.ModelMetadata

// metadata describes a model with one input and output x.
func metadata(datatype string, shape ...int64) oipMetadata {
	x := []oip.TensorMetadata{{Name: "x", Datatype: datatype, Shape: shape}}
	return oip.ModelMetadata{Versions: []string{"1"}, Inputs: x, Outputs: x}
}
