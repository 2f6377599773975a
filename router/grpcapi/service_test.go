package grpcapi

import (
	"context"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"hotpath/router"
	"hotpath/router/grpcapi/pb"
	"hotpath/router/oip"
)

func TestWhatTheCatalogSays(t *testing.T) {
	p := start(t, nil)
	ctx := within(t, 10*time.Second)
	call := func(name string, in, out proto.Message, want string) {
		t.Helper()
		if err := p.conn.Invoke(ctx, "/inference.GRPCInferenceService/"+name, in, out); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		expected := out.ProtoReflect().New().Interface()
		if err := protojson.Unmarshal([]byte(want), expected); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(out, expected) {
			t.Errorf("%s: got %s\nwant %s", name, protojson.Format(out), want)
		}
	}
	call("ServerLive", &pb.ServerLiveRequest{}, &pb.ServerLiveResponse{}, `{"live":true}`)
	call("ServerReady", &pb.ServerReadyRequest{}, &pb.ServerReadyResponse{}, `{"ready":true}`)
	call("ModelReady", &pb.ModelReadyRequest{Name: "risk", Version: "stable"}, &pb.ModelReadyResponse{}, `{"ready":true}`)
	call("ModelReady", &pb.ModelReadyRequest{Name: "risk", Version: "9"}, &pb.ModelReadyResponse{}, `{}`)
	call("ModelReady", &pb.ModelReadyRequest{Name: "nobody"}, &pb.ModelReadyResponse{}, `{}`)
	call("ServerMetadata", &pb.ServerMetadataRequest{}, &pb.ServerMetadataResponse{}, `{"name":"hotpath","version":"v1","extensions":["statistics"]}`)
	call("ModelMetadata", &pb.ModelMetadataRequest{Name: "risk"}, &pb.ModelMetadataResponse{}, `{"name":"risk","versions":["1"],"platform":"onnxruntime_onnx",
		"inputs":[{"name":"x","datatype":"FP64","shape":["-1","2"]}],"outputs":[{"name":"y","datatype":"FP64","shape":["-1","2"]}]}`)
	call("ModelConfig", &pb.ModelConfigRequest{Name: "risk"}, &pb.ModelConfigResponse{}, `{"config":{"name":"risk","platform":"onnxruntime_onnx","backend":"onnxruntime",
		"maxBatchSize":64,"versionPolicy":{"latest":{"numVersions":2}},"input":[{"name":"x","dataType":"TYPE_FP64","dims":["2"],"allowRaggedBatch":true}],
		"output":[{"name":"y","dataType":"TYPE_STRING","dims":["-1"]}],"instanceGroup":[{"name":"risk","kind":"KIND_CPU","count":2}],
		"dynamicBatching":{"preferredBatchSize":[8],"defaultQueuePolicy":{"maxQueueSize":256}},"parameters":{"threads":{"stringValue":"1"}},
		"defaultModelFilename":"model.onnx","modelWarmup":[{"name":"zeros","batchSize":8,"count":2}],"modelTransactionPolicy":{}}}`)
	call("ModelStatistics", &pb.ModelStatisticsRequest{Name: "risk"}, &pb.ModelStatisticsResponse{}, `{"modelStats":[{"name":"risk","version":"1","lastInference":"1",
		"inferenceCount":"2","executionCount":"3","inferenceStats":{"success":{"count":"4","ns":"5"},"fail":{},"queue":{"count":"6","ns":"7"},"computeInput":{},"computeInfer":{},
		"computeOutput":{},"cacheHit":{},"cacheMiss":{}},"batchStats":[{"batchSize":"8","computeInput":{},"computeInfer":{"count":"9","ns":"10"},"computeOutput":{}}],
		"memoryUsage":[{"type":"CPU","byteSize":"11"}]}]}`)
	call("RepositoryIndex", &pb.RepositoryIndexRequest{}, &pb.RepositoryIndexResponse{}, `{"models":[{"name":"risk","version":"1","state":"READY"},{"name":"risk","version":"2","state":"UNAVAILABLE","reason":"refused"}]}`)
	call("RepositoryIndex", &pb.RepositoryIndexRequest{Ready: true}, &pb.RepositoryIndexResponse{}, `{"models":[{"name":"risk","version":"1","state":"READY"}]}`)
	call("SystemSharedMemoryStatus", &pb.SystemSharedMemoryStatusRequest{}, &pb.SystemSharedMemoryStatusResponse{}, `{}`)
	call("SystemSharedMemoryUnregister", &pb.SystemSharedMemoryUnregisterRequest{}, &pb.SystemSharedMemoryUnregisterResponse{}, `{}`)
	call("CudaSharedMemoryStatus", &pb.CudaSharedMemoryStatusRequest{}, &pb.CudaSharedMemoryStatusResponse{}, `{}`)
	call("CudaSharedMemoryUnregister", &pb.CudaSharedMemoryUnregisterRequest{}, &pb.CudaSharedMemoryUnregisterResponse{}, `{}`)
	for name, in := range map[string]proto.Message{"ModelMetadata": &pb.ModelMetadataRequest{Name: "nobody"}, "ModelConfig": &pb.ModelConfigRequest{Name: "risk", Version: "8"}, "ModelStatistics": &pb.ModelStatisticsRequest{Name: "nobody"}} {
		err := p.conn.Invoke(ctx, "/inference.GRPCInferenceService/"+name, in, &emptypb.Empty{})
		if status.Code(err) != codes.NotFound {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

func TestVersionPolicies(t *testing.T) {
	for want, p := range map[string]oip.VersionPolicy{
		`{"all":{}}`:                          {All: &struct{}{}},
		`{"specific":{"versions":["3","4"]}}`: {Specific: &oip.SpecificPolicy{Versions: []int64{3, 4}}},
		`{"latest":{"numVersions":1}}`:        {Latest: &oip.LatestPolicy{NumVersions: 1}},
	} {
		expected := &pb.ModelVersionPolicy{}
		if err := protojson.Unmarshal([]byte(want), expected); err != nil {
			t.Fatal(err)
		}
		if got := versionPolicy(&p); !proto.Equal(got, expected) {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	if versionPolicy(&oip.VersionPolicy{}) != nil {
		t.Error("no policy became one")
	}
}

func TestTheRepositoryIsChangedOnlyWhereThatIsAllowed(t *testing.T) {
	for _, on := range []bool{false, true} {
		catalog := &fakeCatalog{}
		p := start(t, func(s *setup) { s.options.Repository, s.catalog = on, catalog })
		ctx := within(t, 5*time.Second)
		_, loadErr := p.client.RepositoryModelLoad(ctx, &pb.RepositoryModelLoadRequest{ModelName: "risk", Parameters: map[string]*pb.ModelRepositoryParameter{
			"config": {ParameterChoice: &pb.ModelRepositoryParameter_StringParam{StringParam: ""}}, "n": {ParameterChoice: &pb.ModelRepositoryParameter_Int64Param{Int64Param: 4}},
			"b": {ParameterChoice: &pb.ModelRepositoryParameter_BoolParam{BoolParam: true}}}})
		_, unloadErr := p.client.RepositoryModelUnload(ctx, &pb.RepositoryModelUnloadRequest{ModelName: "nobody"})
		if !on {
			if status.Code(loadErr) != codes.PermissionDenied || status.Code(unloadErr) != codes.PermissionDenied || len(catalog.loaded)+len(catalog.unloaded) > 0 {
				t.Errorf("off: %v, %v, %v, %v", loadErr, unloadErr, catalog.loaded, catalog.unloaded)
			}
			continue
		}
		if loadErr != nil || !slices.Equal(catalog.loaded, []string{"risk"}) || !reflect.DeepEqual(catalog.parameters, oip.Parameters{"config": "", "n": int64(4), "b": true}) {
			t.Errorf("load: %v, %v with %v", loadErr, catalog.loaded, catalog.parameters)
		}
		if status.Code(unloadErr) != codes.NotFound || !slices.Equal(catalog.unloaded, []string{"nobody"}) {
			t.Errorf("unload: %v, %v", unloadErr, catalog.unloaded)
		}
		_, err := p.client.RepositoryModelLoad(ctx, &pb.RepositoryModelLoadRequest{ModelName: "risk", Parameters: map[string]*pb.ModelRepositoryParameter{
			"file:1/model.onnx": {ParameterChoice: &pb.ModelRepositoryParameter_BytesParam{BytesParam: []byte("x")}}}})
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "parameters.file:1/model.onnx: brings a file") {
			t.Errorf("a file: %v", err)
		}
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	p := start(t, nil)
	client := grpc_health_v1.NewHealthClient(p.conn)
	check := func(service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
		t.Helper()
		out, err := client.Check(within(t, 5*time.Second), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatalf("%q: %v", service, err)
		}
		return out.GetStatus()
	}
	const serving, not = grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	watches := map[string]grpc_health_v1.Health_WatchClient{}
	for _, service := range []string{"", "inference.GRPCInferenceService", "risk", "nobody"} {
		w, err := client.Watch(within(t, 10*time.Second), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		watches[service] = w
	}
	next := func(service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
		t.Helper()
		out, err := watches[service].Recv()
		if err != nil {
			t.Fatalf("%q: %v", service, err)
		}
		return out.GetStatus()
	}
	for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{serving, not} {
		p.ready.Store(want == serving)
		for _, service := range []string{"", "inference.GRPCInferenceService", "risk"} {
			if got := check(service); got != want {
				t.Errorf("%q is %s, want %s", service, got, want)
			}
			if got := next(service); got != want {
				t.Errorf("watching %q: %s, want %s", service, got, want)
			}
		}
	}
	if got := next("nobody"); got != grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("watching nobody: %s", got)
	}
	if _, err := client.Check(within(t, 5*time.Second), &grpc_health_v1.HealthCheckRequest{Service: "nobody"}); status.Code(err) != codes.NotFound {
		t.Errorf("nobody: %v", err)
	}
	p.stop(t, 5*time.Second)
	if _, err := watches["risk"].Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ends with %v", err)
	}
}

func TestReflectionNamesTheServices(t *testing.T) {
	p := start(t, nil)
	s, err := grpc_reflection_v1.NewServerReflectionClient(p.conn).ServerReflectionInfo(within(t, 5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	out, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, service := range out.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	for _, want := range []string{"inference.GRPCInferenceService", "grpc.health.v1.Health"} {
		if !slices.Contains(names, want) {
			t.Errorf("%v lacks %s", names, want)
		}
	}
	// A stream that its client leaves open does not hold the server up.
	began := time.Now()
	p.stop(t, 5*time.Second)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if _, err := s.Recv(); err == nil || err == io.EOF {
		t.Errorf("the stream ends with %v", err)
	}
}

func TestMethodsThatDoNotExist(t *testing.T) {
	p := start(t, nil)
	for _, method := range []string{"/inference.GRPCInferenceService/TraceSetting", "/inference.GRPCInferenceService/SystemSharedMemoryRegister", "/other.Service/Do"} {
		var trailer metadata.MD
		err := p.conn.Invoke(within(t, 5*time.Second), method, &emptypb.Empty{}, &emptypb.Empty{}, grpc.Trailer(&trailer))
		if status.Code(err) != codes.Unimplemented || !slices.Equal(trailer.Get("x-error-code"), []string{"not_found"}) {
			t.Errorf("%s: %v with %v", method, err, trailer)
		}
	}
	if n := p.Metric(t, "hotpath_grpc_requests_total", "method", "unknown", "code", "not_found"); n != 3 {
		t.Errorf("%v requests are counted", n)
	}
}

// panicking is a catalog with a mistake in it.
type panicking struct{ fakeCatalog }

func (*panicking) Ready() bool { panic("a mistake") }

func (*panicking) Model(string, string) (oip.ModelMetadata, *router.Error) { panic("a mistake") }

func TestAPanicIsOneRequests(t *testing.T) {
	p := startEcho(t, &echo{onScore: func(time.Time) error { panic("a mistake") }}, func(s *setup) { s.catalog = &panicking{} })
	refuses(t, p, echoRequest(1, 0), router.Internal, "the gateway failed on this request")
	if _, err := p.client.ServerReady(within(t, 5*time.Second), &pb.ServerReadyRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
	s := open(t, p)
	for range 2 {
		if err := s.Send(echoRequest(1, 0)); err != nil {
			t.Fatal(err)
		}
		if out, err := s.Recv(); err != nil || !strings.HasPrefix(out.GetErrorMessage(), "internal: ") {
			t.Errorf("in a stream: %v %v", out, err)
		}
	}
	watch, err := grpc_health_v1.NewHealthClient(p.conn).Watch(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: "risk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Internal {
		t.Errorf("watching: %v", err)
	}
	if n := p.Metric(t, "hotpath_grpc_request_panics_total"); n != 5 {
		t.Errorf("%v panics are counted", n)
	}
	if got := p.log.String(); strings.Count(got, "panic in a gRPC request") != 5 {
		t.Errorf("the log is %s", got)
	}
	if n := p.Pipeline.InFlight(); n != 0 {
		t.Errorf("%d requests are in flight", n)
	}
}
