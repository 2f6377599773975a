package router

import "time"

// Code is the stable name of what went wrong, as documented in the API.
type Code uint8

// The vocabulary of errors. It is a contract: names and statuses do not change.
const (
	OK Code = iota
	BadJSON
	BadRequest
	Unauthenticated
	Forbidden
	UnknownModel
	UnknownExperiment
	NotFound
	MethodNotAllowed
	ClientTooSlow
	BodyTooLarge
	UnsupportedEncoding
	BadFeatures
	HeadersTooLarge
	Quota
	Internal
	Overloaded
	Draining
	NotReady
	BreakerOpen
	FeaturesUnavailable
	ModelUnavailable
	Deadline
	numCodes
)

var codes = [numCodes]struct {
	name   string
	status int
}{
	OK:                  {"ok", 200},
	BadJSON:             {"bad_json", 400},
	BadRequest:          {"bad_request", 400},
	Unauthenticated:     {"unauthenticated", 401},
	Forbidden:           {"forbidden", 403},
	UnknownModel:        {"unknown_model", 404},
	UnknownExperiment:   {"unknown_experiment", 404},
	NotFound:            {"not_found", 404},
	MethodNotAllowed:    {"method_not_allowed", 405},
	ClientTooSlow:       {"client_too_slow", 408},
	BodyTooLarge:        {"body_too_large", 413},
	UnsupportedEncoding: {"unsupported_encoding", 415},
	BadFeatures:         {"bad_features", 422},
	HeadersTooLarge:     {"headers_too_large", 431},
	Quota:               {"quota", 429},
	Internal:            {"internal", 500},
	Overloaded:          {"overloaded", 503},
	Draining:            {"draining", 503},
	NotReady:            {"not_ready", 503},
	BreakerOpen:         {"breaker_open", 503},
	FeaturesUnavailable: {"features_unavailable", 503},
	ModelUnavailable:    {"model_unavailable", 503},
	Deadline:            {"deadline", 504},
}

// String is the code as it stands in answers and metrics.
func (c Code) String() string { return codes[c].name }

// Status is the HTTP status that goes with the code.
func (c Code) Status() int { return codes[c].status }

// ParseCode finds a code by its name; false when there is none.
func ParseCode(name string) (Code, bool) {
	for c := range codes {
		if codes[c].name == name {
			return Code(c), true
		}
	}
	return OK, false
}

// Codes lists every code, for metrics and documentation.
func Codes() []Code {
	all := make([]Code, numCodes)
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

// Error is a refusal as the client sees it. It holds nothing that should not
// leave the process.
type Error struct {
	Code    Code
	Message string
	// Field of the request that is at fault, where one is.
	Field string
	// RetryAfter is when to try again; set on every 503 and 429.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Code.String() + ": " + e.Field + ": " + e.Message
	}
	return e.Code.String() + ": " + e.Message
}

// The refusals that are made under pressure are made in advance, so that saying
// no costs less than saying yes.
var (
	errOverloaded = &Error{Code: Overloaded, RetryAfter: time.Second,
		Message: "too many requests in flight (server.max_in_flight)"}
	errDraining = &Error{Code: Draining, RetryAfter: time.Second,
		Message: "the gateway is shutting down; send the request to another replica"}
	errNotReady = &Error{Code: NotReady, RetryAfter: time.Second,
		Message: "the gateway is starting; no models are loaded yet"}
	errModelOverloaded = &Error{Code: Overloaded, RetryAfter: time.Second,
		Message: "the model's queue is full, or the request could not have been finished before its deadline"}
	errModelStuck = &Error{Code: ModelUnavailable, RetryAfter: time.Second,
		Message: "every runner of the model is busy with a run that does not end"}
	errModelFailed = &Error{Code: Internal,
		Message: "the model failed to score the request"}
	errModelTimeout = &Error{Code: ModelUnavailable, RetryAfter: time.Second,
		Message: "the model's run was stopped at its time limit (run_timeout)"}
	errModelClosed = &Error{Code: ModelUnavailable, RetryAfter: time.Second,
		Message: "the model version is being unloaded"}
	errBreakerOpen = &Error{Code: BreakerOpen, RetryAfter: time.Second,
		Message: "the model has been failing; its circuit breaker is open"}
	errRow = &Error{Code: BadFeatures, Field: "features",
		Message: "the model cannot score these values, though it scored others in the same batch"}
	errTensors = &Error{Code: BadFeatures, Field: "inputs",
		Message: "the model cannot score these values, though it scores others"}
	errNeedsTensors = &Error{Code: BadRequest, Field: "model",
		Message: "the model has inputs or outputs whose size varies and takes whole tensors: use POST /v2/models/{model}/infer, or fix the sizes in its config.yaml (inputs[].shape)"}
	errDeadline = &Error{Code: Deadline,
		Message: "the deadline passed before the answer was ready (the parameter timeout, X-Request-Timeout-Ms, deadline.default)"}
	errFeatures = &Error{Code: FeaturesUnavailable, RetryAfter: time.Second,
		Message: "the feature store does not answer, and this model requires its features"}
)
