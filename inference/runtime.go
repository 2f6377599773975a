package inference

import (
	"errors"
	"fmt"
	"os"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Runtime is the process's ONNX Runtime environment.
type Runtime struct {
	library string
	api     *ortAPI
	version string // kept, since the library's own text goes with it on Close
	closed  sync.Once
}

// one is the environment that ONNX Runtime itself keeps per process; a second
// Open is refused while the first is in use.
var one sync.Mutex

// Options of the runtime.
type Options struct {
	// Library is the path of the shared library; empty: see FindLibrary.
	Library string
	// Telemetry lets ONNX Runtime's official builds report usage to their maker.
	// Off unless asked for: 1.29 and later post model file and graph names.
	Telemetry bool
}

// Open loads the library and makes the environment. It fails with ErrNoLibrary
// when there is none, and when there already is an open Runtime.
func Open(o Options) (*Runtime, error) {
	if !one.TryLock() {
		return nil, errors.New("ONNX Runtime is open already: it has one environment per process")
	}
	r, err := open(o)
	if err != nil {
		one.Unlock()
	}
	return r, err
}

func open(o Options) (*Runtime, error) {
	path, err := FindLibrary(o.Library)
	if err != nil {
		return nil, err
	}
	if !o.Telemetry {
		// Latched by the library when it initialises, so it must be set before.
		if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
			return nil, err
		}
	}
	limitArenas()
	ort.SetSharedLibraryPath(path)
	// What fails is in the errors that calls return. ONNX Runtime's own log would
	// repeat it on standard error, once for each run that a bad row fails, and wait
	// for whoever reads that.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return nil, fmt.Errorf("%s is not an ONNX Runtime that this gateway can use (it needs 1.29 or later; `make onnxruntime` gets 1.30.0): %w", path, err)
	}
	if !o.Telemetry {
		if err := ort.DisableTelemetry(); err != nil {
			return nil, errors.Join(fmt.Errorf("switching telemetry off: %w", err), ort.DestroyEnvironment())
		}
	}
	api, err := openAPI(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), ort.DestroyEnvironment())
	}
	return &Runtime{library: path, api: api, version: ort.GetVersion()}, nil
}

// Version is the library's own version, such as 1.30.0.
func (r *Runtime) Version() string { return r.version }

// Library is the path that was loaded.
func (r *Runtime) Library() string { return r.library }

// Close destroys the environment and unloads the library. Every session must be
// closed before. Closing twice does nothing more.
func (r *Runtime) Close() (err error) {
	r.closed.Do(func() {
		defer one.Unlock()
		r.api.close()
		err = ort.DestroyEnvironment()
	})
	return err
}
