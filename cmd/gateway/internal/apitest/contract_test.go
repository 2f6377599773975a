package apitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
)

const document = "../../../../docs/openapi.yaml"

// unprovoked lists documented answers that no test here gets, with the reason.
var unprovoked = map[string]string{
	"GET /metrics 503":                "needs four scrapes that do not end, or one of ten seconds; it is promhttp's own answer",
	"GET /admin/deployments/{id} 503": "needs as many watchers as there may be; package admin tests it",
}

// contract checks answers against the document and remembers which it has seen.
type contract struct {
	doc  *openapi3.T
	seen map[string]bool
}

func load(t *testing.T) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &contract{doc: doc, seen: map[string]bool{}}
}

// exchange is one request and its answer.
type exchange struct {
	// method and template name the operation in the document; empty: the request's own.
	method, template string
	request          *http.Request
	params           map[string]string
	status           int
	header           http.Header
	body             []byte
}

// check validates an answer, and the request too if it was a good one.
func (c *contract) check(t *testing.T, x exchange) {
	t.Helper()
	if x.method == "" {
		x.method = x.request.Method
	}
	if x.template == "" {
		x.template = x.request.URL.Path
	}
	item := c.doc.Paths.Value(x.template)
	if item == nil || item.GetOperation(x.method) == nil {
		t.Errorf("%s %s is not in the document", x.method, x.template)
		return
	}
	key := fmt.Sprintf("%s %s %d", x.method, x.template, x.status)
	c.seen[key] = true
	input := &openapi3filter.RequestValidationInput{Request: x.request, PathParams: x.params,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}, // nobody is asked here
		Route:   &routers.Route{Spec: c.doc, Path: x.template, PathItem: item, Method: x.method, Operation: item.GetOperation(x.method)}}
	if x.status == http.StatusOK {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s: a request that was answered is not as documented: %v", key, err)
		}
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !validated(x.header.Get("Content-Type"))}
	response := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: x.status, Header: x.header,
		Body: io.NopCloser(bytes.NewReader(x.body)), Options: options}
	if err := openapi3filter.ValidateResponse(t.Context(), response); err != nil {
		t.Errorf("%s: %v\n%.300s", key, err, x.body)
	}
	if media := item.GetOperation(x.method).Responses.Status(x.status); media != nil && len(x.body)+len(media.Value.Content) > 0 && media.Value.Content.Get(x.header.Get("Content-Type")) == nil {
		t.Errorf("%s: answers %q, which is not documented", key, x.header.Get("Content-Type"))
	}
}

// validated says whether a body of that type can be held against a schema.
func validated(contentType string) bool {
	return strings.HasPrefix(contentType, "application/json") || strings.HasPrefix(contentType, "application/yaml")
}

// complete checks that every documented answer was seen.
func (c *contract) complete(t *testing.T) {
	t.Helper()
	documented := map[string]bool{}
	for path, item := range c.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				key := method + " " + path + " " + status
				_, listed := unprovoked[key]
				if !c.seen[key] && !listed {
					t.Errorf("%s is documented, and no test gets it", key)
				}
				if c.seen[key] && listed {
					t.Errorf("%s is tested, and need not be in the list of what is not", key)
				}
				documented[key] = true
			}
		}
	}
	for key, reason := range unprovoked {
		if !documented[key] {
			t.Errorf("%s is not tested (%s), and is not documented", key, reason)
		}
	}
}

func TestContract(t *testing.T) {
	c := load(t)
	t.Run("traffic", c.traffic)
	t.Run("experiments", c.experiments)
	t.Run("flags", c.flags)
	t.Run("protocol", c.protocol)
	t.Run("admin", c.admin)
	c.complete(t)
}

// TestEveryRouteIsDocumented compares the document's paths with those in the
// source of the two handlers.
func TestEveryRouteIsDocumented(t *testing.T) {
	c := load(t)
	served := map[string]bool{}
	collect := func(pattern string, files ...string) {
		found := 0
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
				served[m[1]] = true
				found++
			}
		}
		if found < 8 {
			t.Fatalf("only %d routes found in %v: has their form changed?", found, files)
		}
	}
	collect(`"(/[a-z0-9/]*)"(?:, |:\n)`, "../../../../router/httpapi/routes.go")
	collect(`\{"(?:GET|POST)", "(/[^"]+)", \(\*Handler\)`, "../../../../router/httpapi/v2.go", "../../../../router/httpapi/v1.go",
		"../../../../router/httpapi/ofrep.go")
	for _, path := range slices.Concat(inferPaths, predictPaths) {
		served[path] = true // each is called by the test of the protocols
	}
	collect(`(?:h\.get\(|h\.post\(|h\.put\(|h\.delete\(|h\.body\(http\.Method\w+, |Handle\("GET |HandleFunc\("(?:GET|POST) )"?(/[^"]+)"`, "../admin/admin.go", "../admin/server.go")
	delete(served, "/admin/guards/{name...}") // hold and release, checked by their own requests
	delete(served, "/admin/experiments/{experiment}/{view}")
	served["/admin/experiments/{experiment}/report"] = true // the one view
	documented := map[string]bool{}
	for path := range c.doc.Paths.Map() {
		documented[path] = true
	}
	for path := range served {
		if strings.HasPrefix(path, "/debug/pprof/") && path != "/debug/pprof/" {
			if !slices.Contains(profiles(c.doc), strings.TrimPrefix(path, "/debug/pprof/")) {
				t.Errorf("%s is served, and no documented profile", path)
			}
			continue
		}
		if !documented[path] {
			t.Errorf("%s is served, and not documented", path)
		}
	}
	for path := range documented {
		if !served[path] && !strings.HasPrefix(path, "/admin/guards/{guard}/") && path != "/debug/pprof/{profile}" {
			t.Errorf("%s is documented, and not served", path)
		}
	}
}

// profiles are the values of the document's profile parameter.
func profiles(doc *openapi3.T) []string {
	var names []string
	for _, v := range doc.Paths.Value("/debug/pprof/{profile}").Get.Parameters[0].Value.Schema.Value.Enum {
		names = append(names, fmt.Sprint(v))
	}
	return names
}

// TestVocabulary compares the document's lists of words with the code's.
func TestVocabulary(t *testing.T) {
	schemas := load(t).doc.Components.Schemas
	enum := func(s *openapi3.SchemaRef) (words []string) {
		for _, v := range s.Value.Enum {
			words = append(words, fmt.Sprint(v))
		}
		return words
	}
	var codes, reasons, origins []string
	for _, c := range router.Codes() {
		if c != router.OK {
			codes = append(codes, c.String())
		}
	}
	for _, r := range abtest.Reasons() {
		reasons = append(reasons, r.String())
	}
	for _, o := range models.Origins() {
		origins = append(origins, o.String())
	}
	prediction := schemas["Prediction"].Value.Properties
	vector := schemas["Explain"].Value.Properties["features"].Value.Items.Value.Properties
	for name, c := range map[string]struct{ documented, code []string }{
		"error codes": {enum(schemas["ErrorCode"]), codes},
		"reasons":     {enum(prediction["reason"]), reasons},
		"all reasons": {enum(schemas["Reason"]), reasons},
		"origins":     {enum(vector["origin"]), origins},
	} {
		slices.Sort(c.documented)
		slices.Sort(c.code)
		if !slices.Equal(c.documented, c.code) {
			t.Errorf("%s: the document has %v, the code %v", name, c.documented, c.code)
		}
	}
}
