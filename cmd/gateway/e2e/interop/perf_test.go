//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// perfVersion is the one that scripts/interop.sh fetches.
const perfVersion = "2.51.0"

// TestPerfAnalyzer runs NVIDIA's perf_analyzer: every demo model over both
// transports at several concurrencies and batch sizes, and its other ways to send.
func TestPerfAnalyzer(t *testing.T) {
	needPython(t)
	if harness.perf == "" {
		t.Skip("SKIPPED: perf_analyzer cannot be had on this machine; nothing was proved with it")
	}
	g := startClientsGateway(t)
	data := writeProgressionData(t, g)
	runs := 0
	measure := func(args ...string) {
		g.perf(t, data, args...)
		runs++
	}
	for _, model := range []string{"risk", "digits", "progression"} {
		for _, protocol := range []string{"http", "grpc"} {
			for _, rows := range []string{"1", "8"} {
				for _, callers := range []string{"1", "4", "16"} {
					measure("-m", model, "-i", protocol, "-b", rows, "--concurrency-range", callers)
				}
			}
		}
	}
	measure("-m", "digits", "-i", "http", "--input-tensor-format", "json", "--output-tensor-format", "json")
	measure("-m", "digits", "-i", "http", "--async", "--concurrency-range", "4")
	measure("-m", "digits", "-i", "grpc", "--async", "--concurrency-range", "4")
	measure("-m", "digits", "-i", "grpc", "--async", "--streaming", "--concurrency-range", "4")
	measure("-m", "digits", "-i", "grpc", "--grpc-compression-algorithm", "gzip")
	measure("-m", "digits", "-i", "grpc", "--request-rate-range", "200")
	measure("-m", "risk", "-x", "1", "-i", "http")
	measure("-m", "identity_fp32", "-i", "http", "--shape", "x:100", "-b", "2")
	measure("-m", "identity_bytes", "-i", "grpc", "--shape", "x:4", "--string-length", "20")
	harness.report.client(clientRun{name: "perf_analyzer", version: perfVersion, checks: runs,
		what: "each demo model over HTTP and gRPC, 1, 4 and 16 callers, 1 and 8 rows; JSON tensors, async, streaming, compression, a request rate, strings, open shapes"})
}

var requestCount = regexp.MustCompile(`Request count: (\d+)`)

// perf makes one measurement, which must end without an error.
func (g *clientsGateway) perf(t *testing.T, data string, args ...string) {
	t.Helper()
	address := g.Traffic
	if strings.Contains(strings.Join(args, " "), "-i grpc") {
		address = g.GRPC
	}
	// Short windows, and any latency counts as stable: a busy test machine's is not.
	// With --request-count instead, perf_analyzer now and then waits for ever after
	// its last answer.
	all := append([]string{"-u", address, "--measurement-mode", "count_windows", "--measurement-request-count", "50",
		"-p", "100", "-r", "10", "-s", "100000"}, args...)
	if strings.Contains(strings.Join(args, " "), "-m progression") {
		all = append(all, "--input-data", data)
	}
	code, stdout, stderr := child.Run(t, 2*time.Minute, g.Dir, child.Environment(g.Dir), harness.perf, all...)
	found := requestCount.FindStringSubmatch(stdout)
	if code != 0 || found == nil || strings.Contains(stdout+stderr, "rror:") || strings.Contains(stdout, "Failed") {
		t.Errorf("perf_analyzer %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		return
	}
	t.Logf("perf_analyzer %s: %s requests", strings.Join(args, " "), found[1])
}

// writeProgressionData writes the golden rows of the model that takes no random
// input, in perf_analyzer's form.
func writeProgressionData(t *testing.T, g *clientsGateway) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.demo, "progression/1/golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		// As written: perf_analyzer takes 86 for no float.
		Cases []struct{ Inputs map[string]json.RawMessage }
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]json.RawMessage
	for _, c := range golden.Cases {
		rows = append(rows, c.Inputs)
	}
	out, err := json.Marshal(map[string]any{"data": rows})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(g.Dir, "progression.json")
	if err := os.WriteFile(path, out, 0o644); err != nil {
		t.Fatal(fmt.Errorf("perf_analyzer's data: %w", err))
	}
	return path
}
