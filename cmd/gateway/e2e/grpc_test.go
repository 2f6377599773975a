package e2e

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"hotpath/router/grpcapi/pb"
)

// dialGRPC opens a connection to the gateway's gRPC port.
func dialGRPC(t *testing.T, g *gateway) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+g.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestDrainUnderGRPCLoad is row 34 for the gRPC port: clients are told to go away and
// lose nothing, not even to a refusal.
func TestDrainUnderGRPCLoad(t *testing.T) {
	g, _ := startOverRedis(t, "", append(calm, "--set", "server.lame_duck=700ms")...)
	watch, err := grpc_health_v1.NewHealthClient(dialGRPC(t, g)).Watch(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: "risk"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := watch.Recv(); err != nil || out.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("before: %v %v", out, err)
	}
	in := &pb.ModelInferRequest{ModelName: "risk", RawInputContents: [][]byte{make([]byte, 4*30)},
		Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "X", Datatype: "FP32", Shape: []int64{1, 30}}}}
	var answered atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		client := pb.NewGRPCInferenceServiceClient(dialGRPC(t, g))
		clients.Go(func() {
			for {
				ctx, cancel := context.WithTimeout(context.Background(), scaled(10*time.Second))
				_, err := client.ModelInfer(ctx, in)
				cancel()
				if err == nil {
					answered.Add(1)
					continue
				}
				if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "connection refused") {
					t.Errorf("lost: %v", err)
				}
				return
			}
		})
	}
	within(t, scaled(5*time.Second), "some load ran", func() bool { return answered.Load() > 100 })
	g.Signal(t, sigterm)
	if out, err := watch.Recv(); err != nil || out.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("after the signal: %v %v", out, err)
	}
	before := answered.Load()
	code := g.Wait(t, scaled(11*time.Second))
	clients.Wait()
	if code != 0 || answered.Load() == before {
		t.Errorf("exit %d, %d answers while draining", code, answered.Load()-before)
	}
	verdict(t, "SIGTERM under gRPC load", "health follows, none lost, exit 0", "%d answers, %d of them while draining, exit %d", answered.Load(), answered.Load()-before, code)
}
