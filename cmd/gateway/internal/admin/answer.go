package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models/promotion"
	"hotpath/models/repository"
	"hotpath/models/strictyaml"
	"hotpath/router"
)

// Codes beside those of the router and the repository.
const (
	codeCrossOrigin    = "cross_origin"
	codeBadExperiments = "bad_experiments"
	codeUnknownGuard   = "unknown_guard"
)

// ErrNoGuard is what Options.GuardHold gives for a name that no guard has.
var ErrNoGuard = errors.New("there is no such guard")

// ErrorBody is the body of every answer that is no success.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what is wrong.
type ErrorDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Problems are those of a file, each with its place.
	Problems []strictyaml.Problem `json:"problems,omitempty"`
}

// failure is an error with its HTTP status.
type failure struct {
	status   int
	code     string
	problems []strictyaml.Problem
	// etag is that of what there is, where the request was for something else.
	etag string
	// retry is when to try again, where that is known.
	retry time.Duration
	err   error
}

func (f *failure) Error() string { return f.code + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func failf(status int, code, format string, args ...any) *failure {
	return &failure{status: status, code: code, err: fmt.Errorf(format, args...)}
}

func badRequest(format string, args ...any) *failure {
	return failf(http.StatusBadRequest, router.BadRequest.String(), format, args...)
}

// repositoryStatus is the HTTP status of each of the repository's codes.
var repositoryStatus = map[repository.Code]int{
	repository.CodeUnknownModel:   http.StatusNotFound,
	repository.CodeUnknownVersion: http.StatusNotFound,
	repository.CodeUnknownLabel:   http.StatusNotFound,
	repository.CodeBadRequest:     http.StatusBadRequest,
	repository.CodeBadModel:       http.StatusUnprocessableEntity,
	repository.CodeConflict:       http.StatusConflict,
	repository.CodeDeadline:       http.StatusGatewayTimeout,
	repository.CodeClosed:         http.StatusServiceUnavailable,
}

// failureOf is the table from errors to answers.
func failureOf(err error) *failure {
	var own *failure
	var repo *repository.Error
	var deployment *promotion.Error
	var edit *experiments.Error
	switch {
	case errors.As(err, &own):
		return own
	// Before the repository's: a refused edit holds why a version could not be loaded.
	case errors.As(err, &edit):
		if status, known := editorStatus[edit.Code]; known {
			return &failure{status: status, code: string(edit.Code), err: err, problems: problemsOf(edit.Err), etag: edit.ETag}
		}
	case errors.As(err, &repo):
		if status, known := repositoryStatus[repo.Code]; known {
			return &failure{status: status, code: string(repo.Code), err: err}
		}
	case errors.As(err, &deployment):
		if status, known := promotionStatus[deployment.Code]; known {
			return &failure{status: status, code: string(deployment.Code), err: err}
		}
	case errors.Is(err, ErrNoGuard):
		return &failure{status: http.StatusNotFound, code: codeUnknownGuard, err: err}
	}
	return &failure{status: http.StatusInternalServerError, code: router.Internal.String(), err: err}
}

// problemsOf lists the problems in an error of a reload, in one form. An error
// that joins others gives those of each, and what is no problem of a file is one
// without a place; nil when none is.
func problemsOf(err error) []strictyaml.Problem {
	var all []strictyaml.Problem
	placed := false
	var collect func(err error)
	collect = func(err error) {
		switch err := err.(type) {
		case strictyaml.Problems:
			all, placed = append(all, err...), true
		case abtest.Problems:
			for _, p := range err {
				all = append(all, strictyaml.Problem{Path: p.Path, Message: p.Message})
			}
			placed = true
		case interface{ Unwrap() []error }:
			for _, one := range err.Unwrap() {
				collect(one)
			}
		default:
			all = append(all, strictyaml.Problem{Message: err.Error()})
		}
	}
	collect(err)
	if !placed {
		return nil
	}
	return all
}

func (h *handler) fail(w http.ResponseWriter, err error) {
	f := failureOf(err)
	setRefusalHeaders(w.Header(), f)
	if f.etag != "" {
		w.Header().Set("ETag", strongETag(f.etag))
	}
	if werr := writeJSON(w, f.status, ErrorBody{ErrorDetail{f.code, f.err.Error(), f.problems}}); werr != nil {
		h.o.Log.Error("an admin answer could not be written", "error", werr)
	}
}

// writeJSON answers with v. The body is made before anything is sent, so that a
// value that cannot be encoded is an error and not half an answer.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	writeBody(w, status, "application/json", append(body, '\n'))
	return nil
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// The client may have left: there is nobody to tell.
	_, _ = w.Write(body)
}
