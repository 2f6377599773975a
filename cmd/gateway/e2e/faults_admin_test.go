package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAdminFromOutside is row 49: the traffic port knows nothing of the admin
// port, no name leads out of the repository, and an upload has its limit.
func TestAdminFromOutside(t *testing.T) {
	dir := fixtures(t, "echo")
	// What a name with dots would reach.
	copyFixture(t, "echo", filepath.Join(dir, "outside", "1"))
	g := startGateway(t, dir, append(fixtureArgs(dir), "--set", "models.max_file_bytes=64KiB", "--set", "models.state_file="+filepath.Join(dir, "state", "state.json"))...)
	v := keepVigil(t, g, echoBody)
	before := tree(t, dir)
	for _, path := range []string{"/metrics", "/debug/pprof/heap", "/admin/status", "/admin/config", "/admin/models", "/admin/models/echo", "/admin/experiments", "/admin/guards"} {
		refusedBy(t, g.Traffic, "GET", path, "", 404)
	}
	for _, path := range []string{"/admin/models/echo/load?version=1", "/admin/models/echo/unload?version=1", "/admin/models/echo/deployments", "/admin/experiments/reload"} {
		refusedBy(t, g.Traffic, "POST", path, "x", 404, 405)
	}
	for _, name := range []string{"..%2Foutside", "%2e%2e%2Foutside", "..%5Coutside", "%2Fetc", "echo%2F..%2F..%2Foutside", "a%00b", strings.Repeat("a", 300)} {
		refusedBy(t, g.Admin, "POST", "/admin/models/"+name+"/load?version=1", "", 400, 404, 405, 422)
		refusedBy(t, g.Admin, "POST", "/admin/models/"+name+"/deployments", "model", 400, 404, 405, 413, 415, 422)
		refusedBy(t, g.Traffic, "GET", "/v2/models/"+name, "", 400, 404)
		refusedBy(t, g.Traffic, "POST", "/v2/models/"+name+"/infer", "{}", 400, 404)
	}
	for _, name := range []string{"../../outside/1/model.onnx", "/etc/hotpath", "..", "1/../../x", `..\x`} {
		form, contentType := formOf(t, name, "not a model")
		status, text, _ := request(t, "POST", "http://"+g.Admin+"/admin/models/echo/deployments", form, "Content-Type", contentType)
		waitDeployments(t, g)
		if status == 0 || status >= 500 {
			t.Errorf("a part named %q: %d %s", name, status, text)
		}
		verdict(t, fmt.Sprintf("row 49: a deployment's part is named %q", name), "refused, or kept inside", "%d", status)
	}
	status, text, _ := request(t, "POST", "http://"+g.Admin+"/admin/models/echo/deployments", strings.Repeat("x", 1<<20), "Content-Type", "application/octet-stream")
	if status != 413 {
		t.Errorf("an upload of 1 MiB where 64 KiB are allowed: %d %s, want 413", status, text)
	}
	verdict(t, "row 49: an upload over models.max_file_bytes", "413", "%d", status)
	waitDeployments(t, g)
	if after := tree(t, dir); after != before {
		t.Errorf("files before:\n%s\nand after:\n%s", before, after)
	}
	r := load{addr: g.Traffic, conns: 4, total: 100, body: echoBody}.begin(t).wait(t)
	v.strays = 1 << 10 // of the requests above, some are counted
	line := v.end(t, r, 5*time.Second, "ok")
	verdict(t, "row 49: names that lead out of the repository", "nothing outside is read or written", "no file changed; %s", line)
	g.Stop(t)
}

// refusedBy wants one of the statuses. A path is sent as it stands.
func refusedBy(t *testing.T, addr, method, path, body string, want ...int) {
	t.Helper()
	w, err := dialWire(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	text := string(post(path, body, "Connection: close"))
	if method == "GET" {
		text = "GET " + path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
	}
	a, err := w.do([]byte(text), scaled(5*time.Second))
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	for _, s := range want {
		if a.status == s {
			return
		}
	}
	t.Errorf("%s %s: %d %s, want %v", method, path, a.status, a.body, want)
}

// formOf is an upload of one file under a name.
func formOf(t *testing.T, name, text string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("model", name)
	if err == nil {
		_, err = part.Write([]byte(text))
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), form.FormDataContentType()
}

// waitDeployments waits until none is in progress.
func waitDeployments(t *testing.T, g *gateway) {
	t.Helper()
	within(t, scaled(5*time.Second), "no deployment is in progress", func() bool {
		return g.metrics(t).sum("hotpath_deployments_running") == 0
	})
}

// tree lists the files of a folder with their sizes, but for what deployments keep.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasPrefix(path, "state/") {
			return nil
		}
		info, err := d.Info()
		fmt.Fprintf(&b, "%s %d\n", path, info.Size())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
