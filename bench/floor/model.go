package main

import (
	"errors"
	"fmt"
	"os"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// maxRows is the most rows of one run, the gateway's default.
const maxRows = 64

// row is one waiting request. The runner writes out and err, then sends on done.
type row struct {
	in   []float32
	out  float32
	err  error
	done chan struct{}
}

// model is a session with its single runner. The runner owns the tensors. There
// is no close: the program serves until it is killed, and its exit frees all.
type model struct {
	width   int
	output  string
	session *ort.DynamicAdvancedSession
	queue   chan *row
	rows    sync.Pool

	in, out         []float32
	inputs, outputs [][]ort.Value // by number of rows, all over in and out
}

// openModel loads the file, makes the tensors and starts the runner.
func openModel(library, file string) (*model, error) {
	if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
		return nil, err
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(); err != nil {
		return nil, err
	}
	ins, outs, err := ort.GetInputOutputInfo(file)
	if err != nil {
		return nil, err
	}
	if len(ins) != 1 || len(outs) != 1 || len(ins[0].Dimensions) != 2 || ins[0].Dimensions[1] < 1 {
		return nil, fmt.Errorf("%s: the floor needs one input of shape [batch, width] and one output, got %v -> %v", file, ins, outs)
	}
	session, err := newSession(file, ins[0].Name, outs[0].Name)
	if err != nil {
		return nil, err
	}
	m := &model{
		width: int(ins[0].Dimensions[1]), output: outs[0].Name, session: session,
		queue: make(chan *row, 4*maxRows),
	}
	m.rows.New = func() any { return &row{in: make([]float32, m.width), done: make(chan struct{}, 1)} }
	if err := m.makeTensors(outs[0].Dimensions); err != nil {
		return nil, err
	}
	go m.work()
	return m, nil
}

func newSession(file, input, output string) (*ort.DynamicAdvancedSession, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	err = errors.Join(
		o.SetIntraOpNumThreads(1),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, err
	}
	return ort.NewDynamicAdvancedSession(file, []string{input}, []string{output}, o)
}

// makeTensors makes one pair of tensors per number of rows over two shared
// buffers, so that a run neither allocates nor copies on the Go side.
func (m *model) makeTensors(outShape ort.Shape) error {
	m.in, m.out = make([]float32, maxRows*m.width), make([]float32, maxRows)
	m.inputs, m.outputs = make([][]ort.Value, maxRows+1), make([][]ort.Value, maxRows+1)
	for n := 1; n <= maxRows; n++ {
		in, err := ort.NewTensor(ort.NewShape(int64(n), int64(m.width)), m.in[:n*m.width])
		if err != nil {
			return err
		}
		shape := outShape.Clone()
		shape[0] = int64(n)
		if shape.FlattenedSize() != int64(n) {
			return fmt.Errorf("the floor needs one output value a row, got shape %v", outShape)
		}
		out, err := ort.NewTensor(shape, m.out[:n])
		if err != nil {
			return err
		}
		m.inputs[n], m.outputs[n] = []ort.Value{in}, []ort.Value{out}
	}
	return nil
}

func (m *model) acquire() *row  { return m.rows.Get().(*row) }
func (m *model) release(r *row) { m.rows.Put(r) }

// score queues the row and waits for its run.
func (m *model) score(r *row) error {
	m.queue <- r
	<-r.done
	return r.err
}

// work is the runner: whatever is queued, up to maxRows, becomes the next run.
func (m *model) work() {
	batch := make([]*row, 0, maxRows)
	for r := range m.queue {
		batch = append(batch[:0], r)
		for more := true; more && len(batch) < maxRows; {
			select {
			case r, ok := <-m.queue:
				if more = ok; ok {
					batch = append(batch, r)
				}
			default:
				more = false
			}
		}
		for i, r := range batch {
			copy(m.in[i*m.width:], r.in)
		}
		err := m.session.Run(m.inputs[len(batch)], m.outputs[len(batch)])
		for i, r := range batch {
			r.out, r.err = m.out[i], err
			r.done <- struct{}{}
		}
	}
}
