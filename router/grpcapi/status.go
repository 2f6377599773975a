package grpcapi

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"hotpath/router"
)

// errorCodeKey is the metadata that holds the stable code of an error.
const errorCodeKey = "x-error-code"

// errorDomain is the domain of the ErrorInfo of our errors.
const errorDomain = "hotpath"

// grpcCode is the status that goes with a code. What another replica may do better
// is UNAVAILABLE. Overload is not: clients, KServe's for one, try UNAVAILABLE again
// at once and three times, which would triple it.
func grpcCode(c router.Code) codes.Code {
	switch c {
	case router.OK:
		return codes.OK
	case router.BadJSON, router.BadRequest, router.BadFeatures:
		return codes.InvalidArgument
	case router.UnknownModel, router.UnknownExperiment:
		return codes.NotFound
	case router.NotFound, router.MethodNotAllowed, router.UnsupportedEncoding:
		return codes.Unimplemented
	case router.Unauthenticated:
		return codes.Unauthenticated
	case router.Forbidden:
		return codes.PermissionDenied
	case router.Quota, router.Overloaded, router.BodyTooLarge, router.HeadersTooLarge:
		return codes.ResourceExhausted
	case router.Draining, router.NotReady, router.BreakerOpen, router.FeaturesUnavailable, router.ModelUnavailable:
		return codes.Unavailable
	case router.Deadline, router.ClientTooSlow:
		return codes.DeadlineExceeded
	}
	return codes.Internal
}

// codeOf is the code under which the library's own refusals are counted.
func codeOf(c codes.Code) router.Code {
	switch c {
	case codes.OK:
		return router.OK
	case codes.Canceled, codes.DeadlineExceeded:
		return router.ClientTooSlow
	case codes.ResourceExhausted:
		return router.BodyTooLarge
	case codes.Unimplemented:
		return router.NotFound
	case codes.Unavailable:
		return router.Draining
	case codes.Internal: // a stream that ended within a message
		return router.BadRequest
	}
	return router.Internal
}

// statusOf is an error as a status, with its code, its field and when to try again
// as details.
func statusOf(e *router.Error, requestID string) *status.Status {
	message := e.Message
	info := &errdetails.ErrorInfo{Reason: strings.ToUpper(e.Code.String()), Domain: errorDomain, Metadata: map[string]string{"code": e.Code.String()}}
	if requestID != "" {
		info.Metadata["request_id"] = requestID
	}
	if e.Field != "" {
		message = e.Field + ": " + message
		info.Metadata["field"] = clipped(e.Field)
	}
	details := []protoadapt.MessageV1{info}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	s := status.New(grpcCode(e.Code), clipped(message))
	if with, err := s.WithDetails(details...); err == nil {
		return with
	}
	return s
}

// maxMessage bounds the texts of a status, in bytes: they are sent as a header, and
// clients refuse large ones together with the status.
const maxMessage = 1024

func clipped(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// trailer is the metadata that goes with an error.
func trailer(e *router.Error, requestID string) metadata.MD {
	md := metadata.MD{errorCodeKey: {e.Code.String()}}
	if requestID != "" {
		md[requestIDKey] = []string{requestID}
	}
	return md
}

// errorID is the identifier that goes with an error: the caller's, else one of our own.
func (a *api) errorID(ctx context.Context) string {
	if id := callerID(ctx); id != "" {
		return id
	}
	return string(a.ids.Append(nil))
}
