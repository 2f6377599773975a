package models

// Binding says which features fill one input port of a model, in order. Their
// widths add up to the port's row width. An input without a binding follows the
// defaults of the feature stage: a width-1 input is a request-only feature of
// the input's own name, a wider one a raw tensor of the request.
type Binding struct {
	// Port is the index of the input in the model's Layout.
	Port int
	// Features are names as in the model's config: "entity.feature" is read
	// from the store, a bare name comes with the request.
	Features []string
}
