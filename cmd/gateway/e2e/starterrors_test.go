package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotpath/cmd/gateway/e2e/child"
)

// startError is a way to start a gateway wrongly.
type startError struct {
	name  string
	env   string // an environment variable beside the usual ones
	args  []string
	wants []string // all of them in the message
}

// startErrors makes the cases, with their files in dir.
func startErrors(t *testing.T, dir string) []startError {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	misspelt := file("misspelt.yaml", "# a comment\nserver:\n  lisen: 127.0.0.1:8080\n")
	wrongType := file("type.yaml", "deadline:\n  default: soon\n")
	experiments := file("bad-experiments.yaml", "experiments:\n  - name: x\n    modle: risk\n")
	schema := file("bad-features.yaml", "entities:\n  user:\n    features:\n      a: {type: flot}\n")
	notLibrary := file("libonnxruntime.so.1", "not a library\n")
	otherLibrary, oldLibrary := sharedLibrary(t, "other.so", "int nothing;"), sharedLibrary(t, "old.so", oldRuntime)
	free := "127.0.0.1:0"
	base := func(args ...string) []string {
		return append(append([]string{"serve", "--listen", free, "--admin", free, "--set", "server.grpc_listen=" + free}, demoArgs(dir, "127.0.0.1:1")...), args...)
	}
	return []startError{
		{"traffic port in use", "", base("--listen", taken.Addr().String()), []string{"server.listen", taken.Addr().String(), "in use"}},
		{"admin port in use", "", base("--admin", taken.Addr().String()), []string{"server.admin_listen", taken.Addr().String(), "in use"}},
		{"unknown flag", "", base("--bogus"), []string{"--bogus"}},
		{"unknown command", "", []string{"serv"}, []string{"serv", "serve"}},
		{"misspelt key in the file", "", base("--config", misspelt), []string{misspelt + ":3:3", "lisen", "listen"}},
		{"wrong value in the file", "", base("--config", wrongType), []string{wrongType + ":2:", "deadline.default", "soon"}},
		{"no such config file", "", base("--config", "nowhere.yaml"), []string{"nowhere.yaml"}},
		{"misspelt --set", "", base("--set", "server.lisen=:1"), []string{"server.lisen", "listen"}},
		{"misspelt environment variable", "HOTPATH_SERVER_LISEN=:1", base(), []string{"HOTPATH_SERVER_LISEN"}},
		{"library missing", "ONNXRUNTIME_LIB=/nowhere/lib.so", base(), []string{"/nowhere/lib.so", "ONNXRUNTIME_LIB"}},
		{"no library anywhere", "ONNXRUNTIME_LIB=", base(), []string{"make onnxruntime", "ONNXRUNTIME_LIB", "runtime.library"}},
		{"library that is none", "ONNXRUNTIME_LIB=" + notLibrary, base(), []string{notLibrary}},
		{"library of something else", "ONNXRUNTIME_LIB=" + otherLibrary, base(), []string{otherLibrary, "not an ONNX Runtime", "1.29 or later", "make onnxruntime"}},
		{"library of an old version", "ONNXRUNTIME_LIB=" + oldLibrary, base(), []string{oldLibrary, "1.29 or later", "make onnxruntime"}},
		{"no models directory", "", base("--models", filepath.Join(dir, "nowhere")), []string{filepath.Join(dir, "nowhere"), "models.dir"}},
		{"broken experiments", "", base("--set", "experiments.file="+experiments), []string{experiments + ":3:", "modle"}},
		{"broken feature schema", "", base("--set", "features.schema="+schema), []string{schema + ":4:", "flot"}},
	}
}

// oldRuntime is what an ONNX Runtime 1.20 answers to who asks for a later API.
const oldRuntime = `
#include <stddef.h>
#include <stdint.h>
static const void *api(uint32_t version) { return version <= 20 ? "an API" : NULL; }
static const char *version(void) { return "1.20.0"; }
static const struct { const void *(*api)(uint32_t); const char *(*version)(void); } base = {api, version};
const void *OrtGetApiBase(void) { return &base; }
`

// sharedLibrary compiles C, with the compiler that builds the gateway.
func sharedLibrary(t *testing.T, name, source string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lib.c"), source)
	path := filepath.Join(dir, name)
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", path, filepath.Join(dir, "lib.c")).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return path
}

// TestErrorsAtStart is rows 47 and 48: exit 2 within a second and a clear line
// that names what is wrong and where.
func TestErrorsAtStart(t *testing.T) {
	dir := demoFiles(t, "")
	for _, c := range startErrors(t, dir) {
		t.Run(c.name, func(t *testing.T) {
			env := child.Environment(dir)
			if c.env != "" {
				name, _, _ := strings.Cut(c.env, "=")
				env = append(without(env, name), c.env)
			}
			p := child.Start(t, dir, env, child.Binary(), c.args...)
			code := p.Wait(t, scaled(5*time.Second))
			took, said := time.Since(p.Started), strings.TrimSpace(p.Stderr.String())
			if code != 2 {
				t.Errorf("exit %d, want 2", code)
			}
			if took > scaled(time.Second) {
				t.Errorf("took %s, want at most 1 s", took)
			}
			for _, want := range c.wants {
				if !strings.Contains(said, want) {
					t.Errorf("the message lacks %q", want)
				}
			}
			if n := strings.Count(said, "\n") + 1; n > 3 {
				t.Errorf("%d lines, want one, with a hint", n)
			}
			verdict(t, "start: "+c.name, "exit 2 within 1 s, one clear line", "exit %d after %s: %s", code, took.Round(time.Millisecond), said)
		})
	}
}

// without removes a variable.
func without(env []string, name string) []string {
	var out []string
	for _, pair := range env {
		if n, _, _ := strings.Cut(pair, "="); n != name {
			out = append(out, pair)
		}
	}
	return out
}
