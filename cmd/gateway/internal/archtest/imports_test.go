package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// may lists, for each package, the packages of this module that it may import.
// A package that is not here is free: it lives under cmd/ or bench/ and sees
// what it composes. The stages never import one another: they meet in models,
// and router says in interfaces what it needs of them.
var may = map[string][]string{
	"models":                               {},
	"models/strictyaml":                    {},
	"models/durable":                       {},
	"models/onnxscan":                      {"models"},
	"models/repository":                    {"models", "models/durable", "models/onnxscan", "models/strictyaml"},
	"models/promotion":                     {"models", "models/durable", "models/repository"},
	"models/demo":                          {},
	"abtest":                               {},
	"abtest/readout":                       {"abtest", "abtest/exposure", "abtest/stats"},
	"abtest/stats":                         {},
	"abtest/sticky":                        {"abtest", "resilience", "resilience/handoff", "resilience/redislink"},
	"abtest/exposure":                      {"abtest"},
	"abtest/exposure/jsonl":                {"abtest/exposure", "models/durable"},
	"resilience":                           {},
	"resilience/handoff":                   {},
	"resilience/redislink":                 {},
	"resilience/redislink/redistest":       {},
	"features":                             {"models", "resilience/handoff", "resilience/redislink"},
	"inference":                            {"models"},
	"batcher":                              {"models", "resilience/handoff"},
	"router":                               {"models", "abtest", "resilience", "resilience/handoff"},
	"router/identity":                      {"router", "router/identity/reload", "models/strictyaml"},
	"router/identity/reload":               {},
	"router/identity/certs":                {"router/identity/reload"},
	"router/identity/token":                {"router/identity", "router/identity/reload"},
	"router/oip":                           {"router", "models"},
	"router/httpapi":                       {"abtest", "abtest/exposure", "router", "router/httpapi/jsonscan", "router/httpapi/jsonwire", "router/httpapi/oipwire", "router/identity", "router/oip", "models"},
	"router/httpapi/jsonscan":              {"models"},
	"router/httpapi/jsonscan/jsonscantest": {},
	"router/httpapi/jsonwire":              {"abtest/exposure", "router", "router/httpapi/jsonscan", "models"},
	"router/httpapi/oipwire":               {"router/httpapi/jsonscan", "router/httpapi/jsonwire", "router/oip", "models"},
	"router/grpcapi":                       {"router", "router/grpcapi/pb", "router/identity", "router/oip", "models"},
	"router/grpcapi/pb":                    {},
	"bench/floor":                          {},
	"cmd/gateway/internal/experiments":     {"abtest", "cmd/gateway/internal/serving", "models", "models/durable", "models/strictyaml", "router"},
	"cmd/gateway/internal/admin": {"abtest", "abtest/readout", "batcher", "cmd/gateway/internal/experiments", "features", "models", "models/promotion", "models/repository", "models/strictyaml", "resilience",
		"router", "router/httpapi", "router/identity"},
}

// only lists libraries that one place alone may name.
var only = map[string][]string{
	"github.com/yalue/onnxruntime_go": {"inference", "bench/floor"},
	"github.com/redis/rueidis":        {"features", "resilience/redislink", "resilience/redislink/redistest", "abtest/sticky", "bench", "bench/floor"},
	"github.com/valyala/fasthttp":     {"router/httpapi", "bench", "bench/floor"},
	"github.com/sony/gobreaker/v2":    {"resilience"},
	"github.com/failsafe-go":          {"resilience"},
	"github.com/goccy/go-yaml":        {"models/strictyaml"},
	"github.com/spf13/cobra":          {"cmd/gateway"},
	"github.com/alicebob/miniredis":   {"features"},
	"google.golang.org/grpc":          {"router/grpcapi", "router/grpcapi/pb"},
	"gonum.org/v1/gonum":              {"abtest/stats"},
	"github.com/go-jose/go-jose":      {"router/identity/token"},
	"github.com/open-feature":         {}, // tests alone
}

const module = "hotpath"

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		seen[name] = true
		allowed, bound := may[name]
		for _, i := range p.Imports {
			own, isOwn := strings.CutPrefix(i, module+"/")
			if bound && isOwn && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s; it may import only %v: stages meet in models and are joined in cmd/gateway", name, own, allowed)
			}
			for library, places := range only {
				if strings.HasPrefix(i, library) && !slices.Contains(places, name) {
					t.Errorf("%s imports %s, which only %v may name", name, library, places)
				}
			}
		}
	}
	for name := range may {
		if !seen[name] {
			t.Errorf("%s is in the table of imports but does not exist", name)
		}
	}
}

func TestAssignmentIsPure(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module+"/abtest" {
			continue
		}
		for _, i := range p.Imports {
			if slices.Contains([]string{"time", "math/rand", "math/rand/v2", "crypto/rand", "net", "os"}, i) {
				t.Errorf("abtest imports %s: an assignment must depend on nothing but its arguments", i)
			}
		}
	}
}
