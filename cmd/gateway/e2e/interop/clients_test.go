//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/models/demo"
)

// TestClients runs each client's script against one gateway.
func TestClients(t *testing.T) {
	needPython(t)
	g := startClientsGateway(t)
	for _, c := range []clientRun{
		{name: "tritonclient.http", version: installed(t, "tritonclient"), module: "test_triton_http",
			what: "every call of the client in scope: health, metadata, config, statistics, repository, infer (binary, JSON, mixed), compression, async, asyncio, classification, every element type, refusals"},
		{name: "tritonclient.grpc", version: installed(t, "tritonclient"), module: "test_triton_grpc",
			what: "the same over gRPC, and streams, cancellation, client timeouts"},
		{name: "kserve", version: installed(t, "kserve"), module: "test_kserve",
			what: "InferenceRESTClient for v1 and v2, InferenceGRPCClient"},
		{name: "plain HTTP (requests)", version: installed(t, "requests"), module: "test_plain_http",
			what: "TensorFlow Serving's REST form; raw requests, error bodies and other corners of v2"},
		{name: "grpcio health checking, reflection", version: installed(t, "grpcio-health-checking"), module: "test_grpc_services",
			what: "Check, Watch, and a call made from reflection alone, as grpcurl does"},
	} {
		t.Run(c.module, func(t *testing.T) {
			c.checks = g.unittest(t, c.module)
			harness.report.client(c)
		})
	}
}

// clientsGateway is a gateway over the demo models and those of models.py.
type clientsGateway struct {
	*child.Gateway
	demo string // the demo's repository, with its golden files
}

func startClientsGateway(t *testing.T) *clientsGateway {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, demo.Files()); err != nil {
		t.Fatal(err)
	}
	repository := filepath.Join(dir, "repository")
	if code, _, stderr := child.Run(t, time.Minute, dir, child.Environment(dir), harness.python, script(t, "models.py"), repository); code != 0 {
		t.Fatalf("models.py: exit %d: %s", code, stderr)
	}
	g := child.StartGateway(t, dir, "--models", repository, "--set", "features.schema="+filepath.Join(dir, "features.yaml"),
		"--set", "models.keep_versions=2", "--set", "server.repository_api=true", "--set", "server.grpc_listen=127.0.0.1:0",
		"--set", "deadline.default=5s", "--set", "deadline.max=10s", "--set", "models.default_run_timeout=20s")
	return &clientsGateway{g, repository}
}

var ranTests = regexp.MustCompile(`(?m)^Ran (\d+) tests? in`)

// unittest runs a module of tests and gives their number.
func (g *clientsGateway) unittest(t *testing.T, module string) int {
	t.Helper()
	env := append(child.Environment(g.Dir), "HOTPATH_HTTP="+g.Traffic, "HOTPATH_GRPC="+g.GRPC, "HOTPATH_DEMO="+g.demo, "PYTHONDONTWRITEBYTECODE=1")
	p := child.Start(t, filepath.Dir(script(t, "gateway.py")), env, harness.python, "-m", "unittest", "-v", module)
	p.Quiet = true // tests of errors print them
	code := p.Wait(t, 5*time.Minute)
	said := p.Stderr.String()
	ran := ranTests.FindStringSubmatch(said)
	if code != 0 || ran == nil || strings.Contains(said, "skipped=") {
		t.Fatalf("%s: exit %d:\n%s", module, code, said)
	}
	n, err := strconv.Atoi(ran[1])
	if err != nil || n == 0 {
		t.Fatalf("%s ran no test: %s", module, said)
	}
	t.Logf("%s: %d tests pass", module, n)
	return n
}

// installed is a package's version in requirements.txt.
func installed(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), name+"=="); ok {
			return version
		}
	}
	t.Fatalf("requirements.txt does not pin %s", name)
	return ""
}
