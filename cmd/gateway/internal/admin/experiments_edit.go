package admin

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"hotpath/cmd/gateway/internal/experiments"
	"hotpath/models"
	"hotpath/models/strictyaml"
)

// putExperiments makes the body the experiments file.
func (h *handler) putExperiments(w http.ResponseWriter, r *http.Request, q url.Values) error {
	e, err := editOf(r, q, experiments.ViaAPI)
	if err != nil {
		return err
	}
	kind, data, err := readBody(r, strictyaml.MaxBytes, kindYAML, kindJSON)
	if err != nil {
		return err
	}
	save := h.o.Editor.Save
	if kind == kindJSON {
		save = h.o.Editor.Replace
	}
	out, err := save(r.Context(), data, e)
	if err != nil {
		return err
	}
	return writeOutcome(w, out)
}

// patchExperiments merges the body into the experiments file.
func (h *handler) patchExperiments(w http.ResponseWriter, r *http.Request, q url.Values) error {
	e, err := editOf(r, q, experiments.ViaAPI)
	if err != nil {
		return err
	}
	_, data, err := readBody(r, strictyaml.MaxBytes, kindMergePatch, kindJSON)
	if err != nil {
		return err
	}
	out, err := h.o.Editor.Patch(r.Context(), data, e)
	if err != nil {
		return err
	}
	return writeOutcome(w, out)
}

// restore makes a revision the experiments file again.
func (h *handler) restore(w http.ResponseWriter, r *http.Request, q url.Values) error {
	e, err := editOf(r, q, experiments.ViaRestore)
	if err != nil {
		return err
	}
	number, err := revisionNumber("parameter revision", q.Get("revision"))
	if err != nil {
		return err
	}
	if e.Author.Message == "" {
		e.Author.Message = "revision " + strconv.Itoa(number)
	}
	out, err := h.o.Editor.Restore(r.Context(), number, e)
	if err != nil {
		return err
	}
	return writeOutcome(w, out)
}

// revisionNumber reads a number from 1, without the texts that mean another one.
func revisionNumber(what, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || strconv.Itoa(n) != text {
		return 0, badRequest("%s is %.40q, want a number from GET /admin/experiments/history", what, text)
	}
	return n, nil
}

// checkRequest is the body of /admin/experiments/check.
type checkRequest struct {
	// Text is the whole file.
	Text string `json:"text"`
	// Users are decided about instead of the sample of the traffic.
	Users []string `json:"users"`
	// Model that they ask for; empty: each that an experiment is about.
	Model string `json:"model"`
	// Entities and Context are what each of their requests brings.
	Entities map[string]string          `json:"entities"`
	Context  map[string]json.RawMessage `json:"context"`
	// Samples is how many users of each flow are named; absent: 3.
	Samples *int `json:"samples"`
}

// check says what saving a text would do.
func (h *handler) check(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	_, data, err := readBody(r, maxCheckBytes, kindJSON)
	if err != nil {
		return err
	}
	var c checkRequest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return badRequest("the body is not as it should be: %w; it is an object with text, and if wanted users, model, entities, context and samples", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("something follows the object in the body")
	}
	s, err := c.subjects()
	if err != nil {
		return err
	}
	out, err := h.o.Editor.Check(r.Context(), []byte(c.Text), s)
	if err != nil {
		return err
	}
	return writeOutcome(w, out)
}

// subjects are the requests to decide about.
func (c *checkRequest) subjects() (s experiments.Subjects, err error) {
	s = experiments.Subjects{Users: c.Users, Model: c.Model}
	switch {
	case c.Samples == nil:
	case *c.Samples < 0:
		return s, badRequest("samples is %d, want 0 or more", *c.Samples)
	case *c.Samples == 0:
		s.Samples = experiments.NoSamples
	default:
		s.Samples = *c.Samples
	}
	if len(c.Users) == 0 && (c.Model != "" || len(c.Entities)+len(c.Context) > 0) {
		return s, badRequest("model, entities and context are those of users, and there are none; the sample of the traffic has its own")
	}
	for i, user := range c.Users {
		if user == "" || len(user) > maxUserBytes {
			return s, badRequest("users[%d] has %d bytes, want 1 to %d", i, len(user), maxUserBytes)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Entities)) {
		s.Entities = append(s.Entities, models.Value{Key: []byte(name), Kind: models.KindString, Raw: []byte(c.Entities[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Context)) {
		v, err := contextValue(name, c.Context[name])
		if err != nil {
			return s, err
		}
		s.Context = append(s.Context, v)
	}
	return s, nil
}

// contextValue is an attribute as a request's context has it.
func contextValue(name string, raw json.RawMessage) (models.Value, error) {
	v := models.Value{Key: []byte(name), Raw: raw}
	switch c := raw[0]; {
	case c == '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return v, badRequest("context.%.80s: %w", name, err)
		}
		v.Kind, v.Raw = models.KindString, []byte(text)
	case c == 't' || c == 'f':
		v.Kind = models.KindBool
	case c == '-' || c >= '0' && c <= '9':
		v.Kind = models.KindNumber
	default:
		return v, badRequest("context.%.80s is neither a string nor a number nor a bool", name)
	}
	return v, nil
}
