package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

const (
	sigterm = syscall.SIGTERM
	sighup  = syscall.SIGHUP
)

// user42 is what scikit-learn 1.9.1 predicts for user-42 with version 1, the one
// that the split gives this user: predict_proba of the pipeline of train.py.
const user42 = 0.8005986

// TestDemoFromAnEmptyFolder is the newcomer's first minute.
func TestDemoFromAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	g := launchGateway(t, dir, "--demo")
	within(t, 20*time.Second, "the welcome is printed", func() bool {
		return !g.Running() || strings.Contains(g.Stdout.String(), "Swap a model")
	})
	out := g.Stdout.String()
	line := regexp.MustCompile(`(?m)^\s*(curl -s http://\S+/predict -d .*)$`).FindStringSubmatch(out)
	admin := regexp.MustCompile(`http://(\S+)/admin/status`).FindStringSubmatch(out)
	if line == nil || admin == nil {
		t.Fatalf("no curl line or admin address in:\n%s", out)
	}
	g.Admin = admin[1]
	g.Traffic = regexp.MustCompile(`http://([^/]+)/predict`).FindStringSubmatch(line[1])[1]
	p := curl(t, line[1])
	if math.Abs(p.Prediction-user42) > likeSklearn || p.Version != 1 || p.Variant != "control" || len(p.Degraded) > 0 {
		t.Errorf("the printed line answers %+v, want %v of version 1", p, user42)
	}
	verdict(t, "printed curl line", fmt.Sprintf("200, prediction %v (scikit-learn)", user42), "%v", p.Prediction)

	golden, worst, asked := goldenUsers(t), 0.0, 0
	for version, variant := range map[int]string{1: "control", 2: "treatment"} {
		for user, want := range golden[version] {
			status, p := g.predict(t, fmt.Sprintf(`{"user_id":%q}`, user), "X-Hotpath-Variant", variant)
			if status != 200 || p.Version != version {
				t.Fatalf("%s: %d %+v", user, status, p)
			}
			worst, asked = max(worst, math.Abs(p.Prediction-want)), asked+1
		}
	}
	if worst > likeSklearn {
		t.Errorf("largest difference to scikit-learn is %g", worst)
	}
	verdict(t, "users of golden cases", "within 1e-5 of scikit-learn", "%d asked, largest difference %.1e", asked, worst)
	checkProbes(t, g)
	checkMetricsPage(t, g)
	began := time.Now()
	g.Stop(t)
	verdict(t, "SIGTERM", "exit 0", "exit %d after %s", g.Code(), time.Since(began).Round(time.Millisecond))
}

// curl runs the printed line as a shell does, or the same request without one
// where there is no curl.
func curl(t *testing.T, line string) prediction {
	t.Helper()
	var body []byte
	if _, err := exec.LookPath("curl"); err == nil {
		cmd := exec.Command("sh", "-c", line)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "no_proxy=*"}
		if body, err = cmd.Output(); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	} else {
		parts := regexp.MustCompile(`(http://\S+) -d '(.*)'`).FindStringSubmatch(line)
		_, text, _ := request(t, "POST", parts[1], parts[2])
		body = []byte(text)
	}
	var p prediction
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%s answers %s: %v", line, body, err)
	}
	return p
}

func checkProbes(t *testing.T, g *gateway) {
	t.Helper()
	for _, host := range []string{g.Traffic, g.Admin} {
		for _, path := range []string{"/livez", "/readyz", "/health/liveness", "/health/readiness"} {
			if status, body, _ := request(t, "GET", "http://"+host+path, ""); status != 200 {
				t.Errorf("%s%s: %d %s", host, path, status, body)
			}
		}
	}
	var status struct {
		Readiness readiness
		Models    []struct {
			Model   string
			Version int
		}
		Features struct{ Embedded, Connected bool }
	}
	if code := g.get(t, "/admin/status", &status); code != 200 || status.Readiness.Status != "ready" || len(status.Models) != 4 ||
		!status.Features.Embedded || !status.Features.Connected {
		t.Errorf("/admin/status: %d %+v", code, status)
	}
	for _, name := range []string{"models", "features", "experiments"} {
		if d := status.Readiness.Dependencies[name]; d.Status != "ok" {
			t.Errorf("readiness of %s: %+v", name, d)
		}
	}
	if status, body, _ := request(t, "GET", "http://"+g.Traffic+"/admin/status", ""); status != 404 {
		t.Errorf("the traffic port answers /admin/status with %d %s", status, body)
	}
	verdict(t, "probes and status", "ready on both ports, admin off the traffic port", "%s", status.Readiness.Status)
}

func checkMetricsPage(t *testing.T, g *gateway) {
	t.Helper()
	_, page, _ := request(t, "GET", "http://"+g.Admin+"/metrics", "")
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil {
		t.Fatalf("/metrics does not parse: %v", err)
	}
	own := 0
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "hotpath_") {
			own++
			t.Errorf("promlint: %s: %s", p.Metric, p.Text)
		}
	}
	m := g.metrics(t)
	for _, name := range []string{"hotpath_requests_total", "hotpath_stage_duration_seconds_count", "hotpath_batch_size_count",
		"hotpath_run_duration_seconds_count", "hotpath_feature_values_total", "hotpath_assignments_total"} {
		if m.sum(name) == 0 {
			t.Errorf("%s is missing or 0", name)
		}
	}
	verdict(t, "promlint of /metrics", "clean", "%d problems", own)
}
