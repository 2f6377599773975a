package httpapi

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"hotpath/router"
	"hotpath/router/oip"
)

// The metadata of TensorFlow Serving, as JSON of its protobuf messages.
type metadataV1 struct {
	Spec struct {
		Name      string `json:"name"`
		Signature string `json:"signature_name"`
		Version   string `json:"version,omitempty"`
	} `json:"model_spec"`
	Metadata struct {
		Definitions struct {
			ByName map[string]signatureV1 `json:"signature_def"`
		} `json:"signature_def"`
	} `json:"metadata"`
}

type signatureV1 struct {
	Inputs  map[string]tensorV1 `json:"inputs"`
	Outputs map[string]tensorV1 `json:"outputs"`
	Method  string              `json:"method_name"`
}

type tensorV1 struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape struct {
		Dims    []dimV1 `json:"dim"`
		Unknown bool    `json:"unknown_rank"`
	} `json:"tensor_shape"`
}

type dimV1 struct {
	Size string `json:"size"`
	Name string `json:"name"`
}

// signatureName is what the one signature of an ONNX model is called there.
const signatureName = "serving_default"

func (h *Handler) metadataV1(ctx *fasthttp.RequestCtx, t target) router.Code {
	name, version := string(t.model), string(t.version)
	model, refusal := h.options.Catalog.Model(name, version)
	if refusal == nil && version != "" {
		version, refusal = h.versionNumber(name, version)
	}
	if refusal != nil {
		return h.refuse(ctx, nil, refusal)
	}
	var m metadataV1
	m.Spec.Name, m.Spec.Version = name, version
	m.Metadata.Definitions.ByName = map[string]signatureV1{signatureName: {
		Inputs: tensorsV1(model.Inputs), Outputs: tensorsV1(model.Outputs), Method: "tensorflow/serving/predict"}}
	return h.writeJSON(ctx, m)
}

func tensorsV1(all []oip.TensorMetadata) map[string]tensorV1 {
	out := map[string]tensorV1{}
	for _, one := range all {
		t := tensorV1{Name: one.Name, DType: dtypeV1(one.Datatype)}
		t.Shape.Dims = []dimV1{}
		for _, d := range one.Shape {
			t.Shape.Dims = append(t.Shape.Dims, dimV1{Size: strconv.FormatInt(d, 10)})
		}
		out[one.Name] = t
	}
	return out
}

// dtypeV1 is TensorFlow's name of an element type.
func dtypeV1(datatype string) string {
	switch datatype {
	case "FP32":
		return "DT_FLOAT"
	case "FP64":
		return "DT_DOUBLE"
	case "FP16":
		return "DT_HALF"
	case "BF16":
		return "DT_BFLOAT16"
	case "BYTES":
		return "DT_STRING"
	}
	return "DT_" + datatype
}
