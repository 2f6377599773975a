package grpcapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/grpcapi/pb"
	"hotpath/router/routertest"
)

func TestInferGivesTheOutputsRaw(t *testing.T) {
	p := start(t, nil)
	for _, rows := range []int{1, 3, 100} {
		in := request("risk", rows)
		in.Id = "r-1"
		out, err := p.client.ModelInfer(within(t, 5*time.Second), in)
		if err != nil {
			t.Fatal(err)
		}
		if out.GetModelName() != "risk" || out.GetModelVersion() != "1" || out.GetId() != "r-1" || len(out.GetParameters()) != 0 {
			t.Errorf("%d rows: answered by %s/%s for %s with %v", rows, out.GetModelName(), out.GetModelVersion(), out.GetId(), out.GetParameters())
		}
		if len(out.GetOutputs()) != 3 || len(out.GetRawOutputContents()) != 3 {
			t.Fatalf("%d rows: %d outputs, %d raw", rows, len(out.GetOutputs()), len(out.GetRawOutputContents()))
		}
		for i, o := range out.GetOutputs() {
			asked := in.GetInputs()[i] // the fake models give their inputs back
			if o.GetName() != asked.GetName() || o.GetDatatype() != asked.GetDatatype() || !slices.Equal(o.GetShape(), asked.GetShape()) {
				t.Errorf("%d rows: output %v for input %v", rows, o, asked)
			}
			if !bytes.Equal(out.GetRawOutputContents()[i], in.GetRawInputContents()[i]) {
				t.Errorf("%d rows: output %s holds other data", rows, o.GetName())
			}
		}
	}
	if n := p.Metric(t, "hotpath_grpc_requests_total", "method", "model_infer", "code", "ok"); n != 3 {
		t.Errorf("%v requests are counted", n)
	}
}

// startEcho runs a server of one model that gives its inputs back in place.
func startEcho(t testing.TB, e *echo, change func(*setup), ports ...models.Port) *port {
	return start(t, func(s *setup) {
		s.serve = func(r *routertest.Rig) { r.Serve(abtest.Config{}, echoVersion(r, e, ports...)) }
		if change != nil {
			change(s)
		}
	})
}

// echoRequest is a request of one FP32 input of n elements.
func echoRequest(n int, fill byte) *pb.ModelInferRequest {
	return &pb.ModelInferRequest{ModelName: "echo", Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{int64(n)}}},
		RawInputContents: [][]byte{bytes.Repeat([]byte{fill}, 4*n)}}
}

// Messages of one frame and of many, answers that are copied and such that are lent,
// all at once: each gets its own data back, and all memory is given back.
func TestRequestsDoNotShareMemory(t *testing.T) {
	e := &echo{}
	p := startEcho(t, e, func(s *setup) { s.options.MaxMessageBytes = 8 << 20; s.options.MaxStreams = 64 })
	var clients sync.WaitGroup
	for c := range 6 {
		clients.Go(func() {
			for i := range 21 {
				n := []int{1, 50, 255, 300, 5000, 20_000, 60_000}[(c+i)%7]
				in := echoRequest(n, byte(c*21+i))
				in.Id = fmt.Sprint(c, i)
				var options []grpc.CallOption
				if i%10 == 0 {
					options = append(options, grpc.UseCompressor(gzip.Name))
				}
				out, err := p.client.ModelInfer(within(t, 20*time.Second), in, options...)
				if err != nil {
					t.Error(err)
					return
				}
				if out.GetId() != in.GetId() || !bytes.Equal(out.GetRawOutputContents()[0], in.GetRawInputContents()[0]) {
					t.Errorf("request %s of %d elements got other data, for %s", in.GetId(), n, out.GetId())
				}
			}
		})
	}
	clients.Wait()
	a := p.server.api
	eventually(t, "all memory is given back", func() bool {
		return a.messages.used.Load() == 0 && a.lent.Load() == 0 && e.held.Load() == 0 && p.Pipeline.InFlight() == 0
	})
}

func TestContentsAreAccepted(t *testing.T) {
	var ports []models.Port
	in := &pb.ModelInferRequest{ModelName: "echo"}
	for _, c := range everyContents() {
		ports = append(ports, models.Port{Name: c.datatype, DType: dtypeOf([]byte(c.datatype)), Shape: []int{-1}})
		in.Inputs = append(in.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: c.datatype, Datatype: c.datatype, Shape: []int64{int64(c.n)}, Contents: c.contents})
	}
	p := startEcho(t, &echo{}, nil, ports...)
	out, err := p.client.ModelInfer(within(t, 5*time.Second), in)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range everyContents() {
		if got := out.GetRawOutputContents()[i]; !bytes.Equal(got, c.raw) || out.GetOutputs()[i].GetDatatype() != c.datatype || out.GetOutputs()[i].GetContents() != nil {
			t.Errorf("%s: %v with %x, want %x", c.datatype, out.GetOutputs()[i], got, c.raw)
		}
	}
}

func TestWantedOutputs(t *testing.T) {
	p := start(t, nil)
	in := request("risk", 3)
	in.RawInputContents[2] = littleEndian([]float64{1, 2, 5, 3, -1, -1})
	classes := map[string]*pb.InferParameter{"classification": intParameter(1)}
	in.Outputs = []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "x", Parameters: classes}, {Name: "id"}}
	out, err := p.client.ModelInfer(within(t, 5*time.Second), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.GetOutputs()) != 2 || out.GetOutputs()[1].GetName() != "id" || !bytes.Equal(out.GetRawOutputContents()[1], in.GetRawInputContents()[0]) {
		t.Fatalf("got %v", out)
	}
	best := out.GetOutputs()[0]
	want := models.AppendStringElement(models.AppendStringElement(models.AppendStringElement(nil, "2:1"), "5:0"), "-1:0")
	if best.GetDatatype() != "BYTES" || !slices.Equal(best.GetShape(), []int64{3, 1}) || !bytes.Equal(out.GetRawOutputContents()[0], want) {
		t.Errorf("classes: %v %q", best, out.GetRawOutputContents()[0])
	}
	in.Outputs[0].Parameters["classification"] = stringParameter("2")
	refuses(t, p, in, router.BadRequest, "outputs.x: parameters.classification must be the number of classes wanted")
	in.Outputs[0] = &pb.ModelInferRequest_InferRequestedOutputTensor{Name: "z"}
	refuses(t, p, in, router.BadRequest, "outputs.z: the model has no such output; it has id, version, x")
}

func TestRequestsThatAreRefused(t *testing.T) {
	p := start(t, nil)
	for name, c := range map[string]struct {
		change func(in *pb.ModelInferRequest)
		code   router.Code
		want   string
	}{
		"unknown model":   {func(in *pb.ModelInferRequest) { in.ModelName = "nobody" }, router.UnknownModel, `model: no model named "nobody" is loaded`},
		"unknown version": {func(in *pb.ModelInferRequest) { in.ModelVersion = "9" }, router.UnknownModel, "version: "},
		"too few raw":     {func(in *pb.ModelInferRequest) { in.RawInputContents = in.RawInputContents[:2] }, router.BadRequest, "raw_input_contents: holds the data of 2 inputs where inputs names 3"},
		"raw and contents": {func(in *pb.ModelInferRequest) {
			in.Inputs[2].Contents = &pb.InferTensorContents{Fp64Contents: []float64{1, 2}}
		}, router.BadRequest, "inputs.x: has contents, but the request also has raw_input_contents"},
		"neither":       {func(in *pb.ModelInferRequest) { in.RawInputContents = nil }, router.BadRequest, "inputs.id: shape [1] of INT64 needs 8 bytes, got 0"},
		"datatype":      {func(in *pb.ModelInferRequest) { in.Inputs[0].Datatype = "FLOAT" }, router.BadRequest, `inputs.id: datatype "FLOAT" is not one of the protocol's`},
		"wrong type":    {func(in *pb.ModelInferRequest) { in.Inputs[0].Datatype = "FP64" }, router.BadRequest, "inputs.id: is FP64; the model needs INT64"},
		"size":          {func(in *pb.ModelInferRequest) { in.Inputs[0].Shape = []int64{2} }, router.BadRequest, "inputs.id: shape [2] of INT64 needs 16 bytes, got 8"},
		"negative size": {func(in *pb.ModelInferRequest) { in.Inputs[0].Shape = []int64{-1} }, router.BadRequest, "inputs.id: shape [-1] is not a size"},
		"unknown input": {func(in *pb.ModelInferRequest) { in.Inputs[0].Name = "other" }, router.BadRequest, "inputs.other: the model has no such input; it has"},
		"shared memory": {func(in *pb.ModelInferRequest) {
			in.Inputs[1].Parameters = map[string]*pb.InferParameter{"shared_memory_region": stringParameter("r")}
		}, router.BadRequest, "inputs.version: names a shared memory region"},
		"id":            {func(in *pb.ModelInferRequest) { in.Id = strings.Repeat("i", 257) }, router.BadRequest, "id: must be at most 256 bytes long"},
		"timeout":       {func(in *pb.ModelInferRequest) { in.Parameters["timeout"] = intParameter(-1) }, router.BadRequest, "parameters.timeout: must be a whole number of microseconds"},
		"user":          {func(in *pb.ModelInferRequest) { in.Parameters["user_id"] = intParameter(1) }, router.BadRequest, "parameters.user_id: must be a string"},
		"sequence":      {func(in *pb.ModelInferRequest) { in.Parameters["sequence_id"] = intParameter(1) }, router.BadRequest, "parameters.sequence_id: asks for a sequence"},
		"sequence name": {func(in *pb.ModelInferRequest) { in.Parameters["sequence_id"] = stringParameter("s") }, router.BadRequest, "parameters.sequence_id: asks for a sequence"},
	} {
		in := request("risk", 1)
		in.Parameters = map[string]*pb.InferParameter{
			// What says nothing, and what is not known, is accepted.
			"sequence_start": {ParameterChoice: &pb.InferParameter_BoolParam{}}, "priority": {ParameterChoice: &pb.InferParameter_Uint64Param{Uint64Param: 3}},
			"anything": stringParameter("at all"), "timeout": intParameter(0)}
		if _, err := p.client.ModelInfer(within(t, 5*time.Second), in); err != nil {
			t.Fatal(err)
		}
		c.change(in)
		t.Run(name, func(t *testing.T) { refuses(t, p, in, c.code, c.want) })
	}
}

func TestDeadlines(t *testing.T) {
	left := make(chan time.Duration, 1)
	p := startEcho(t, &echo{onScore: func(until time.Time) error { left <- time.Until(until); return nil }}, func(s *setup) {
		s.options.DefaultDeadline, s.options.MaxDeadline = 400*time.Millisecond, time.Second
	})
	const none = time.Duration(0)
	for _, c := range []struct{ call, parameter, want time.Duration }{
		{none, none, 400 * time.Millisecond},
		{200 * time.Millisecond, none, 200 * time.Millisecond},
		{800 * time.Millisecond, none, 800 * time.Millisecond},
		{10 * time.Minute, none, time.Second},
		{none, 150 * time.Millisecond, 150 * time.Millisecond},
		{none, time.Hour, time.Second},
		{200 * time.Millisecond, 700 * time.Millisecond, 200 * time.Millisecond},
		{700 * time.Millisecond, 200 * time.Millisecond, 200 * time.Millisecond},
	} {
		in := echoRequest(1, 0)
		if c.parameter > 0 {
			in.Parameters = map[string]*pb.InferParameter{"timeout": intParameter(c.parameter.Microseconds())}
		}
		ctx := context.Background()
		if c.call > 0 {
			ctx = within(t, c.call)
		}
		if _, err := p.client.ModelInfer(ctx, in); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if l := <-left; l > c.want || l < c.want/2 {
			t.Errorf("%+v leaves %s", c, l)
		}
	}
}

func TestExperimentsAssign(t *testing.T) {
	weight := func(n int) *float64 { f := float64(n); return &f }
	serving := func(treatment router.Scorer) func(s *setup) {
		return func(s *setup) {
			s.serve = func(r *routertest.Rig) {
				v1, v2 := r.Version("risk", 1), r.Version("risk", 2)
				if treatment != nil {
					v2.Lane.Scorer = treatment
				}
				r.Serve(abtest.Config{Experiments: []abtest.ExperimentConfig{{Name: "e", Model: "risk", Fallback: "control",
					Variants: []abtest.VariantConfig{{Name: "control", Weight: weight(100), Version: 1}, {Name: "treatment", Weight: weight(0), Version: 2}}}}}, v1, v2)
			}
		}
	}
	p := start(t, serving(nil))
	infer := func(p *port, forced string) (*pb.ModelInferResponse, error) {
		in := request("risk", 1)
		in.Parameters = map[string]*pb.InferParameter{"user_id": stringParameter("user-1")}
		ctx := within(t, 5*time.Second)
		if forced != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-hotpath-variant", forced)
		}
		return p.client.ModelInfer(ctx, in)
	}
	for _, c := range []struct{ forced, version, variant, reason string }{{"", "1", "control", "split"}, {"treatment", "2", "treatment", "forced"}} {
		out, err := infer(p, c.forced)
		if err != nil {
			t.Fatal(err)
		}
		got := values(out.GetParameters())
		if out.GetModelVersion() != c.version || len(got) != 3 || got["experiment"] != "e" || got["variant"] != c.variant || got["reason"] != c.reason {
			t.Errorf("forced to %q: version %s, %v", c.forced, out.GetModelVersion(), got)
		}
	}
	if _, err := infer(p, "nobody"); err == nil || !strings.Contains(err.Error(), "X-Hotpath-Variant: no experiment of the model has a variant") {
		t.Errorf("forced to nobody: %v", err)
	}
	// An answer of the fallback variant says so.
	p = start(t, serving(&echo{onScore: func(time.Time) error { return errors.New("broken") }}))
	out, err := infer(p, "treatment")
	if err != nil {
		t.Fatal(err)
	}
	if got := values(out.GetParameters()); out.GetModelVersion() != "1" || got["degraded"] != "fallback_variant" || got["variant"] != "control" {
		t.Errorf("fallback: version %s, %v", out.GetModelVersion(), got)
	}
}

func TestRequestIDs(t *testing.T) {
	p := start(t, nil)
	var header, trailer metadata.MD
	call := func(id string, in *pb.ModelInferRequest) error {
		ctx := within(t, 5*time.Second)
		if id != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "x-request-id", id)
		}
		header, trailer = nil, nil
		_, err := p.client.ModelInfer(ctx, in, grpc.Header(&header), grpc.Trailer(&trailer))
		return err
	}
	if err := call("abc-1", request("risk", 1)); err != nil || !slices.Equal(header.Get("x-request-id"), []string{"abc-1"}) {
		t.Errorf("%v with %v", err, header)
	}
	if err := call("", request("risk", 1)); err != nil || len(header.Get("x-request-id")) != 0 {
		t.Errorf("%v with %v", err, header)
	}
	if err := call("abc-2", request("nobody", 1)); err == nil || !slices.Equal(trailer.Get("x-request-id"), []string{"abc-2"}) {
		t.Errorf("%v with %v", err, trailer)
	}
	// What is not fit to repeat is not repeated.
	if err := call(strings.Repeat("i", 300), request("nobody", 1)); err == nil || len(trailer.Get("x-request-id")) != 1 || len(trailer.Get("x-request-id")[0]) > 64 {
		t.Errorf("%v with %v", err, trailer)
	}
}
