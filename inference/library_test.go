package inference

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFindLibraryTakesWhatWasAskedForOrFails(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "lib.so")
	ok(t, os.WriteFile(there, []byte("x"), 0o600))
	missing := filepath.Join(dir, "missing.so")

	t.Setenv(LibraryEnv, missing)
	if got, err := FindLibrary(there); err != nil || got != there {
		t.Errorf("configured path: got %q, %v", got, err)
	}
	for name, c := range map[string]struct{ configured, env, want string }{
		"configured and missing, though the environment's is there": {missing, there, "runtime.library = "},
		"environment's is missing, though a search would find one":  {"", missing, "$" + LibraryEnv + " = "},
		"a folder": {dir, "", "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(LibraryEnv, c.env)
			_, err := FindLibrary(c.configured)
			wantError(t, err, c.want)
			if !errors.Is(err, ErrNoLibrary) {
				t.Errorf("%v is not ErrNoLibrary", err)
			}
		})
	}
	t.Setenv(LibraryEnv, there)
	if got, err := FindLibrary(""); err != nil || got != there {
		t.Errorf("environment: got %q, %v", got, err)
	}
}

func TestFindLibraryWithoutAnyTellsHowToGetOne(t *testing.T) {
	t.Setenv(LibraryEnv, "")
	t.Chdir(t.TempDir())
	_, err := FindLibrary("")
	wantError(t, err, "make onnxruntime", LibraryEnv, "runtime.library", libraryName(), ".onnxruntime")
	if !errors.Is(err, ErrNoLibrary) {
		t.Errorf("%v is not ErrNoLibrary", err)
	}
}

func TestFindLibrarySearchesTheParents(t *testing.T) {
	t.Setenv(LibraryEnv, "")
	root := t.TempDir()
	t.Chdir(root)
	_, err := FindLibrary("")
	if err == nil {
		t.Fatal("found one in an empty folder")
	}
	path := filepath.Join(root, ".onnxruntime", runtime.GOOS+"-"+runtime.GOARCH, libraryName())
	ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
	ok(t, os.WriteFile(path, nil, 0o600))
	below := filepath.Join(root, "a", "b")
	ok(t, os.MkdirAll(below, 0o700))
	t.Chdir(below)
	got, err := FindLibrary("")
	if err != nil || !sameFile(t, got, path) {
		t.Errorf("got %q, %v, want %q", got, err, path)
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	ok(t, err)
	y, err := os.Stat(b)
	ok(t, err)
	return os.SameFile(x, y)
}

// What is no ONNX Runtime is an error that says so, and the next Open may still
// find one.
func TestOpenRefusesWhatIsNoLibrary(t *testing.T) {
	text := filepath.Join(t.TempDir(), "lib.so")
	ok(t, os.WriteFile(text, []byte("not a library"), 0o600))
	for _, path := range append([]string{text}, otherLibraries()...) {
		_, err := Open(Options{Library: path})
		wantError(t, err, path, "not an ONNX Runtime", "1.30")
	}
	_, err := Open(Options{Library: text + ".missing"})
	if !errors.Is(err, ErrNoLibrary) {
		t.Errorf("missing: %v", err)
	}
	openRuntime(t)
}

// otherLibraries are shared libraries of other makers that this machine has.
func otherLibraries() []string {
	found, _ := filepath.Glob("/lib/*-linux-gnu/libm.so.6")
	return found
}

func TestOneRuntimeAtATime(t *testing.T) {
	for range 3 {
		r, err := Open(Options{})
		ok(t, err)
		if _, err := Open(Options{}); err == nil {
			t.Error("a second one was opened")
		}
		if v := r.Version(); v < "1.29" {
			t.Errorf("version %q", v)
		}
		if r.Library() == "" || os.Getenv("ORT_DISABLE_TELEMETRY") != "1" {
			t.Errorf("library %q, telemetry variable %q", r.Library(), os.Getenv("ORT_DISABLE_TELEMETRY"))
		}
		ok(t, r.Close())
		ok(t, r.Close())
	}
}
