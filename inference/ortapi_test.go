package inference

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The numbers in ort.h are the places of the functions in the header of the ONNX
// Runtime that the Go binding is made for; a C compiler, which cgo needs anyway,
// compares them.
func TestFunctionsStandWhereTheHeaderHasThem(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	ok(t, err)
	compiler, err := exec.Command("go", "env", "CC").Output()
	ok(t, err)
	header, err := os.ReadFile("ort.h")
	ok(t, err)
	var source strings.Builder
	source.WriteString("#include <stddef.h>\n#include \"onnxruntime_c_api.h\"\n")
	listed := regexp.MustCompile(`(?m)^\tORT_(\w+) = (\d+),$`).FindAllStringSubmatch(string(header), -1)
	if len(listed) < 20 {
		t.Fatalf("only %d functions found in ort.h", len(listed))
	}
	for _, f := range listed {
		fmt.Fprintf(&source, "_Static_assert(offsetof(OrtApi, %s) == %s * sizeof(void *), \"%s\");\n", f[1], f[2], f[1])
	}
	version := regexp.MustCompile(`ORT_VERSION = (\d+)`).FindStringSubmatch(string(header))
	fmt.Fprintf(&source, "_Static_assert(ORT_API_VERSION >= %s, \"version\");\n", version[1])
	path := filepath.Join(t.TempDir(), "places.c")
	ok(t, os.WriteFile(path, []byte(source.String()), 0o600))
	args := append(strings.Fields(string(compiler)), "-fsyntax-only", "-I", strings.TrimSpace(string(dir)), path)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
