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

// graph is what is known of a model before it has run.
type graph struct {
	inputs, outputs []declared
	options         SessionOptions
}

// chosenOutputs keeps the outputs that were asked for, in that order.
func chosenOutputs(all []declared, chosen []string) ([]declared, error) {
	if len(chosen) == 0 {
		return all, nil
	}
	var out []declared
	for _, name := range chosen {
		i := slices.IndexFunc(all, func(o declared) bool { return o.name == name })
		if i < 0 {
			return nil, fmt.Errorf("outputs: the model has no output %q (it has %s)", name, strings.Join(names(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func names(ports []declared) []string {
	out := make([]string, len(ports))
	for i := range ports {
		out[i] = ports[i].name
	}
	return out
}

// checkKinds reports every input and output that is no tensor of a known type.
func checkKinds(inputs, outputs []declared) error {
	if len(outputs) == 0 {
		return errors.New("the graph has no outputs; a model needs one at least")
	}
	var errs []error
	for i := range inputs {
		in := &inputs[i]
		switch {
		case in.kind != ort.ONNXTypeTensor:
			errs = append(errs, fmt.Errorf("input %q is a %s; only tensors can be sent: export the model without it", in.name, kindName(in.kind)))
		case in.dtype == models.Invalid:
			errs = append(errs, fmt.Errorf("input %q: element type %s is not supported", in.name, in.elem))
		}
	}
	for i := range outputs {
		if err := checkOutput(&outputs[i]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func checkOutput(out *declared) error {
	switch out.kind {
	case ort.ONNXTypeTensor:
		if out.dtype == models.Invalid {
			return fmt.Errorf("output %q: element type %s is not supported", out.name, out.elem)
		}
		return nil
	case ort.ONNXTypeSequence, ort.ONNXTypeMap:
		return fmt.Errorf("output %q is a %s (scikit-learn's ZipMap), not a tensor: export it with skl2onnx's options={id(model): {\"zipmap\": False}}, or leave it out by listing the outputs wanted in config.yaml",
			out.name, kindName(out.kind))
	default:
		return fmt.Errorf("output %q is a %s, which cannot be served; list the outputs wanted in config.yaml", out.name, kindName(out.kind))
	}
}

// kindName is ONNX_TYPE_SEQUENCE as sequence.
func kindName(k ort.ONNXType) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "ONNX_TYPE_"))
}

// batching decides by the inputs whether first dimensions count rows, and how
// many where the graph fixes that: open ones do, and those fixed at 1.
func (g *graph) batching() (batched bool, fixed int, err error) {
	scalar := false
	var sizes []int
	for i := range g.inputs {
		switch in := &g.inputs[i]; {
		case !in.ranked:
		case len(in.dims) == 0:
			scalar = true
		case in.dims[0] >= 0 && !slices.Contains(sizes, in.dims[0]):
			sizes = append(sizes, in.dims[0])
		}
	}
	switch {
	case g.options.PadBatch:
		if scalar || len(sizes) != 1 || sizes[0] < 2 {
			return false, 0, fmt.Errorf("pad_batch is for a graph whose inputs all have a first dimension fixed at one size above 1; this one has %s: leave pad_batch out", g.inputShapes())
		}
		return true, sizes[0], nil
	case g.options.Unbatched || scalar || len(g.inputs) == 0:
		return false, 0, nil
	case len(sizes) == 0:
		return true, 0, nil
	case len(sizes) == 1 && sizes[0] == 1:
		return true, 1, nil
	}
	return false, 0, nil
}

func (g *graph) inputShapes() string {
	var b strings.Builder
	for i := range g.inputs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %v", g.inputs[i].name, g.inputs[i].dims)
	}
	return b.String()
}

// inPorts are the inputs with the dimensions that the config fixes.
func (g *graph) inPorts(batched bool) ([]models.Port, error) {
	var errs []error
	ports := make([]models.Port, len(g.inputs))
	for i := range g.inputs {
		in := &g.inputs[i]
		shape, err := rowShape(in, batched, g.options.Shapes[in.name])
		if err != nil {
			errs = append(errs, fmt.Errorf("input %q: %w", in.name, err))
		}
		ports[i] = models.Port{Name: in.name, DType: in.dtype, Shape: shape}
	}
	return ports, errors.Join(errs...)
}

// rowShape is the shape of one row of an input, or of the whole without a batch.
func rowShape(in *declared, batched bool, given []int) ([]int, error) {
	if !in.ranked {
		if given == nil {
			return nil, errors.New("the graph does not declare its shape; give it in config.yaml (inputs[].shape)")
		}
		return given, nil
	}
	dims, of := in.dims, "of the whole tensor, since the model has no batch dimension"
	if batched {
		dims, of = in.dims[1:], "of one row, without the batch dimension"
	}
	shape := append([]int{}, dims...)
	if given == nil {
		return shape, nil
	}
	fits := len(given) == len(dims)
	for d := 0; fits && d < len(dims); d++ {
		if dims[d] < 0 {
			shape[d] = given[d]
		} else {
			fits = given[d] < 0 || given[d] == dims[d]
		}
	}
	if !fits {
		return nil, fmt.Errorf("inputs[].shape is %v, but the graph has %v; it is the shape %s, and can only fix dimensions that the graph leaves open (-1)", given, dims, of)
	}
	return shape, nil
}

// sameBatch says that an output is declared with the batch dimension of the
// inputs: the same fixed size, or an open one of the same name.
func (g *graph) sameBatch(out *declared, fixed int) bool {
	switch {
	case !out.ranked || len(out.dims) == 0:
		return false
	case fixed > 0:
		return out.dims[0] == fixed
	case out.dims[0] >= 0 || out.symbols[0] == "":
		return false
	}
	return slices.ContainsFunc(g.inputs, func(in declared) bool {
		return in.ranked && in.dims[0] < 0 && in.symbols[0] == out.symbols[0]
	})
}
