package inference

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// LibraryEnv names the environment variable that points at the ONNX Runtime
// shared library.
const LibraryEnv = "ONNXRUNTIME_LIB"

// ErrNoLibrary says that no ONNX Runtime library could be found.
var ErrNoLibrary = errors.New("ONNX Runtime library not found")

// FindLibrary decides which ONNX Runtime library to load: the configured path,
// else $ONNXRUNTIME_LIB, else what `make onnxruntime` left in .onnxruntime/
// below the working directory (or a parent of it) or beside the executable. A
// path that was asked for and does not exist is an error, never a silent second
// choice.
func FindLibrary(configured string) (string, error) {
	for _, asked := range []struct{ from, path string }{
		{"runtime.library", configured}, {"$" + LibraryEnv, os.Getenv(LibraryEnv)},
	} {
		if asked.path == "" {
			continue
		}
		if err := checkFile(asked.path); err != nil {
			return "", fmt.Errorf("%w: %s = %q: %v (leave it unset to use what `make onnxruntime` fetches)", ErrNoLibrary, asked.from, asked.path, err)
		}
		return asked.path, nil
	}
	tried := []string{}
	for _, dir := range searchRoots() {
		path := filepath.Join(dir, ".onnxruntime", runtime.GOOS+"-"+runtime.GOARCH, libraryName())
		if checkFile(path) == nil {
			return path, nil
		}
		tried = append(tried, path)
	}
	return "", fmt.Errorf("%w: run `make onnxruntime`, or set $%s or runtime.library to the path of %s (tried %s)",
		ErrNoLibrary, LibraryEnv, libraryName(), strings.Join(tried, ", "))
}

// searchLevels is how far up the search goes: from the deepest package of the
// repository to its root.
const searchLevels = 5

// searchRoots are the working directory and its parents up to the repository's
// root, and the same for the executable.
func searchRoots() []string {
	var roots []string
	climb := func(dir string, levels int) {
		for range levels {
			roots = append(roots, dir)
			parent := filepath.Dir(dir)
			if parent == dir {
				return
			}
			dir = parent
		}
	}
	if wd, err := os.Getwd(); err == nil {
		climb(wd, searchLevels)
	}
	if exe, err := os.Executable(); err == nil {
		climb(filepath.Dir(exe), 2)
	}
	return roots
}

func libraryName() string {
	if runtime.GOOS == "darwin" {
		return "libonnxruntime.1.dylib"
	}
	return "libonnxruntime.so.1"
}

func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return errors.Unwrap(err)
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	}
	return nil
}
