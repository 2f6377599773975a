package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"hotpath/models/promotion"
	"hotpath/models/repository"
	"hotpath/router"
)

// Deployments is what the deployments endpoints need of a *promotion.Manager.
type Deployments interface {
	Deploy(ctx context.Context, model string, r promotion.Request, key string, files promotion.Files) (s promotion.Saga, fresh bool, err error)
	List(model string) []promotion.Saga
	Get(id string) (promotion.Saga, error)
	Watch(ctx context.Context, id string, each func(promotion.Saga) error) error
	Cancel(ctx context.Context, id string) (promotion.Saga, error)
}

// DeploymentList is the answer of the lists, the newest first.
type DeploymentList struct {
	Deployments []promotion.Saga `json:"deployments"`
}

// keyHeader makes a POST safe to repeat.
const keyHeader = "Idempotency-Key"

// The bounds of a watched deployment.
const (
	maxWatchers    = 64
	heartbeatEvery = 10 * time.Second
	eventTimeout   = 30 * time.Second
)

var promotionStatus = map[promotion.Code]int{
	promotion.CodeBadRequest:        http.StatusBadRequest,
	promotion.CodeUpload:            http.StatusBadRequest,
	promotion.CodeUnknownModel:      http.StatusNotFound,
	promotion.CodeUnknownVersion:    http.StatusNotFound,
	promotion.CodeUnknownDeployment: http.StatusNotFound,
	promotion.CodeConflict:          http.StatusConflict,
	promotion.CodeTooLarge:          http.StatusRequestEntityTooLarge,
	promotion.CodeKeyReused:         http.StatusUnprocessableEntity,
	promotion.CodeBadModel:          http.StatusUnprocessableEntity,
	promotion.CodeStorage:           http.StatusServiceUnavailable,
	promotion.CodeClosed:            http.StatusServiceUnavailable,
}

// deploymentParameters are those of a POST.
var deploymentParameters = []string{"version", "from", "sha256", "shadow", "agreement", "tolerance", "watch_window",
	"max_error_rate", "max_latency_ratio", "allow_contract_change"}

// upload adds an operation that takes a body, which has its own time to arrive.
func (h *handler) upload(path string, e endpoint) {
	h.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		err := error(nil)
		if cross := h.origins.Check(r); cross != nil {
			err = failf(http.StatusForbidden, codeCrossOrigin, "a page of another origin may not use the admin port: %w", cross)
		} else {
			control := http.NewResponseController(w)
			// A writer that knows no deadlines is a test's.
			_ = control.SetReadDeadline(time.Now().Add(h.o.UploadTimeout))
			_ = control.SetWriteDeadline(time.Now().Add(h.o.UploadTimeout + eventTimeout))
			ctx, cancel := context.WithTimeout(r.Context(), h.o.UploadTimeout)
			defer cancel()
			err = e(w, r.WithContext(ctx))
		}
		h.audit(r, err)
		if err != nil {
			h.fail(w, err)
		}
	})
}

func (h *handler) deploy(w http.ResponseWriter, r *http.Request, q url.Values) error {
	request, err := deployment(q, h.o.DeploymentDefaults)
	if err != nil {
		return err
	}
	request.By = callerOf(r)
	files, err := filesOf(r, q.Has("from"))
	if err != nil {
		return err
	}
	s, fresh, err := h.o.Deployments.Deploy(r.Context(), r.PathValue("model"), request, r.Header.Get(keyHeader), files)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/admin/deployments/"+s.ID)
	if !fresh {
		return writeJSON(w, http.StatusOK, s)
	}
	return writeJSON(w, http.StatusAccepted, s)
}

// deployment reads the parameters of a POST over the defaults.
func deployment(q url.Values, r promotion.Request) (promotion.Request, error) {
	var errs []error
	for name, read := range map[string]func(text string) error{
		"version":               func(s string) (err error) { r.Version, err = versionNumber(s); return err },
		"from":                  func(s string) (err error) { r.From, err = versionNumber(s); return err },
		"sha256":                func(s string) error { r.SHA256 = s; return nil },
		"shadow":                func(s string) error { return readShadow(s, &r) },
		"agreement":             func(s string) error { return readNumber(s, &r.Agreement) },
		"tolerance":             func(s string) error { return readNumber(s, &r.Tolerance) },
		"watch_window":          func(s string) error { return readDuration(s, &r.WatchWindow) },
		"max_error_rate":        func(s string) error { return readNumber(s, &r.MaxErrorRate) },
		"max_latency_ratio":     func(s string) error { return readNumber(s, &r.MaxLatencyRatio) },
		"allow_contract_change": func(s string) error { return readBool(s, &r.AllowContractChange) },
	} {
		if !q.Has(name) {
			continue
		}
		if err := read(q.Get(name)); err != nil {
			errs = append(errs, badRequest("parameter %s: %w", name, err))
		}
	}
	return r, errors.Join(errs...)
}

func versionNumber(s string) (int, error) { return repository.ParseVersion(s) }

func readNumber(s string, to *float64) (err error) {
	if *to, err = strconv.ParseFloat(s, 64); err != nil {
		return fmt.Errorf("%.40q is not a number", s)
	}
	return nil
}

func readBool(s string, to *bool) (err error) {
	if *to, err = strconv.ParseBool(s); err != nil {
		return fmt.Errorf("%.40q is neither true nor false", s)
	}
	return nil
}

func readDuration(s string, to *promotion.Duration) error {
	if err := to.UnmarshalText([]byte(s)); err != nil {
		return fmt.Errorf("%.40q is no time: want a number with its unit, as in 30s", s)
	}
	return nil
}

// readShadow reads a number of requests, or a time such as 30s.
func readShadow(s string, r *promotion.Request) error {
	if n, err := strconv.Atoi(s); err == nil {
		r.ShadowRequests = n
		return nil
	}
	if err := r.ShadowTime.UnmarshalText([]byte(s)); err != nil {
		return fmt.Errorf("%.40q is neither a number of requests, as in 1000, nor a time, as in 30s", s)
	}
	return nil
}

// filesOf finds the files in a request: the model alone, or the parts of a form.
func filesOf(r *http.Request, none bool) (promotion.Files, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case none:
		if n, _ := io.CopyN(io.Discard, r.Body, 1); n > 0 {
			return nil, badRequest("from names a version of the repository, and there is a body too: send one of both")
		}
		return nil, nil
	case err == nil && kind == "multipart/form-data":
		parts, err := r.MultipartReader()
		if err != nil {
			return nil, badRequest("the form cannot be read: %w", err)
		}
		return formFiles(func() (string, io.Reader, error) {
			p, err := parts.NextPart()
			if err != nil {
				return "", nil, err
			}
			return p.FormName(), p, nil
		}), nil
	}
	return &oneFile{r.Body, false}, nil
}

// formFiles are the parts of a form; it gives the next one's name and content.
type formFiles func() (name string, content io.Reader, err error)

func (f formFiles) Next() (string, io.Reader, error) {
	part, content, err := f()
	if err != nil {
		return "", nil, err
	}
	name, known := map[string]string{"model": promotion.ModelFile, "config": promotion.ConfigFile, "golden": promotion.GoldenFile}[part]
	if !known {
		return "", nil, badRequest("the form has a part %.80q; its parts are model, config and golden", part)
	}
	return name, content, nil
}

// oneFile is a body that is the model.
type oneFile struct {
	body  io.Reader
	given bool
}

func (o *oneFile) Next() (string, io.Reader, error) {
	if o.given {
		return "", nil, io.EOF
	}
	o.given = true
	return promotion.ModelFile, o.body, nil
}

func (h *handler) deployments(w http.ResponseWriter, _ *http.Request, _ url.Values) error {
	return writeJSON(w, http.StatusOK, DeploymentList{h.o.Deployments.List("")})
}

func (h *handler) modelDeployments(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return writeJSON(w, http.StatusOK, DeploymentList{h.o.Deployments.List(r.PathValue("model"))})
}

func (h *handler) deployment(w http.ResponseWriter, r *http.Request, q url.Values) error {
	watch := false
	if q.Has("watch") {
		if err := readBool(q.Get("watch"), &watch); err != nil {
			return badRequest("parameter watch: %w", err)
		}
	}
	s, err := h.o.Deployments.Get(r.PathValue("id"))
	switch {
	case err != nil:
		return err
	case watch:
		return h.watch(w, r, s.ID)
	}
	return writeJSON(w, http.StatusOK, s)
}

func (h *handler) cancelDeployment(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	s, err := h.o.Deployments.Cancel(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s)
}

// watch sends a deployment after every change as a server-sent event, until it
// has ended, the client leaves or the gateway stops.
func (h *handler) watch(w http.ResponseWriter, r *http.Request, id string) error {
	select {
	case h.watchers <- struct{}{}:
		defer func() { <-h.watchers }()
	default:
		return failf(http.StatusServiceUnavailable, router.Overloaded.String(), "%d deployments are being watched, which is the most; ask without watch", maxWatchers)
	}
	ctx, cancel := context.WithCancel(r.Context())
	changes, over := make(chan promotion.Saga), make(chan struct{})
	go func() {
		defer close(over)
		// Why it ended shows in the last event, or in its absence.
		_ = h.o.Deployments.Watch(ctx, id, func(s promotion.Saga) error {
			select {
			case changes <- s:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() { cancel(); <-over }()
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if !sendEvent(w, nil) { // so that the client knows by now
		return nil
	}
	beat := time.NewTicker(heartbeatEvery)
	defer beat.Stop()
	for {
		var event []byte
		select {
		case s := <-changes:
			data, err := json.Marshal(s)
			if err != nil {
				return nil // nothing of it can fail; the answer has begun
			}
			event = append(append([]byte("event: deployment\ndata: "), data...), "\n\n"...)
		case <-beat.C:
			event = []byte(": still there\n\n")
		case <-over:
			return nil
		}
		if !sendEvent(w, event) {
			return nil
		}
	}
}

// sendEvent writes and flushes; false when the client is gone or does not read.
func sendEvent(w http.ResponseWriter, event []byte) bool {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(eventTimeout))
	if _, err := w.Write(event); err != nil {
		return false
	}
	return control.Flush() == nil
}
