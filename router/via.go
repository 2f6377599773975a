package router

// Via is what a request is for, and so how its unit came to be assigned.
type Via uint8

// The ways. Predict and Infer are answered by a model; Assign and Flag tell the
// client its variant, and no model runs.
const (
	ViaPredict Via = iota
	ViaInfer
	ViaAssign
	ViaFlag
)
