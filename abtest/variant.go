package abtest

// Variant is a compiled arm of an experiment.
type Variant struct {
	name, model string
	index       int
	version     int
	label       string
	payload     []byte
	weight      int // basis points
	dealt       int // of the slots; other than weight only under a hold
	canary      bool
	held        bool
	heldCanary  bool
	shadow      bool
	sample      uint16 // basis points
	sampleKey   uint64
}

// Name is unique in the experiment.
func (v *Variant) Name() string { return v.name }

// Model is the model that answers for this variant.
func (v *Variant) Model() string { return v.model }

// Version is the model's version; 0 means the one of Label, or without a label
// the one that the model serves by default.
func (v *Variant) Version() int { return v.version }

// Label names the version by a label of the model; "" when it does not.
func (v *Variant) Label() string { return v.label }

// Payload is the JSON value to hand out with the variant; nil when there is
// none. The bytes are the plan's own: read them only.
func (v *Variant) Payload() []byte { return v.payload }

// Weight is the share of units in basis points; 0 for a shadow.
func (v *Variant) Weight() int { return v.weight }

// Canary says that guardrails are to watch the variant.
func (v *Variant) Canary() bool { return v.canary }

// Held says that a hold gives the variant's units to the control.
func (v *Variant) Held() bool { return v.held }

// Shadow says that the variant is scored off the path and never answers.
func (v *Variant) Shadow() bool { return v.shadow }

// Sample is a shadow's share of the experiment's units in basis points; 0 for a
// variant that answers.
func (v *Variant) Sample() int { return int(v.sample) }

// Index is the place in Experiment.Variants.
func (v *Variant) Index() int { return v.index }
