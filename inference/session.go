package inference

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"hotpath/models"
)

// Provider is where a model runs.
type Provider string

// The execution providers.
const (
	CPU  Provider = "cpu"
	CUDA Provider = "cuda"
)

// ErrNoProvider says that this build of ONNX Runtime, or this machine, cannot
// run models on the provider that was asked for.
var ErrNoProvider = errors.New("execution provider not available")

// SessionOptions say how a model version is run.
type SessionOptions struct {
	Provider Provider
	// Threads one run may use inside its operators. 1 is best for small models:
	// parallelism then comes from runners.
	Threads int
	// Outputs to compute; empty: all that the graph has.
	Outputs []string
	// CUDA only.
	Device         int
	MemoryLimitMiB int
	// FallbackToCPU runs the model on the CPU where CUDA is not available.
	FallbackToCPU bool

	// Unbatched says that the model has no batch dimension, where its graph does
	// not show that.
	Unbatched bool
	// PadBatch takes a first dimension that is fixed at more than 1 for a batch.
	PadBatch bool
	// Shapes fix dimensions of inputs that the graph leaves open, by the input's
	// name: of one row, or of the whole tensor without a batch dimension.
	Shapes map[string][]int
	// Sample gives tensors of one valid row, used to find output shapes that the
	// graph does not declare; nil: zeros and random values are tried.
	Sample func(sig *models.Signature) ([]models.Tensor, error)
}

// Session is one loaded model version. Its runners share the weights.
type Session struct {
	api               *ortAPI
	session           *ort.DynamicAdvancedSession
	pointer           unsafe.Pointer
	inNames, outNames cNames
	sig               models.Signature
	in, out           *models.Layout // nil where sizes vary
	varies            string         // the first port whose size does, for messages
	fixed             int            // the graph's fixed batch size; 0 when it is dynamic
	provider          Provider
}

// Load makes a session of a model that is held in memory. data is copied by
// ONNX Runtime and may be dropped after. The error says what about the graph
// cannot be served and how to export it, or configure it, so that it can. Trial
// runs, where the graph leaves something open, end with ctx.
func (r *Runtime) Load(ctx context.Context, data []byte, o SessionOptions) (*Session, error) {
	s := &Session{api: r.api}
	if err := s.create(data, o); err != nil {
		return nil, err
	}
	if err := s.read(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) create(data []byte, o SessionOptions) error {
	session, err := newSession(data, o)
	s.provider = o.Provider
	if errors.Is(err, ErrNoProvider) && o.FallbackToCPU {
		o.Provider, s.provider = CPU, CPU
		session, err = newSession(data, o)
	}
	if err != nil {
		return err
	}
	if s.provider == CUDA {
		restoreSignalStacks()
	}
	s.session, s.pointer = session, sessionPointer(session)
	return nil
}

// read finds out what the model takes and gives.
func (s *Session) read(ctx context.Context, o SessionOptions) error {
	inputs, err := s.api.declarations(s.pointer, false)
	if err != nil {
		return err
	}
	outputs, err := s.api.declarations(s.pointer, true)
	if err != nil {
		return err
	}
	if outputs, err = chosenOutputs(outputs, o.Outputs); err != nil {
		return err
	}
	if err := checkKinds(inputs, outputs); err != nil {
		return err
	}
	s.inNames, s.outNames = newNames(inputs), newNames(outputs)
	return s.settle(ctx, &graph{inputs, outputs, o})
}

func newSession(data []byte, o SessionOptions) (*ort.DynamicAdvancedSession, error) {
	opts, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer opts.Destroy()
	threads := max(o.Threads, 1)
	err = errors.Join(
		opts.SetIntraOpNumThreads(threads),
		opts.SetInterOpNumThreads(1),
		opts.SetExecutionMode(ort.ExecutionModeSequential),
		// Idle pools would spin and take the cores that other requests need.
		opts.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		opts.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
		// The arena keeps its largest batch for ever and is not given back on close.
		opts.SetCpuMemArena(false),
		opts.SetMemPattern(false),
	)
	if err != nil {
		return nil, err
	}
	if o.Provider == CUDA {
		if err := appendCUDA(opts, o); err != nil {
			return nil, fmt.Errorf("%w: cuda: %v (a GPU build of ONNX Runtime is set by $%s; execution_provider: cpu, or cuda.on_missing: cpu, serves without)",
				ErrNoProvider, err, LibraryEnv)
		}
	}
	// Without names: runs go past the binding.
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(data, nil, nil, opts)
	if o.Provider == CUDA && deviceMissing(err) {
		return nil, fmt.Errorf("%w: cuda: %v", ErrNoProvider, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime cannot read the model: %w", err)
	}
	return session, nil
}

// deviceMissing says that a GPU build of ONNX Runtime met a machine without a GPU,
// or without a driver for it: it looks for the device only when it makes the
// session. A device that is full or misnamed is not missing.
func deviceMissing(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "CUDA failure 100:") || strings.Contains(err.Error(), "CUDA failure 35:"))
}

func appendCUDA(opts *ort.SessionOptions, o SessionOptions) error {
	cuda, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer cuda.Destroy()
	settings := map[string]string{
		"device_id":             strconv.Itoa(o.Device),
		"arena_extend_strategy": "kSameAsRequested",
	}
	if o.MemoryLimitMiB > 0 {
		settings["gpu_mem_limit"] = strconv.Itoa(o.MemoryLimitMiB << 20)
	}
	if err := cuda.Update(settings); err != nil {
		return err
	}
	return opts.AppendExecutionProviderCUDA(cuda)
}

// Signature is what the model takes and gives.
func (s *Session) Signature() models.Signature { return s.sig }

// Layouts of the model's input and output rows, for NewRunner; nil where sizes
// vary, and NewTensorRunner is the way.
func (s *Session) Layouts() (in, out *models.Layout) { return s.in, s.out }

// Varies names an input or output whose size varies; empty where Layouts are known.
func (s *Session) Varies() string { return s.varies }

// Provider the model really runs on, which differs from the one asked for after
// a fallback.
func (s *Session) Provider() Provider { return s.provider }

// FixedBatch is the batch size that the graph demands, 0 when any will do.
func (s *Session) FixedBatch() int { return s.fixed }

// Close frees the weights and gives the memory back to the system. Every runner
// must be closed before.
func (s *Session) Close() error {
	err := s.session.Destroy()
	s.inNames.free()
	s.outNames.free()
	trimMemory()
	return err
}
