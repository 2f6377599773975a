package grpcapi

import (
	"context"

	"hotpath/router"
	"hotpath/router/oip"
)

// fakeCatalog knows one model, risk, whose version 1 has the label stable.
type fakeCatalog struct {
	loaded, unloaded []string
	parameters       oip.Parameters
}

func (c *fakeCatalog) find(model, version string) *router.Error {
	if model == "risk" && (version == "" || version == "1" || version == "stable") {
		return nil
	}
	return &router.Error{Code: router.UnknownModel, Field: "model", Message: "no such model"}
}

func (c *fakeCatalog) Live() bool  { return true }
func (c *fakeCatalog) Ready() bool { return true }
func (c *fakeCatalog) Server() oip.ServerMetadata {
	return oip.ServerMetadata{Name: "hotpath", Version: "v1", Extensions: []string{"statistics"}}
}

func (c *fakeCatalog) ModelReady(model, version string) bool { return c.find(model, version) == nil }

func (c *fakeCatalog) Model(model, version string) (oip.ModelMetadata, *router.Error) {
	return oip.ModelMetadata{Name: "risk", Versions: []string{"1"}, Platform: "onnxruntime_onnx",
		Inputs:  []oip.TensorMetadata{{Name: "x", Datatype: "FP64", Shape: []int64{-1, 2}}},
		Outputs: []oip.TensorMetadata{{Name: "y", Datatype: "FP64", Shape: []int64{-1, 2}}}}, c.find(model, version)
}

func (c *fakeCatalog) Config(model, version string) (oip.ModelConfig, *router.Error) {
	return oip.ModelConfig{Name: "risk", Platform: "onnxruntime_onnx", Backend: "onnxruntime", MaxBatchSize: 64,
		VersionPolicy:   oip.VersionPolicy{Latest: &oip.LatestPolicy{NumVersions: 2}},
		Input:           []oip.ConfigTensor{{Name: "x", DataType: "TYPE_FP64", Dims: []int64{2}, AllowRagged: true}},
		Output:          []oip.ConfigTensor{{Name: "y", DataType: "TYPE_STRING", Dims: []int64{-1}}},
		InstanceGroup:   []oip.InstanceGroup{{Name: "risk", Kind: "KIND_CPU", Count: 2}},
		DynamicBatching: &oip.DynamicBatching{PreferredBatchSize: []int32{8}, DefaultQueuePolicy: &oip.Queue{MaxQueueSize: 256}},
		Parameters:      map[string]oip.ConfigParameter{"threads": {StringValue: "1"}},
		DefaultModel:    "model.onnx", Warmup: []oip.Warmup{{Name: "zeros", BatchSize: 8, Count: 2}}}, c.find(model, version)
}

func (c *fakeCatalog) Statistics(model, version string) ([]oip.ModelStatistics, *router.Error) {
	return []oip.ModelStatistics{{Name: "risk", Version: "1", LastInference: 1, InferenceCount: 2, ExecutionCount: 3,
		InferenceStats: oip.InferStatistics{Success: oip.Duration{Count: 4, Ns: 5}, Queue: oip.Duration{Count: 6, Ns: 7}},
		BatchStats:     []oip.BatchStatistic{{BatchSize: 8, ComputeInfer: oip.Duration{Count: 9, Ns: 10}}},
		MemoryUsage:    []oip.MemoryUsage{{Type: "CPU", ByteSize: 11}}}}, c.find(model, version)
}

func (c *fakeCatalog) Index(readyOnly bool) []oip.IndexEntry {
	all := []oip.IndexEntry{{Name: "risk", Version: "1", State: oip.StateReady}, {Name: "risk", Version: "2", State: oip.StateUnavailable, Reason: "refused"}}
	if readyOnly {
		return all[:1]
	}
	return all
}

func (c *fakeCatalog) Load(_ context.Context, model string, parameters oip.Parameters) *router.Error {
	c.loaded, c.parameters = append(c.loaded, model), parameters
	return c.find(model, "")
}

func (c *fakeCatalog) Unload(_ context.Context, model string) *router.Error {
	c.unloaded = append(c.unloaded, model)
	return c.find(model, "")
}
