package grpcapi

import (
	"hotpath/router/grpcapi/pb"
	"hotpath/router/oip"
)

// modelConfig is a configuration as a message.
func modelConfig(c *oip.ModelConfig) *pb.ModelConfig {
	out := &pb.ModelConfig{Name: c.Name, Platform: c.Platform, Backend: c.Backend, VersionPolicy: versionPolicy(&c.VersionPolicy),
		MaxBatchSize: c.MaxBatchSize, DefaultModelFilename: c.DefaultModel,
		ModelTransactionPolicy: &pb.ModelTransactionPolicy{Decoupled: c.Transaction.Decoupled}}
	for _, t := range c.Input {
		out.Input = append(out.Input, &pb.ModelInput{Name: t.Name, DataType: dataType(t.DataType), Dims: t.Dims, AllowRaggedBatch: t.AllowRagged})
	}
	for _, t := range c.Output {
		out.Output = append(out.Output, &pb.ModelOutput{Name: t.Name, DataType: dataType(t.DataType), Dims: t.Dims})
	}
	for _, g := range c.InstanceGroup {
		kind := pb.ModelInstanceGroup_Kind(pb.ModelInstanceGroup_Kind_value[g.Kind])
		out.InstanceGroup = append(out.InstanceGroup, &pb.ModelInstanceGroup{Name: g.Name, Kind: kind, Count: g.Count, Gpus: g.GPUs})
	}
	if b := c.DynamicBatching; b != nil {
		d := &pb.ModelDynamicBatching{PreferredBatchSize: b.PreferredBatchSize, MaxQueueDelayMicroseconds: b.MaxQueueDelayMicrosecs,
			PreserveOrdering: b.PreserveOrdering, PriorityLevels: b.PriorityLevels, DefaultPriorityLevel: b.DefaultPriorityLevel}
		if q := b.DefaultQueuePolicy; q != nil {
			d.DefaultQueuePolicy = &pb.ModelQueuePolicy{MaxQueueSize: q.MaxQueueSize}
		}
		out.SchedulingChoice = &pb.ModelConfig_DynamicBatching{DynamicBatching: d}
	}
	for name, p := range c.Parameters {
		if out.Parameters == nil {
			out.Parameters = map[string]*pb.ModelParameter{}
		}
		out.Parameters[name] = &pb.ModelParameter{StringValue: p.StringValue}
	}
	for _, w := range c.Warmup {
		out.ModelWarmup = append(out.ModelWarmup, &pb.ModelWarmup{Name: w.Name, BatchSize: w.BatchSize, Count: w.Count})
	}
	return out
}

// dataType reads TYPE_FP32 and the like.
func dataType(name string) pb.DataType { return pb.DataType(pb.DataType_value[name]) }

func versionPolicy(p *oip.VersionPolicy) *pb.ModelVersionPolicy {
	switch {
	case p.Latest != nil:
		return &pb.ModelVersionPolicy{PolicyChoice: &pb.ModelVersionPolicy_Latest_{Latest: &pb.ModelVersionPolicy_Latest{NumVersions: p.Latest.NumVersions}}}
	case p.All != nil:
		return &pb.ModelVersionPolicy{PolicyChoice: &pb.ModelVersionPolicy_All_{All: &pb.ModelVersionPolicy_All{}}}
	case p.Specific != nil:
		return &pb.ModelVersionPolicy{PolicyChoice: &pb.ModelVersionPolicy_Specific_{Specific: &pb.ModelVersionPolicy_Specific{Versions: p.Specific.Versions}}}
	}
	return nil
}

// modelStatistics are counters as a message.
func modelStatistics(s *oip.ModelStatistics) *pb.ModelStatistics {
	out := &pb.ModelStatistics{Name: s.Name, Version: s.Version, LastInference: s.LastInference,
		InferenceCount: s.InferenceCount, ExecutionCount: s.ExecutionCount, InferenceStats: inferStatistics(&s.InferenceStats)}
	for _, b := range s.BatchStats {
		out.BatchStats = append(out.BatchStats, &pb.InferBatchStatistics{BatchSize: b.BatchSize,
			ComputeInput: duration(b.ComputeInput), ComputeInfer: duration(b.ComputeInfer), ComputeOutput: duration(b.ComputeOutput)})
	}
	for _, m := range s.MemoryUsage {
		out.MemoryUsage = append(out.MemoryUsage, &pb.MemoryUsage{Type: m.Type, Id: m.ID, ByteSize: m.ByteSize})
	}
	return out
}

func inferStatistics(s *oip.InferStatistics) *pb.InferStatistics {
	return &pb.InferStatistics{Success: duration(s.Success), Fail: duration(s.Fail), Queue: duration(s.Queue),
		ComputeInput: duration(s.ComputeInput), ComputeInfer: duration(s.ComputeInfer), ComputeOutput: duration(s.ComputeOutput),
		CacheHit: duration(s.CacheHit), CacheMiss: duration(s.CacheMiss)}
}

func duration(d oip.Duration) *pb.StatisticDuration {
	return &pb.StatisticDuration{Count: d.Count, Ns: d.Ns}
}
