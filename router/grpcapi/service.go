package grpcapi

import (
	"context"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
	"hotpath/router/oip"
)

// refused makes a nil *router.Error a nil error.
func refused(e *router.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// ServerLive says that the process can answer.
func (a *api) ServerLive(context.Context, *pb.ServerLiveRequest) (*pb.ServerLiveResponse, error) {
	return &pb.ServerLiveResponse{Live: a.catalog.Live()}, nil
}

// ServerReady says whether the server wants traffic.
func (a *api) ServerReady(context.Context, *pb.ServerReadyRequest) (*pb.ServerReadyResponse, error) {
	return &pb.ServerReadyResponse{Ready: a.catalog.Ready()}, nil
}

// ModelReady says whether a version serves; a model that is not known does not.
func (a *api) ModelReady(_ context.Context, in *pb.ModelReadyRequest) (*pb.ModelReadyResponse, error) {
	return &pb.ModelReadyResponse{Ready: a.catalog.ModelReady(in.GetName(), in.GetVersion())}, nil
}

// ServerMetadata says what the server is.
func (a *api) ServerMetadata(context.Context, *pb.ServerMetadataRequest) (*pb.ServerMetadataResponse, error) {
	s := a.catalog.Server()
	return &pb.ServerMetadataResponse{Name: s.Name, Version: s.Version, Extensions: s.Extensions}, nil
}

// ModelMetadata says what a model takes and gives.
func (a *api) ModelMetadata(_ context.Context, in *pb.ModelMetadataRequest) (*pb.ModelMetadataResponse, error) {
	m, err := a.catalog.Model(in.GetName(), in.GetVersion())
	if err != nil {
		return nil, err
	}
	return &pb.ModelMetadataResponse{Name: m.Name, Versions: m.Versions, Platform: m.Platform,
		Inputs: tensorMetadata(m.Inputs), Outputs: tensorMetadata(m.Outputs)}, nil
}

func tensorMetadata(tensors []oip.TensorMetadata) []*pb.ModelMetadataResponse_TensorMetadata {
	out := make([]*pb.ModelMetadataResponse_TensorMetadata, len(tensors))
	for i, t := range tensors {
		out[i] = &pb.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape}
	}
	return out
}

// ModelConfig gives a model's configuration in Triton's form.
func (a *api) ModelConfig(_ context.Context, in *pb.ModelConfigRequest) (*pb.ModelConfigResponse, error) {
	c, err := a.catalog.Config(in.GetName(), in.GetVersion())
	if err != nil {
		return nil, err
	}
	return &pb.ModelConfigResponse{Config: modelConfig(&c)}, nil
}

// ModelStatistics gives the counters of one version, of a model or of all models.
func (a *api) ModelStatistics(_ context.Context, in *pb.ModelStatisticsRequest) (*pb.ModelStatisticsResponse, error) {
	all, err := a.catalog.Statistics(in.GetName(), in.GetVersion())
	if err != nil {
		return nil, err
	}
	out := &pb.ModelStatisticsResponse{ModelStats: make([]*pb.ModelStatistics, len(all))}
	for i := range all {
		out.ModelStats[i] = modelStatistics(&all[i])
	}
	return out, nil
}

// RepositoryIndex lists the versions in the repository.
func (a *api) RepositoryIndex(_ context.Context, in *pb.RepositoryIndexRequest) (*pb.RepositoryIndexResponse, error) {
	out := &pb.RepositoryIndexResponse{}
	for _, e := range a.catalog.Index(in.GetReady()) {
		out.Models = append(out.Models, &pb.RepositoryIndexResponse_ModelIndex{Name: e.Name, Version: e.Version, State: e.State, Reason: e.Reason})
	}
	return out, nil
}

var errRepositoryOff = &router.Error{Code: router.Forbidden,
	Message: "models cannot be loaded and unloaded by clients: switch server.repository_api on where every client may do so, or use the admin port"}

// RepositoryModelLoad loads a model's versions, or loads them again.
func (a *api) RepositoryModelLoad(ctx context.Context, in *pb.RepositoryModelLoadRequest) (*pb.RepositoryModelLoadResponse, error) {
	if !a.options.Repository {
		return nil, errRepositoryOff
	}
	parameters := oip.Parameters{}
	for name, p := range in.GetParameters() {
		switch v := p.GetParameterChoice().(type) {
		case *pb.ModelRepositoryParameter_BoolParam:
			parameters[name] = v.BoolParam
		case *pb.ModelRepositoryParameter_Int64Param:
			parameters[name] = v.Int64Param
		case *pb.ModelRepositoryParameter_StringParam:
			parameters[name] = v.StringParam
		case *pb.ModelRepositoryParameter_BytesParam:
			return nil, &router.Error{Code: router.BadRequest, Field: "parameters." + name,
				Message: "brings a file; models are loaded from the server's repository alone"}
		}
	}
	return &pb.RepositoryModelLoadResponse{}, refused(a.catalog.Load(ctx, in.GetModelName(), parameters))
}

// RepositoryModelUnload takes a model out of service.
func (a *api) RepositoryModelUnload(ctx context.Context, in *pb.RepositoryModelUnloadRequest) (*pb.RepositoryModelUnloadResponse, error) {
	if !a.options.Repository {
		return nil, errRepositoryOff
	}
	return &pb.RepositoryModelUnloadResponse{}, refused(a.catalog.Unload(ctx, in.GetModelName()))
}

// SystemSharedMemoryStatus lists no regions: there is no shared memory. Clients ask
// for it, and unregister all, before they begin.
func (a *api) SystemSharedMemoryStatus(context.Context, *pb.SystemSharedMemoryStatusRequest) (*pb.SystemSharedMemoryStatusResponse, error) {
	return &pb.SystemSharedMemoryStatusResponse{}, nil
}

// SystemSharedMemoryUnregister has nothing to do.
func (a *api) SystemSharedMemoryUnregister(context.Context, *pb.SystemSharedMemoryUnregisterRequest) (*pb.SystemSharedMemoryUnregisterResponse, error) {
	return &pb.SystemSharedMemoryUnregisterResponse{}, nil
}

// CudaSharedMemoryStatus lists no regions.
func (a *api) CudaSharedMemoryStatus(context.Context, *pb.CudaSharedMemoryStatusRequest) (*pb.CudaSharedMemoryStatusResponse, error) {
	return &pb.CudaSharedMemoryStatusResponse{}, nil
}

// CudaSharedMemoryUnregister has nothing to do.
func (a *api) CudaSharedMemoryUnregister(context.Context, *pb.CudaSharedMemoryUnregisterRequest) (*pb.CudaSharedMemoryUnregisterResponse, error) {
	return &pb.CudaSharedMemoryUnregisterResponse{}, nil
}
