package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/models/demo"
)

// gateway is a running gateway.
type gateway struct{ *child.Gateway }

// calm are settings under which a busy test machine alone makes no request fail:
// for the tests that are not about time limits.
var calm = []string{"--set", "deadline.default=5s", "--set", "deadline.max=10s", "--set", "features.budget=2s", "--set", "server.lame_duck=100ms",
	"--set", "experiments.reload_interval=100ms", "--set", "models.poll_interval=200ms", "--set", "models.settle=300ms"}

// demoFiles lays out the demo's files in a folder of the test and replaces the
// experiments by text, unless that is empty.
func demoFiles(t *testing.T, experiments string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, demo.Files()); err != nil {
		t.Fatal(err)
	}
	if experiments != "" {
		write(t, filepath.Join(dir, "experiments.yaml"), experiments)
	}
	return dir
}

// fixtures makes a model repository of test models. A name may be given a
// version, as in echo/2.
func fixtures(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		copyFixture(t, name, filepath.Join(dir, "repository", name, "1"))
	}
	return dir
}

func copyFixture(t *testing.T, name, to string) {
	t.Helper()
	copyFolder(t, filepath.Join(root, "models/testdata/fixtures", name, "1"), to)
}

// copyFolder copies files as cp -r does: straight to their place.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// demoArgs are the settings of a gateway over demoFiles.
func demoArgs(dir, redis string) []string {
	args := []string{"--models", filepath.Join(dir, "repository"), "--set", "features.schema=" + filepath.Join(dir, "features.yaml"),
		"--set", "experiments.file=" + filepath.Join(dir, "experiments.yaml"), "--set", "models.default=risk",
		"--set", "experiments.allow_forced_variant=true"}
	if redis != "" {
		args = append(args, "--redis", redis)
	}
	return args
}

// startGateway starts a gateway on free ports and waits until it serves.
func startGateway(t *testing.T, dir string, args ...string) *gateway {
	t.Helper()
	return &gateway{child.StartGateway(t, dir, args...)}
}

// launchGateway starts one that may never serve.
func launchGateway(t *testing.T, dir string, args ...string) *gateway {
	t.Helper()
	return &gateway{child.LaunchGateway(t, dir, args...)}
}

// request makes one call over a connection of its own.
func request(t *testing.T, method, url, body string, header ...string) (status int, answer string, head http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return resp.StatusCode, string(b), resp.Header
}

// predict posts one body to /predict.
func (g *gateway) predict(t *testing.T, body string, header ...string) (int, prediction) {
	t.Helper()
	status, text, _ := request(t, "POST", "http://"+g.Traffic+"/predict", body, header...)
	var p prediction
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("answer %d to %s: %s: %v", status, body, text, err)
	}
	return status, p
}

// prediction is an answer of /predict, good or bad.
type prediction struct {
	RequestID  string         `json:"request_id"`
	Model      string         `json:"model"`
	Version    int            `json:"version"`
	Experiment string         `json:"experiment"`
	Variant    string         `json:"variant"`
	Reason     string         `json:"reason"`
	Outputs    map[string]any `json:"outputs"`
	Prediction float64        `json:"prediction"`
	Degraded   []string       `json:"degraded"`
	Error      struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Field     string `json:"field"`
		RequestID string `json:"request_id"`
	} `json:"error"`
}

// get reads a page of the admin port as JSON.
func (g *gateway) get(t *testing.T, path string, into any) int {
	t.Helper()
	status, text, _ := request(t, "GET", "http://"+g.Admin+path, "")
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("GET %s: %d %s: %v", path, status, text, err)
	}
	return status
}

// readiness is the answer of /readyz.
type readiness struct {
	Status       string
	Dependencies map[string]struct{ Status, Detail string }
}

// ready asks the traffic port.
func (g *gateway) ready(t *testing.T) (int, readiness) {
	t.Helper()
	status, text, _ := request(t, "GET", "http://"+g.Traffic+"/readyz", "")
	var r readiness
	if status != 0 {
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("/readyz: %d %s", status, text)
		}
	}
	return status, r
}

// modelStatus is what the admin port says of one model.
type modelStatus struct {
	Current, Previous int
	Versions          []versionStatus
}

type versionStatus struct {
	Version int
	State   string
	Code    string
	Reason  string
}

func (m modelStatus) version(n int) versionStatus {
	for _, v := range m.Versions {
		if v.Version == n {
			return v
		}
	}
	return versionStatus{}
}

func (g *gateway) model(t *testing.T, name string) modelStatus {
	t.Helper()
	var m modelStatus
	g.get(t, "/admin/models/"+name, &m)
	return m
}

// cli runs one of the gateway's commands against its admin port.
func (g *gateway) cli(t *testing.T, args ...string) (code int, out, stderr string) {
	t.Helper()
	return child.Run(t, time.Minute, g.Dir, child.Environment(g.Dir), child.Binary(), append(args, "--admin", g.Admin)...)
}

// metrics is a scrape: values by name and labels as they are written.
type metrics map[string]float64

func (g *gateway) metrics(t *testing.T) metrics {
	t.Helper()
	status, text, _ := request(t, "GET", "http://"+g.Admin+"/metrics", "")
	if status != 200 {
		t.Fatalf("/metrics: %d %s", status, text)
	}
	m := metrics{}
	for line := range strings.Lines(text) {
		name, value, ok := cutLast(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("metric %q: %v", line, err)
		}
		m[name] = v
	}
	return m
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// sum adds the series of a name whose labels hold every text.
func (m metrics) sum(name string, labels ...string) float64 {
	total := 0.0
series:
	for series, v := range m {
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue series
			}
		}
		total += v
	}
	return total
}

// breaker is 0 closed, 1 half-open, 2 open.
func (g *gateway) breaker(t *testing.T, downstream string) float64 {
	t.Helper()
	return g.metrics(t).sum("hotpath_breaker_state", fmt.Sprintf("downstream=%q", downstream))
}
