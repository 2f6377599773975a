package identity

// Port is one of the gateway's three.
type Port string

// The ports.
const (
	TrafficPort Port = "traffic"
	GRPCPort    Port = "gRPC"
	AdminPort   Port = "admin"
)

// Endpoint is something that a port answers.
type Endpoint struct {
	Port Port
	// Name is a method and a path, of which segments in braces stand for any; or the full
	// name of a method of gRPC.
	Name string
	// Need is any one of the scopes that it takes; Public: none.
	Need Scopes
}

// describes is for what says how a model is to be asked: who predicts needs it.
const describes = Predict | ModelsRead

// inference begins the names of the inference service's methods.
const inference = "/inference.GRPCInferenceService/"

// Endpoints is what each endpoint of the gateway needs.
func Endpoints() []Endpoint {
	return append(append(traffic(), grpc()...), admin()...)
}

func traffic() []Endpoint {
	p := TrafficPort
	return []Endpoint{
		{p, "GET /", Public}, {p, "GET /livez", Public}, {p, "GET /readyz", Public},
		{p, "GET /health/liveness", Public}, {p, "GET /health/readiness", Public},
		{p, "POST /predict", Predict}, {p, "POST /v1/predict", Predict}, {p, "POST /api/v1/predict", Predict},
		{p, "POST /predict/batch", Predict}, {p, "POST /v1/predict/batch", Predict}, {p, "POST /api/v1/predict/batch", Predict},
		{p, "POST /assign", Predict}, {p, "POST /v1/assign", Predict}, {p, "POST /api/v1/abtest/assign", Predict},
		{p, "POST /feedback", Predict}, {p, "POST /v1/feedback", Predict},
		{p, "POST /ofrep/v1/evaluate/flags", Predict}, {p, "POST /ofrep/v1/evaluate/flags/{key}", Predict}, {p, "GET /ofrep/v1/configuration", Predict},
		{p, "POST /v2/models/{model}/infer", Predict}, {p, "POST /v2/models/{model}/versions/{version}/infer", Predict},
		{p, "POST /v1/models/{model}:predict", Predict}, {p, "POST /v1/models/{model}/versions/{version}:predict", Predict},
		{p, "POST /v1/models/{model}/labels/{label}:predict", Predict},

		{p, "GET /v2/health/live", Public}, {p, "GET /v2/health/ready", Public},
		{p, "GET /v2/models/{model}/ready", Public}, {p, "GET /v2/models/{model}/versions/{version}/ready", Public},
		{p, "GET /v2", describes}, {p, "GET /v2/models/{model}", describes}, {p, "GET /v2/models/{model}/versions/{version}", describes},
		{p, "GET /v2/models/{model}/config", describes}, {p, "GET /v2/models/{model}/versions/{version}/config", describes},
		{p, "GET /v2/models/stats", ModelsRead}, {p, "GET /v2/models/{model}/stats", ModelsRead}, {p, "GET /v2/models/{model}/versions/{version}/stats", ModelsRead},
		{p, "POST /v2/repository/index", describes},
		{p, "POST /v2/repository/models/{model}/load", ModelsWrite}, {p, "POST /v2/repository/models/{model}/unload", ModelsWrite},
		{p, "GET /v2/systemsharedmemory/status", Predict}, {p, "GET /v2/cudasharedmemory/status", Predict},
		{p, "POST /v2/systemsharedmemory/region/{region}/register", Predict}, {p, "POST /v2/cudasharedmemory/region/{region}/register", Predict},
		{p, "POST /v2/systemsharedmemory/unregister", Predict}, {p, "POST /v2/cudasharedmemory/unregister", Predict},
		{p, "POST /v2/systemsharedmemory/region/{region}/unregister", Predict}, {p, "POST /v2/cudasharedmemory/region/{region}/unregister", Predict},

		{p, "GET /v1/models", describes}, {p, "GET /v1/models/{model}", describes},
		{p, "GET /v1/models/{model}/versions/{version}", describes}, {p, "GET /v1/models/{model}/labels/{label}", describes},
		{p, "GET /v1/models/{model}/metadata", describes}, {p, "GET /v1/models/{model}/versions/{version}/metadata", describes},
		{p, "GET /v1/models/{model}/labels/{label}/metadata", describes},
	}
}

func grpc() []Endpoint {
	p := GRPCPort
	return []Endpoint{
		{p, "/grpc.health.v1.Health/Check", Public}, {p, "/grpc.health.v1.Health/List", Public}, {p, "/grpc.health.v1.Health/Watch", Public},
		{p, inference + "ServerLive", Public}, {p, inference + "ServerReady", Public}, {p, inference + "ModelReady", Public},
		{p, inference + "ModelInfer", Predict}, {p, inference + "ModelStreamInfer", Predict},
		{p, inference + "ServerMetadata", describes}, {p, inference + "ModelMetadata", describes}, {p, inference + "ModelConfig", describes},
		{p, inference + "ModelStatistics", ModelsRead}, {p, inference + "RepositoryIndex", describes},
		{p, inference + "RepositoryModelLoad", ModelsWrite}, {p, inference + "RepositoryModelUnload", ModelsWrite},
		{p, inference + "SystemSharedMemoryStatus", Predict}, {p, inference + "SystemSharedMemoryUnregister", Predict},
		{p, inference + "CudaSharedMemoryStatus", Predict}, {p, inference + "CudaSharedMemoryUnregister", Predict},
		{p, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", describes},
		{p, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", describes},
	}
}

func admin() []Endpoint {
	p := AdminPort
	return []Endpoint{
		{p, "GET /livez", Public}, {p, "GET /readyz", Public}, {p, "GET /health/liveness", Public}, {p, "GET /health/readiness", Public},
		{p, "GET /metrics", MetricsRead}, {p, "GET /admin/status", MetricsRead}, {p, "GET /admin/guards", MetricsRead},
		{p, "GET /debug/pprof/", Admin}, {p, "GET /debug/pprof/cmdline", Admin}, {p, "GET /debug/pprof/profile", Admin},
		{p, "GET /debug/pprof/symbol", Admin}, {p, "POST /debug/pprof/symbol", Admin}, {p, "GET /debug/pprof/trace", Admin},
		{p, "GET /admin/config", Admin}, {p, "POST /admin/guards/{name...}", Admin},

		{p, "GET /admin/models", ModelsRead}, {p, "GET /admin/models/{model}", ModelsRead},
		{p, "POST /admin/models/{model}/load", ModelsWrite}, {p, "POST /admin/models/{model}/unload", ModelsWrite},
		{p, "POST /admin/models/{model}/promote", ModelsWrite}, {p, "POST /admin/models/{model}/rollback", ModelsWrite},
		{p, "PUT /admin/models/{model}/labels/{label}", ModelsWrite}, {p, "DELETE /admin/models/{model}/labels/{label}", ModelsWrite},
		{p, "POST /admin/models/{model}/deployments", ModelsWrite}, {p, "DELETE /admin/deployments/{id}", ModelsWrite},
		{p, "GET /admin/models/{model}/deployments", ModelsRead}, {p, "GET /admin/deployments", ModelsRead}, {p, "GET /admin/deployments/{id}", ModelsRead},

		{p, "GET /admin/experiments", ExperimentsRead}, {p, "GET /admin/experiments/assign", ExperimentsRead},
		{p, "GET /admin/experiments/lint", ExperimentsRead}, {p, "POST /admin/experiments/check", ExperimentsRead},
		{p, "GET /admin/experiments/history", ExperimentsRead}, {p, "GET /admin/experiments/history/{revision}", ExperimentsRead},
		{p, "GET /admin/experiments/report", ExperimentsRead}, {p, "GET /admin/experiments/{experiment}/{view}", ExperimentsRead},
		{p, "PUT /admin/experiments", ExperimentsWrite}, {p, "PATCH /admin/experiments", ExperimentsWrite},
		{p, "POST /admin/experiments/restore", ExperimentsWrite}, {p, "POST /admin/experiments/{experiment}/pause", ExperimentsWrite},
		{p, "POST /admin/experiments/{experiment}/resume", ExperimentsWrite}, {p, "POST /admin/experiments/{experiment}/rollback", ExperimentsWrite},
		{p, "POST /admin/reload", ExperimentsWrite},
	}
}

// Needs are the scopes of one port's endpoints by name.
type Needs map[string]Scopes

// NeedsOf is the table of one port.
func NeedsOf(p Port) Needs {
	needs := Needs{}
	for _, e := range Endpoints() {
		if e.Port == p {
			needs[e.Name] = e.Need
		}
	}
	return needs
}

// Of is what an endpoint needs: Admin where it is not in the table.
func (n Needs) Of(name string) Scopes {
	if need, ok := n[name]; ok {
		return need
	}
	return Admin
}
