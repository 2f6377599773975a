package serving

import (
	"strconv"
	"strings"

	"hotpath/inference"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/oip"
)

// Config is a version's configuration as Triton would write it. What Triton has
// no field for is in the parameters.
func (c *Catalog) Config(model, version string) (oip.ModelConfig, *router.Error) {
	set, _ := c.World.loaded()
	m, l, err := find(set, model, version)
	if err != nil {
		return oip.ModelConfig{}, err
	}
	s := l.Served.(*served)
	sig := s.lane.Signature
	out := oip.ModelConfig{
		Name: model, Platform: platform, Backend: "onnxruntime", DefaultModel: "model.onnx",
		VersionPolicy: c.versionPolicy(m.Policy),
		Input:         configTensors(sig.Inputs, l.Config.Inputs), Output: configTensors(sig.Outputs, nil),
		InstanceGroup: []oip.InstanceGroup{instances(model, l.Config.CUDA.Device, s)},
		Parameters:    parameters(&l.Config, s),
	}
	if sig.Batched {
		out.MaxBatchSize = int32(s.batcher.Stats().MaxRows)
		out.DynamicBatching = batching(&l.Config)
	}
	for _, w := range l.Config.Warmup {
		out.Warmup = append(out.Warmup, oip.Warmup{Name: w.Name, BatchSize: uint32(max(w.Rows, 1)), Count: uint32(max(w.Count, 1))})
	}
	return out, nil
}

func (c *Catalog) versionPolicy(p models.VersionPolicy) oip.VersionPolicy {
	switch {
	case p.All:
		return oip.VersionPolicy{All: &struct{}{}}
	case len(p.Specific) > 0:
		specific := &oip.SpecificPolicy{}
		for _, n := range p.Specific {
			specific.Versions = append(specific.Versions, int64(n))
		}
		return oip.VersionPolicy{Specific: specific}
	case p.Latest > 0:
		return oip.VersionPolicy{Latest: &oip.LatestPolicy{NumVersions: uint32(p.Latest)}}
	}
	return oip.VersionPolicy{Latest: &oip.LatestPolicy{NumVersions: uint32(c.KeepVersions)}}
}

func configTensors(ports []models.Port, bindings []models.InputBinding) []oip.ConfigTensor {
	out := make([]oip.ConfigTensor, len(ports))
	for i := range ports {
		p := &ports[i]
		t := oip.ConfigTensor{Name: p.Name, DataType: configType(p.DType)}
		for _, d := range p.Shape {
			t.Dims = append(t.Dims, int64(d))
		}
		if len(t.Dims) == 0 {
			// Triton's dims cannot be empty: a row of one number is a list of one
			// there, which the model takes without that dimension.
			t.Dims, t.Reshape = []int64{1}, &oip.Reshape{Shape: []int64{}}
		}
		for _, b := range bindings {
			t.AllowRagged = t.AllowRagged || b.Name == p.Name && b.Ragged
		}
		out[i] = t
	}
	return out
}

// configType is the configuration's spelling of a type.
func configType(d models.DType) string {
	if d == models.String {
		return "TYPE_STRING"
	}
	return "TYPE_" + d.String()
}

func instances(model string, device int, s *served) oip.InstanceGroup {
	g := oip.InstanceGroup{Name: model, Kind: "KIND_CPU", Count: int32(s.batcher.Stats().Runners), GPUs: []int32{}}
	if s.info.Provider == inference.CUDA {
		g.Kind, g.GPUs = "KIND_GPU", []int32{int32(device)}
	}
	return g
}

func batching(c *models.Config) *oip.DynamicBatching {
	b := &oip.DynamicBatching{PreferredBatchSize: []int32{}, MaxQueueDelayMicrosecs: uint64(c.MaxQueueDelay.Microseconds()),
		DefaultQueuePolicy: &oip.Queue{MaxQueueSize: uint32(c.QueueLimit())}}
	for _, n := range c.BatchSizes {
		b.PreferredBatchSize = append(b.PreferredBatchSize, int32(n))
	}
	return b
}

// parameters are the settings of our own.
func parameters(c *models.Config, s *served) map[string]oip.ConfigParameter {
	p := map[string]oip.ConfigParameter{}
	set := func(name, value string) { p[name] = oip.ConfigParameter{StringValue: value} }
	set("run_timeout", c.RunTimeout.String())
	set("queue_rows", strconv.Itoa(c.QueueLimit()))
	set("threads", strconv.Itoa(c.Threads))
	set("execution_provider", string(s.info.Provider))
	set("features", c.Features)
	if len(s.info.Features) > 0 {
		set("feature_names", strings.Join(s.info.Features, ","))
	}
	if c.Description != "" {
		set("description", c.Description)
	}
	return p
}
