package inference

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"hotpath/models"
)

var dtypes = map[ort.TensorElementDataType]models.DType{
	ort.TensorElementDataTypeBool: models.Bool, ort.TensorElementDataTypeInt8: models.Int8,
	ort.TensorElementDataTypeInt16: models.Int16, ort.TensorElementDataTypeInt32: models.Int32,
	ort.TensorElementDataTypeInt64: models.Int64, ort.TensorElementDataTypeUint8: models.Uint8,
	ort.TensorElementDataTypeUint16: models.Uint16, ort.TensorElementDataTypeUint32: models.Uint32,
	ort.TensorElementDataTypeUint64: models.Uint64, ort.TensorElementDataTypeFloat16: models.Float16,
	ort.TensorElementDataTypeBFloat16: models.BFloat16, ort.TensorElementDataTypeFloat: models.Float32,
	ort.TensorElementDataTypeDouble: models.Float64, ort.TensorElementDataTypeString: models.String,
}

// ortTypes is the way back.
var ortTypes = func() map[models.DType]ort.TensorElementDataType {
	back := make(map[models.DType]ort.TensorElementDataType, len(dtypes))
	for o, d := range dtypes {
		back[d] = o
	}
	return back
}()

// chosenOutputs keeps the outputs that were asked for, in that order.
func chosenOutputs(all []ort.InputOutputInfo, chosen []string) ([]ort.InputOutputInfo, error) {
	if len(chosen) == 0 {
		return all, nil
	}
	var out []ort.InputOutputInfo
	for _, name := range chosen {
		i := slices.IndexFunc(all, func(o ort.InputOutputInfo) bool { return o.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("outputs: the model has no output %q (it has %s)", name, strings.Join(names(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// readSignature fills the input layout, and checks the kinds of the outputs;
// their shapes are settled by probe.
func (s *Session) readSignature(inputs, outputs []ort.InputOutputInfo) error {
	if len(inputs) == 0 || len(outputs) == 0 {
		return fmt.Errorf("the graph has %d inputs and %d outputs; a model needs one of each at least", len(inputs), len(outputs))
	}
	var errs []error
	ports := make([]models.Port, len(inputs))
	for i := range inputs {
		in := &inputs[i]
		port, batch, err := readPort(in)
		if err != nil {
			errs = append(errs, fmt.Errorf("input %q: %w", in.Name, err))
			continue
		}
		for d, n := range port.Shape {
			if n < 0 {
				errs = append(errs, fmt.Errorf("input %q: dimension %d of %v is dynamic; only the first (batch) dimension may be: export the model with that dimension fixed",
					in.Name, d+1, in.Dimensions))
				break
			}
		}
		if err := s.agreeOnBatch(batch); err != nil {
			errs = append(errs, fmt.Errorf("input %q: %w", in.Name, err))
		}
		ports[i] = port
	}
	for i := range outputs {
		if err := checkKind(&outputs[i]); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// Checked before a trial run makes a row of them.
	s.in = models.NewLayout(ports)
	sig := models.Signature{Inputs: ports, Outputs: []models.Port{{DType: models.Bool}}}
	return sig.Validate()
}

// agreeOnBatch holds a graph to one batch size for all its inputs: to 1 where any
// of them is fixed at 1, in whatever order they come.
func (s *Session) agreeOnBatch(batch int64) error {
	switch {
	case batch < 0:
		return nil
	case batch == 1:
		s.fixed = 1
		return nil
	default:
		return fmt.Errorf("its first dimension is fixed at %d; Hotpath batches along the first dimension, which must be dynamic (or 1): export with dynamic_axes, or with a batch dimension added", batch)
	}
}

// readPort splits a tensor's dimensions into the batch and one row's shape.
func readPort(info *ort.InputOutputInfo) (port models.Port, batch int64, err error) {
	if info.OrtValueType != ort.ONNXTypeTensor {
		return port, 0, fmt.Errorf("is a %s; only tensors can be sent", info.OrtValueType)
	}
	dt, ok := dtypes[info.DataType]
	if !ok {
		return port, 0, fmt.Errorf("element type %s is not supported", info.DataType)
	}
	if len(info.Dimensions) == 0 {
		return port, 0, errors.New("is a scalar without a batch dimension: export the model with inputs of shape [batch, ...]")
	}
	port = models.Port{Name: info.Name, DType: dt, Shape: []int{}}
	for _, d := range info.Dimensions[1:] {
		port.Shape = append(port.Shape, int(d))
	}
	return port, info.Dimensions[0], nil
}

func checkKind(info *ort.InputOutputInfo) error {
	switch info.OrtValueType {
	case ort.ONNXTypeTensor:
		if _, ok := dtypes[info.DataType]; !ok {
			return fmt.Errorf("output %q: element type %s is not supported", info.Name, info.DataType)
		}
		return nil
	case ort.ONNXTypeSequence, ort.ONNXTypeMap:
		return fmt.Errorf("output %q is a %s (scikit-learn's ZipMap), not a tensor: export it with skl2onnx's options={id(model): {\"zipmap\": False}}, or leave it out by listing the outputs wanted in config.yaml",
			info.Name, strings.ToLower(strings.TrimPrefix(info.OrtValueType.String(), "ONNX_TYPE_")))
	default:
		return fmt.Errorf("output %q is a %s, which cannot be served; list the outputs wanted in config.yaml", info.Name, info.OrtValueType)
	}
}

// probe settles the shapes of the outputs: as declared where the graph declares
// them, otherwise as one run of one row shows.
func (s *Session) probe(outputs []ort.InputOutputInfo, sample func(*models.Layout, *models.Row) error) error {
	ports := make([]models.Port, len(outputs))
	known := true
	for i := range outputs {
		port, batch, err := readPort(&outputs[i])
		if err != nil || batch >= 0 && batch != int64(s.fixed) || slices.Min(append(port.Shape, 1)) < 1 {
			known = false
			break
		}
		ports[i] = port
	}
	if known {
		s.out = models.NewLayout(ports)
		return nil
	}
	return s.probeByRun(outputs, sample)
}

func (s *Session) probeByRun(outputs []ort.InputOutputInfo, sample func(*models.Layout, *models.Row) error) error {
	frame := newBuffers(s.in, 1)
	defer frame.free()
	row := s.in.NewRow()
	if sample != nil {
		if err := sample(s.in, &row); err != nil {
			return err
		}
	}
	frame.SetRow(0, &row)
	in, err := frame.tensors(1)
	if err != nil {
		return err
	}
	defer destroy(in)
	if err := frame.fillStrings(in, 1); err != nil {
		return err
	}
	out := make([]ort.Value, len(outputs))
	if err := s.session.Run(in, out); err != nil {
		return fmt.Errorf("the graph does not declare the shapes of its outputs, and a trial run to find them failed (an output without a batch dimension cannot be served; where zeros are no valid input, a golden.json beside the model gives a valid row): %w", err)
	}
	defer destroy(out)
	ports := make([]models.Port, len(outputs))
	for i := range out {
		shape := out[i].GetShape()
		if len(shape) == 0 || shape[0] != 1 {
			return fmt.Errorf("output %q has shape %v for one row; Hotpath needs outputs of shape [batch, ...]; list the outputs wanted in config.yaml", outputs[i].Name, shape)
		}
		ports[i] = models.Port{Name: outputs[i].Name, DType: dtypes[outputs[i].DataType], Shape: []int{}}
		for _, d := range shape[1:] {
			ports[i].Shape = append(ports[i].Shape, int(d))
		}
	}
	s.out = models.NewLayout(ports)
	return nil
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}
