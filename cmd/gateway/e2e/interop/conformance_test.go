//go:build interop

package interop

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"hotpath/cmd/gateway/e2e/child"
	"hotpath/models"
	"hotpath/router/grpcapi/pb"
)

// transport is a way to run a model.
type transport struct {
	name  string
	infer func(model string, inputs []models.Tensor) ([]models.Tensor, error)
	// lacks says what about a run cannot be sent or answered this way; "": nothing.
	lacks func(s dataSet) string
}

// outcome is how one test went over one transport.
type outcome struct {
	err error
	// refused says that the gateway had to refuse the answer, and did: why.
	refused string
	// unsendable says that the request cannot be written: why.
	unsendable string
}

// conformance is the run over all tests.
type conformance struct {
	dir        string
	repository string
	transports []transport
	rest       *restClient
	mu         sync.Mutex
	outcomes   map[string][]outcome // by test and transport
}

// TestConformance runs each of the ONNX project's backend tests that ONNX Runtime
// supports and the protocol can carry over every transport.
func TestConformance(t *testing.T) {
	needPython(t)
	dir := t.TempDir()
	cases, versions := backendCases(t, dir)
	if *only != "" {
		cases = slices.DeleteFunc(cases, func(c backendCase) bool { return !strings.Contains(c.Name, *only) })
	}
	run := newConformance(t, dir)
	work := make(chan *backendCase)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for c := range work {
				run.try(c)
			}
		})
	}
	for i := range cases {
		if v := cases[i].Reference; v == passes || v == differs {
			work <- &cases[i]
		}
	}
	close(work)
	workers.Wait()
	harness.report.conformance(run, cases, versions)
	run.judge(t)
}

// newConformance starts a gateway over an empty repository.
func newConformance(t *testing.T, dir string) *conformance {
	t.Helper()
	repository := filepath.Join(dir, "repository")
	if err := os.Mkdir(repository, 0o755); err != nil {
		t.Fatal(err)
	}
	g := &child.Gateway{Dir: dir, Process: child.Start(t, dir, withLocale(dir), child.Binary(), "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--models", repository, "--set", "models.mode=explicit", "--set", "server.repository_api=true", "--set", "server.grpc_listen=127.0.0.1:0",
		"--set", "deadline.default=10s", "--set", "deadline.max=10s")}
	g.WaitServing(t)
	conn, err := grpc.NewClient(g.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := &http.Client{}
	t.Cleanup(client.CloseIdleConnections)
	rest, rpc := &restClient{"http://" + g.Traffic, client}, &grpcClient{pb.NewGRPCInferenceServiceClient(conn)}
	anything := func(dataSet) string { return "" }
	return &conformance{dir: dir, repository: repository, rest: rest, outcomes: map[string][]outcome{}, transports: []transport{
		{"REST, JSON", rest.inferJSON, jsonLacks},
		{"REST, binary", rest.inferBinary, anything},
		{"gRPC, raw", rpc.inferRaw, anything},
		{"gRPC, typed", rpc.inferTyped, typedLacks},
	}}
}

// try runs one test over all transports.
func (r *conformance) try(c *backendCase) {
	outcomes, err := r.served(c)
	if err != nil {
		outcomes = make([]outcome, len(r.transports))
		for i := range outcomes {
			outcomes[i].err = err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[c.Name] = outcomes
}

// served puts the model into the repository, has it loaded, runs it, and takes it
// out again.
func (r *conformance) served(c *backendCase) (outcomes []outcome, err error) {
	sets, err := c.dataSets(r.dir)
	if err != nil {
		return nil, err
	}
	if err := c.place(r.repository); err != nil {
		return nil, err
	}
	defer os.RemoveAll(filepath.Join(r.repository, c.repositoryName()))
	if err := r.rest.control(c.repositoryName(), "load"); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	for _, way := range r.transports {
		var o outcome
		for i := 0; i < len(sets) && o.err == nil; i++ {
			o = way.run(c, sets[i])
		}
		outcomes = append(outcomes, o)
	}
	if err := r.rest.control(c.repositoryName(), "unload"); err != nil {
		return nil, fmt.Errorf("unload: %w", err)
	}
	return outcomes, nil
}

// run makes one run and compares its answer.
func (w *transport) run(c *backendCase, s dataSet) outcome {
	if why := w.lacks(dataSet{inputs: s.inputs}); why != "" {
		return outcome{unsendable: why}
	}
	got, err := w.infer(c.repositoryName(), s.inputs)
	why := w.lacks(s)
	switch {
	case why == "" && err == nil:
		return outcome{err: compare(got, s.outputs, c.tolerance)}
	case why == "":
		return outcome{err: err}
	case err == nil:
		return outcome{err: errors.New("answered what it cannot carry: " + why)}
	case !strings.Contains(err.Error(), "binary"):
		return outcome{err: fmt.Errorf("refused without naming the binary form: %w", err)}
	}
	return outcome{refused: why}
}

// jsonLacks: JSON has no NaN and no infinity, and its strings are Unicode.
func jsonLacks(s dataSet) string {
	if !finite(s.inputs) || !finite(s.outputs) {
		return "NaN or infinity"
	}
	return ""
}

// typedLacks: InferTensorContents has no field for the 16-bit floats.
func typedLacks(s dataSet) string {
	for _, t := range s.inputs {
		if t.DType == models.Float16 || t.DType == models.BFloat16 {
			return "FP16 and BF16 inputs"
		}
	}
	return ""
}

// judge fails the test for every test of ONNX that did not pass.
func (r *conformance) judge(t *testing.T) {
	for i, way := range r.transports {
		passed, failed := 0, 0
		for name, outcomes := range r.outcomes {
			if err := outcomes[i].err; err != nil {
				failed++
				t.Errorf("%s over %s: %v", name, way.name, err)
			} else if outcomes[i] == (outcome{}) {
				passed++
			}
		}
		t.Logf("%s: %d of %d pass, %d fail", way.name, passed, len(r.outcomes), failed)
	}
}
