package child

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The environment variables that Prepare leaves for the tests.
const (
	binaryVariable  = "HOTPATH_E2E_BINARY"
	libraryVariable = "HOTPATH_E2E_LIBRARY"
)

// Prepare builds the gateway into dir, with the race detector if asked, and
// finds the ONNX Runtime library under the repository's root. It is called once,
// by TestMain.
func Prepare(root, dir string, race bool) error {
	library, err := libraryPath(root)
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "gateway")
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "hotpath/cmd/gateway")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the gateway: %w", err)
	}
	if err := os.Setenv(binaryVariable, binary); err != nil {
		return err
	}
	return os.Setenv(libraryVariable, library)
}

// libraryPath is where the ONNX Runtime library lies: the gateways run in
// folders from which they would not find it.
func libraryPath(root string) (string, error) {
	path := os.Getenv("ONNXRUNTIME_LIB")
	if path == "" {
		name := "libonnxruntime.so.1"
		if runtime.GOOS == "darwin" {
			name = "libonnxruntime.1.dylib"
		}
		path = filepath.Join(root, ".onnxruntime", runtime.GOOS+"-"+runtime.GOARCH, name)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no ONNX Runtime library: %w; run make onnxruntime", err)
	}
	return path, nil
}

// Binary is the gateway that Prepare built.
func Binary() string { return os.Getenv(binaryVariable) }

// Environment is that of a gateway which runs in dir: no setting of whoever runs
// the tests reaches it.
func Environment(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "ONNXRUNTIME_LIB=" + os.Getenv(libraryVariable),
		"GORACE=atexit_sleep_ms=10"} // a process with the race detector sleeps a second before it ends
}

// Gateway is a running gateway.
type Gateway struct {
	*Process
	Dir string
	Addresses
}

// Addresses are the listeners, each host:port; GRPC is empty where it is off.
type Addresses struct {
	Traffic string `json:"listen"`
	Admin   string `json:"admin"`
	GRPC    string `json:"grpc"`
}

// LaunchGateway starts a gateway on free ports.
func LaunchGateway(t *testing.T, dir string, args ...string) *Gateway {
	t.Helper()
	all := append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--set", "server.grpc_listen=127.0.0.1:0"}, args...)
	return &Gateway{Process: Start(t, dir, Environment(dir), Binary(), all...), Dir: dir}
}

// StartGateway starts a gateway on free ports and waits until it serves.
func StartGateway(t *testing.T, dir string, args ...string) *Gateway {
	t.Helper()
	g := LaunchGateway(t, dir, args...)
	g.WaitServing(t)
	return g
}

// WaitServing finds the ports in the log.
func (g *Gateway) WaitServing(t *testing.T) {
	t.Helper()
	for start := time.Now(); !g.serving(); time.Sleep(10 * time.Millisecond) {
		if !g.Running() {
			t.Fatalf("the gateway ended with %d:\n%s", g.code, g.Stderr.String())
		}
		if time.Since(start) > 30*time.Second {
			t.Fatal("the gateway does not serve after 30 s")
		}
	}
}

func (g *Gateway) serving() bool {
	for line := range strings.Lines(g.Stderr.String()) {
		var l struct {
			Msg string `json:"msg"`
			Addresses
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "serving" {
			g.Addresses = l.Addresses
			return true
		}
	}
	return false
}

// Stop ends the gateway by SIGTERM and wants exit 0.
func (g *Gateway) Stop(t *testing.T) {
	t.Helper()
	g.Signal(t, syscall.SIGTERM)
	if code := g.Wait(t, 20*time.Second); code != 0 {
		t.Errorf("exit %d after SIGTERM, want 0", code)
	}
}
