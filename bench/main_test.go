package bench

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// stubVariable makes the test binary a stub of the gateway: see stubGateway.
const stubVariable = "HOTPATH_BENCH_STUB"

func TestMain(m *testing.M) {
	if os.Getenv(stubVariable) != "" {
		stubGateway(os.Args[1:])
		return
	}
	goleak.VerifyTestMain(m)
}

// stubGateway stands in for `gateway serve`: it answers every POST with a fixed
// body (503 when the variable says refuse), counts batches of one, and serves until it is killed.
func stubGateway(args []string) {
	flags := make(map[string]string)
	for i := 1; i+1 < len(args); i += 2 {
		flags[strings.TrimLeft(args[i], "-")] = args[i+1]
	}
	var served atomic.Int64
	admin := http.NewServeMux()
	admin.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	admin.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		n := served.Load()
		fmt.Fprintf(w, "hotpath_batch_size_bucket{model=\"m\",le=\"1\"} %d\nhotpath_batch_size_bucket{model=\"m\",le=\"+Inf\"} %d\n", n, n)
	})
	go http.ListenAndServe(flags["admin"], admin)
	http.ListenAndServe(flags["listen"], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		if os.Getenv(stubVariable) == "refuse" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		w.Write([]byte(`{"prediction":0.5}`))
	}))
}

// golden compares text with a file under golden/.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "golden/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update after checking):\n%s", file, got)
	}
}
