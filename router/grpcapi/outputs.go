package grpcapi

import (
	"math"
	"strings"

	"hotpath/models"
	"hotpath/router"
	"hotpath/router/oip"
)

// outputs are those that the request wants, of the ones that the model gave.
func (m *message) outputs(x *router.Exchange) ([]models.Tensor, *router.Error) {
	all := x.Outputs()
	r := &m.request
	if len(r.outputs) == 0 {
		return all, nil
	}
	for i := range r.outputs {
		w := &r.outputs[i]
		t := findTensor(all, w.name)
		if t == nil {
			return nil, &router.Error{Code: router.BadRequest, Field: "outputs." + shown(w.name),
				Message: "the model has no such output; it has " + tensorNames(all)}
		}
		wanted := *t
		if message := classify(&wanted, x.Lane.Signature.Batched, r.find(w.parameters, "classification")); message != "" {
			return nil, &router.Error{Code: router.BadRequest, Field: "outputs." + shown(w.name), Message: message}
		}
		m.wanted = append(m.wanted, wanted)
	}
	return m.wanted, nil
}

// classify replaces an output by its highest elements, where the parameter asks for
// that.
func classify(t *models.Tensor, batched bool, p *parameter) (message string) {
	if p == nil {
		return ""
	}
	n, ok := p.integer()
	if !ok {
		return "parameters.classification must be the number of classes wanted"
	}
	if n == 0 {
		return ""
	}
	data, shape, err := oip.AppendClasses(nil, t, batched, int(min(n, math.MaxInt32)))
	if err != nil {
		return err.Error()
	}
	t.DType, t.Shape, t.Data = models.String, shape, data
	return ""
}

func findTensor(tensors []models.Tensor, name []byte) *models.Tensor {
	for i := range tensors {
		if tensors[i].Name == string(name) {
			return &tensors[i]
		}
	}
	return nil
}

func tensorNames(tensors []models.Tensor) string {
	names := make([]string, len(tensors))
	for i := range tensors {
		names[i] = tensors[i].Name
	}
	return strings.Join(names, ", ")
}
