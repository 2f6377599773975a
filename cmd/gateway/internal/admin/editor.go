package admin

import (
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models/strictyaml"
	"hotpath/router"
)

// Editor is what the experiments endpoints need of an *experiments.Keeper.
type Editor interface {
	Document() (*experiments.Document, error)
	Save(ctx context.Context, text []byte, e experiments.Edit) (*experiments.Outcome, error)
	Replace(ctx context.Context, document []byte, e experiments.Edit) (*experiments.Outcome, error)
	Patch(ctx context.Context, patch []byte, e experiments.Edit) (*experiments.Outcome, error)
	Restore(ctx context.Context, revision int, e experiments.Edit) (*experiments.Outcome, error)
	Check(ctx context.Context, text []byte, s experiments.Subjects) (*experiments.Outcome, error)
	Lint(ctx context.Context) ([]experiments.Finding, error)
	History() []experiments.Revision
	Revision(number int) (*experiments.RevisionText, error)
	Holds() []experiments.Held
	Hold(ctx context.Context, h abtest.Hold, by experiments.Author) error
	Release(ctx context.Context, experiment string, by experiments.Author) (released int, err error)
}

// editorStatus is the HTTP status of each of the editor's codes.
var editorStatus = map[experiments.Code]int{
	experiments.CodeBadRequest:        http.StatusBadRequest,
	experiments.CodeBadExperiments:    http.StatusUnprocessableEntity,
	experiments.CodePrecondition:      http.StatusPreconditionFailed,
	experiments.CodeNoPrecondition:    http.StatusPreconditionRequired,
	experiments.CodeReadOnly:          http.StatusConflict,
	experiments.CodeNoFile:            http.StatusConflict,
	experiments.CodeConflict:          http.StatusConflict,
	experiments.CodeUnknownRevision:   http.StatusNotFound,
	experiments.CodeUnknownExperiment: http.StatusNotFound,
	experiments.CodeUnknownVariant:    http.StatusNotFound,
	experiments.CodeStorage:           http.StatusServiceUnavailable,
	experiments.CodeNotReady:          http.StatusServiceUnavailable,
	experiments.CodeDeadline:          http.StatusGatewayTimeout,
}

const (
	codeMediaType = "unsupported_media_type"

	actorHeader = "X-Actor"

	kindYAML       = "application/yaml"
	kindJSON       = "application/json"
	kindMergePatch = "application/merge-patch+json"

	// maxCheckBytes leaves room for a text's escapes in JSON, and for ids.
	maxCheckBytes   = 2 * strictyaml.MaxBytes
	maxActorBytes   = 128
	maxMessageBytes = 1000
)

// body adds an operation that takes a body.
func (h *handler) body(method, path string, e endpoint) {
	h.mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) {
		err := error(nil)
		if cross := h.origins.Check(r); cross != nil {
			err = failf(http.StatusForbidden, codeCrossOrigin, "a page of another origin may not use the admin port: %w", cross)
		} else {
			ctx, cancel := context.WithTimeout(r.Context(), operationTimeout)
			defer cancel()
			err = e(w, r.WithContext(ctx))
		}
		h.audit(r, err)
		if err != nil {
			h.fail(w, err)
		}
	})
}

// readBody reads a body of one of some media types; none given is the first.
func readBody(r *http.Request, limit int64, kinds ...string) (kind string, data []byte, err error) {
	kind = kinds[0]
	if given := r.Header.Get("Content-Type"); given != "" {
		if kind, _, err = mime.ParseMediaType(given); err != nil || !slices.Contains(kinds, kind) {
			return "", nil, failf(http.StatusUnsupportedMediaType, codeMediaType, "the body is %.80q, want %s", given, strings.Join(kinds, " or "))
		}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return "", nil, failf(http.StatusUnsupportedMediaType, codeMediaType, "the body is compressed (%.40q); send it as it is", encoding)
	}
	data, err = io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", nil, failf(http.StatusRequestEntityTooLarge, router.BodyTooLarge.String(), "the body is over the limit of %d bytes", limit)
	case err != nil:
		return "", nil, badRequest("the request could not be read: %w", err)
	case len(data) == 0:
		return "", nil, badRequest("the body is empty, want %s", strings.Join(kinds, " or "))
	}
	return kind, data, nil
}

// editParameters are those of every edit.
var editParameters = []string{"dry_run", "message", "actor"}

// editOf reads what an edit says beside its content.
func editOf(r *http.Request, q url.Values, via experiments.Via) (e experiments.Edit, err error) {
	if e.Author, err = authorOf(r, q, via); err != nil {
		return e, err
	}
	if q.Has("dry_run") {
		if err := readBool(q.Get("dry_run"), &e.DryRun); err != nil {
			return e, badRequest("parameter dry_run: %w", err)
		}
	}
	if e.IfMatch, err = ifMatch(r); err != nil {
		return e, err
	}
	if e.IfMatch == "" && e.DryRun {
		e.IfMatch = experiments.AnyETag
	}
	return e, nil
}

// ifMatch is the ETag of the precondition, or *; empty where there is none.
func ifMatch(r *http.Request) (string, error) {
	given := strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ", "))
	if given == "" || given == experiments.AnyETag {
		return given, nil
	}
	inner, quoted := strings.CutPrefix(given, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !quoted || !closed || inner == "" || strings.Contains(inner, `"`) {
		return "", badRequest("header If-Match is %.120q: give one ETag as GET /admin/experiments has it, in double quotes, or *", given)
	}
	return inner, nil
}

// authorOf is who asks, for those who read the history: the caller, where they had to
// say who they are, and behind that whom they name as the actor. Where nobody has to,
// that name counts alone.
func authorOf(r *http.Request, q url.Values, via experiments.Via) (a experiments.Author, err error) {
	a = experiments.Author{Via: via, Who: q.Get("actor"), Message: strings.TrimSpace(q.Get("message"))}
	if header := r.Header.Get(actorHeader); a.Who == "" {
		a.Who = header
	} else if header != "" && header != a.Who {
		return a, badRequest("parameter actor is %.80q and header %s %.80q; give one of them", a.Who, actorHeader, header)
	}
	a.Who = strings.TrimSpace(a.Who)
	if err := printable("the actor", a.Who, maxActorBytes); err != nil {
		return a, err
	}
	switch caller := callerOf(r); {
	case caller != "" && a.Who != "":
		a.Who = caller + " (" + a.Who + ")"
	case caller != "":
		a.Who = caller
	case a.Who == "":
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		a.Who = "admin API from " + host
	}
	return a, printable("the message", a.Message, maxMessageBytes)
}

// printable refuses what would spoil a list or a terminal.
func printable(what, s string, limit int) error {
	switch {
	case len(s) > limit:
		return badRequest("%s has %d bytes, at most %d are kept", what, len(s), limit)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return badRequest("%s %.80q holds characters that cannot be shown", what, s)
	}
	return nil
}

// strongETag is an ETag as headers have it.
func strongETag(etag string) string { return `"` + etag + `"` }

// writeOutcome answers with what an edit did.
func writeOutcome(w http.ResponseWriter, out *experiments.Outcome) error {
	if !out.DryRun {
		w.Header().Set("ETag", strongETag(out.ETag))
	}
	return writeJSON(w, http.StatusOK, out)
}
