package grpcapi

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
)

// health answers grpc.health.v1. The services are the server itself (""), the
// inference service, and each model by its name; all of them follow readiness, so
// that a draining server is told to nobody as serving.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	api *api
}

// watchEvery is how often Watch looks.
const watchEvery = 200 * time.Millisecond

// status is false for a service that is not known.
func (h *health) status(service string) (grpc_health_v1.HealthCheckResponse_ServingStatus, bool) {
	ready := h.api.options.Ready()
	if service != "" && service != pb.GRPCInferenceService_ServiceDesc.ServiceName {
		if _, err := h.api.catalog.Model(service, ""); err != nil && err.Code == router.UnknownModel {
			return grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN, false
		}
		ready = ready && h.api.catalog.ModelReady(service, "")
	}
	if ready {
		return grpc_health_v1.HealthCheckResponse_SERVING, true
	}
	return grpc_health_v1.HealthCheckResponse_NOT_SERVING, true
}

// Check gives the status of a service.
func (h *health) Check(_ context.Context, in *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	s, known := h.status(in.GetService())
	if !known {
		return nil, &router.Error{Code: router.UnknownModel, Field: "service", Message: "no service and no model has this name"}
	}
	return &grpc_health_v1.HealthCheckResponse{Status: s}, nil
}

// Watch sends the status of a service now and at each change.
func (h *health) Watch(in *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := grpc_health_v1.HealthCheckResponse_ServingStatus(-1)
	for {
		if s, _ := h.status(in.GetService()); s != last {
			last = s
			if err := stream.Send(&grpc_health_v1.HealthCheckResponse{Status: s}); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-h.api.stopping:
			return errStopping
		}
	}
}
