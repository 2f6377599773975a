package grpcapi

import (
	"context"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"hotpath/models"
	"hotpath/router"
	"hotpath/router/grpcapi/pb"
)

// plain is ModelInfer over the same pipeline by the library's own means: decoded and
// encoded by the protobuf library, in messages of its own.
type plain struct {
	pb.UnimplementedGRPCInferenceServiceServer
	pipeline *router.Pipeline
}

func (p plain) ModelInfer(_ context.Context, in *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
	x, refusal := p.pipeline.Begin()
	if refusal != nil {
		return nil, refusal
	}
	defer p.pipeline.Finish(x)
	x.Request.Model, x.Until = []byte(in.GetModelName()), time.Now().Add(time.Second)
	for i, t := range in.GetInputs() {
		x.Tensors.Inputs = append(x.Tensors.Inputs, models.Tensor{Name: t.GetName(), DType: dtypeOf([]byte(t.GetDatatype())), Shape: t.GetShape(), Data: in.GetRawInputContents()[i]})
	}
	if refusal := p.pipeline.Infer(x); refusal != nil {
		return nil, refusal
	}
	out := &pb.ModelInferResponse{ModelName: x.Lane.Model, ModelVersion: strconv.Itoa(x.Lane.Version)}
	for _, t := range x.Outputs() {
		out.Outputs = append(out.Outputs, &pb.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.DType.String(), Shape: slices.Clone(t.Shape)})
		out.RawOutputContents = append(out.RawOutputContents, slices.Clone(t.Data))
	}
	return out, nil
}

// verbatim is a client's codec that sends prepared bytes and drops what it receives,
// so that the client's part of a measurement is small and the same.
type verbatim struct{ encoding.CodecV2 }

func (verbatim) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (verbatim) Unmarshal(mem.BufferSlice, any) error { return nil }

// processTime is the CPU time that the process has used: unlike the time that passes
// it is the same on a busy machine.
func processTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkModelInfer sends one request after the other over loopback to a model that
// gives its input back: client, both kernels' sides and server together.
func BenchmarkModelInfer(b *testing.B) {
	for _, size := range []struct {
		name     string
		elements int
	}{{"1x10", 10}, {"7MB", 7 << 20 / 4}} {
		wire, err := proto.Marshal(echoRequest(size.elements, 1))
		if err != nil {
			b.Fatal(err)
		}
		run := func(b *testing.B, addr string) {
			conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.ForceCodecV2(verbatim{encoding.GetCodecV2(protocodec.Name)})))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			before := processTime(b)
			defer func() { b.ReportMetric(float64(processTime(b)-before)/float64(b.N), "cpu-ns/op") }()
			for b.Loop() {
				if err := conn.Invoke(context.Background(), "/inference.GRPCInferenceService/ModelInfer", wire, nil); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(size.name+"/hotpath", func(b *testing.B) {
			p := startEcho(b, &echo{}, func(s *setup) { s.options.MaxMessageBytes = 16 << 20 })
			run(b, p.addr)
		})
		b.Run(size.name+"/plain", func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			p := startEcho(b, &echo{}, nil)
			s := grpc.NewServer(grpc.MaxRecvMsgSize(16 << 20))
			pb.RegisterGRPCInferenceServiceServer(s, plain{pipeline: p.Pipeline})
			served := make(chan error, 1)
			go func() { served <- s.Serve(ln) }()
			run(b, ln.Addr().String())
			s.Stop()
			<-served
		})
	}
}
