package oip

// ModelStatistics are the counters of one loaded version since it was loaded, in
// Triton's form.
type ModelStatistics struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// LastInference is in milliseconds since the epoch; 0 before the first.
	LastInference uint64 `json:"last_inference"`
	// InferenceCount counts rows, ExecutionCount runs of the model.
	InferenceCount uint64           `json:"inference_count"`
	ExecutionCount uint64           `json:"execution_count"`
	InferenceStats InferStatistics  `json:"inference_stats"`
	BatchStats     []BatchStatistic `json:"batch_stats"`
	MemoryUsage    []MemoryUsage    `json:"memory_usage"`
}

// InferStatistics are sums over requests.
type InferStatistics struct {
	Success       Duration `json:"success"`
	Fail          Duration `json:"fail"`
	Queue         Duration `json:"queue"`
	ComputeInput  Duration `json:"compute_input"`
	ComputeInfer  Duration `json:"compute_infer"`
	ComputeOutput Duration `json:"compute_output"`
	CacheHit      Duration `json:"cache_hit"`
	CacheMiss     Duration `json:"cache_miss"`
}

// BatchStatistic are sums over the runs of one batch size, or of a class of sizes
// up to BatchSize.
type BatchStatistic struct {
	BatchSize     uint64   `json:"batch_size"`
	ComputeInput  Duration `json:"compute_input"`
	ComputeInfer  Duration `json:"compute_infer"`
	ComputeOutput Duration `json:"compute_output"`
}

// Duration is how often something happened, and how long it took together.
type Duration struct {
	Count uint64 `json:"count"`
	Ns    uint64 `json:"ns"`
}

// MemoryUsage is memory of one kind.
type MemoryUsage struct {
	// Type is CPU or GPU, ID the device.
	Type     string `json:"type"`
	ID       int64  `json:"id"`
	ByteSize uint64 `json:"byte_size"`
}
