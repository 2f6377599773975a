package inference

import (
	"fmt"

	ort "github.com/yalue/onnxruntime_go"
)

// Try makes a session of a model on the CPU and drops it: all that can be asked
// of a file about which nothing is known yet. It is run where a crash of ONNX
// Runtime does no harm.
func (r *Runtime) Try(data []byte) error {
	inputs, outputs, err := ort.GetInputOutputInfoWithONNXData(data)
	if err != nil {
		return fmt.Errorf("ONNX Runtime cannot read the model: %w", err)
	}
	session, err := newSession(data, names(inputs), names(outputs), SessionOptions{Provider: CPU, Threads: 1})
	if err != nil {
		return err
	}
	return session.Destroy()
}
