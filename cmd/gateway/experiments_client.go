package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"hotpath/models/strictyaml"
)

// The headers of an edit.
const (
	headerActor = "X-Actor"
	headerMatch = "If-Match"
	headerETag  = "ETag"
)

// editTimeout bounds a call that may load the versions that an edit names.
const editTimeout = loadingTimeout

// The paths about experiments.
const (
	experimentsPath = "/admin/experiments"
	checkPath       = experimentsPath + "/check"
	historyPath     = experimentsPath + "/history"
)

// The forms of an experiments file.
const (
	kindYAML       = "application/yaml"
	kindJSON       = "application/json"
	kindMergePatch = "application/merge-patch+json"
)

// editCall is a call of the admin port about the experiments file.
type editCall struct {
	method, path string
	query        url.Values
	// kind is the media type of body; empty: there is none.
	kind string
	body []byte
	// actor is who asks, match the ETag of what is to be changed; empty: not sent.
	actor, match string
}

// dryRun is the call that only says what e would do.
func (e editCall) dryRun() editCall {
	e.query = with(e.query, "dry_run", "true")
	return e
}

// because adds a message for the history.
func (e editCall) because(message string) editCall {
	if message != "" {
		e.query = with(e.query, "message", message)
	}
	return e
}

// with is a query with one parameter more.
func with(q url.Values, name, value string) url.Values {
	all := url.Values{name: {value}}
	maps.Copy(all, q)
	return all
}

// quoted is an ETag as the header wants it, however the user wrote it.
func quoted(etag string) string {
	if etag == "" || etag == "*" || strings.HasPrefix(etag, `"`) {
		return etag
	}
	return strconv.Quote(etag)
}

// exchange makes a call and gives the body and the ETag of a good answer.
func (c *adminClient) exchange(ctx context.Context, e editCall) (body []byte, etag string, err error) {
	ctx, cancel := context.WithTimeout(ctx, editTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, e.method, c.base+e.path, bytes.NewReader(e.body))
	if err != nil {
		return nil, "", err
	}
	r.URL.RawQuery = e.query.Encode()
	for name, value := range map[string]string{"Content-Type": e.kind, headerActor: e.actor, headerMatch: quoted(e.match)} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, "", c.explain(err, editTimeout)
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	switch {
	case err != nil:
		return nil, "", c.explain(err, editTimeout)
	case answer.StatusCode == http.StatusOK:
		return body, strings.Trim(answer.Header.Get(headerETag), `"`), nil
	}
	return nil, "", c.refused(body, answer.Status)
}

// experimentsFile reads the file as it lies on the disk.
func (c *adminClient) experimentsFile(ctx context.Context) (text []byte, etag string, err error) {
	return c.exchange(ctx, editCall{method: http.MethodGet, path: experimentsPath, query: url.Values{"format": {"yaml"}}})
}

// checkRequest asks what a text would change.
type checkRequest struct {
	Text string `json:"text"`
	// Users are decided about instead of the sample of recent traffic, with Context in
	// each of their requests.
	Users   []string                   `json:"users,omitempty"`
	Context map[string]json.RawMessage `json:"context,omitempty"`
	// Samples is how many users of each flow are named.
	Samples int `json:"samples"`
}

// check says what a text would change, and changes nothing.
func (c *adminClient) check(ctx context.Context, q checkRequest) ([]byte, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	answer, _, err := c.exchange(ctx, editCall{method: http.MethodPost, path: checkPath, kind: kindJSON, body: body})
	return answer, err
}

// renamed puts the name of the caller's file into the problems of a refusal,
// which knows the gateway's.
func renamed(err error, file string) error {
	var refusal *refusalError
	if !errors.As(err, &refusal) {
		return err
	}
	for i := range refusal.Problems {
		if p := &refusal.Problems[i]; p.Line > 0 && !ofListFile(p) {
			p.File = file
		}
	}
	return err
}

// ofListFile says that a problem is in a line of a list file of the gateway: an entry
// of list_files itself does not begin a line.
func ofListFile(p *strictyaml.Problem) bool {
	return p.Column == 1 && (strings.HasPrefix(p.Path, "list_files.") || strings.HasPrefix(p.Path, "list_files["))
}
