package abtest

// Hold keeps a variant or an experiment from serving, on top of what its file
// says: a guardrail or an operator set it. The file is left as it is, so that this
// works where the file is not ours to write.
type Hold struct {
	Experiment string `json:"experiment"`
	// Variant is rolled back: its units go to the control. Empty: the whole
	// experiment is paused.
	Variant string `json:"variant,omitempty"`
}
