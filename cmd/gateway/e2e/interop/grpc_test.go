//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc/status"

	"hotpath/models"
	"hotpath/router/grpcapi/pb"
)

// grpcClient speaks the protocol's gRPC form through the generated stubs.
type grpcClient struct{ stub pb.GRPCInferenceServiceClient }

// inferRaw sends elements as raw_input_contents.
func (c *grpcClient) inferRaw(model string, inputs []models.Tensor) ([]models.Tensor, error) {
	request := &pb.ModelInferRequest{ModelName: model}
	for i := range inputs {
		t := &inputs[i]
		request.Inputs = append(request.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape})
		request.RawInputContents = append(request.RawInputContents, t.Data)
	}
	return c.infer(request)
}

// inferTyped sends elements in the typed fields of InferTensorContents.
func (c *grpcClient) inferTyped(model string, inputs []models.Tensor) ([]models.Tensor, error) {
	request := &pb.ModelInferRequest{ModelName: model}
	for i := range inputs {
		t := &inputs[i]
		request.Inputs = append(request.Inputs, &pb.ModelInferRequest_InferInputTensor{
			Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape, Contents: typedContents(t)})
	}
	return c.infer(request)
}

func (c *grpcClient) infer(request *pb.ModelInferRequest) ([]models.Tensor, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := c.stub.ModelInfer(ctx, request)
	if err != nil {
		return nil, &refusal{status.Code(err).String(), status.Convert(err).Message()}
	}
	var out []models.Tensor
	for i, o := range answer.GetOutputs() {
		dtype, err := models.ParseDType(o.GetDatatype())
		if err != nil {
			return nil, err
		}
		t := models.Tensor{Name: o.GetName(), DType: dtype, Shape: o.GetShape()}
		if i >= len(answer.GetRawOutputContents()) {
			return nil, fmt.Errorf("output %q has no raw_output_contents", t.Name)
		}
		t.Data = bytes.Clone(answer.GetRawOutputContents()[i])
		out = append(out, t)
	}
	return out, nil
}

func typedContents(t *models.Tensor) *pb.InferTensorContents {
	c := &pb.InferTensorContents{}
	each(t, func(e []byte) {
		u := unsigned(e[:min(len(e), 8)])
		switch t.DType {
		case models.Bool:
			c.BoolContents = append(c.BoolContents, e[0] != 0)
		case models.Int8:
			c.IntContents = append(c.IntContents, int32(int8(u)))
		case models.Int16:
			c.IntContents = append(c.IntContents, int32(int16(u)))
		case models.Int32:
			c.IntContents = append(c.IntContents, int32(u))
		case models.Int64:
			c.Int64Contents = append(c.Int64Contents, int64(u))
		case models.Uint8, models.Uint16, models.Uint32:
			c.UintContents = append(c.UintContents, uint32(u))
		case models.Uint64:
			c.Uint64Contents = append(c.Uint64Contents, u)
		case models.Float32:
			c.Fp32Contents = append(c.Fp32Contents, math.Float32frombits(binary.LittleEndian.Uint32(e)))
		case models.Float64:
			c.Fp64Contents = append(c.Fp64Contents, math.Float64frombits(u))
		case models.String:
			c.BytesContents = append(c.BytesContents, e)
		}
	})
	return c
}
