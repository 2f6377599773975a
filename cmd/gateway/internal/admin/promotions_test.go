package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hotpath/models/promotion"
)

// fakeDeployments notes what it is asked. Its deployment changes with what comes
// on changes, and has ended when that is closed.
type fakeDeployments struct {
	request promotion.Request
	key     string
	files   map[string]string
	err     error
	changes chan promotion.Saga
}

const sagaID = "d-0123456789abcdef"

func (f *fakeDeployments) Deploy(_ context.Context, model string, r promotion.Request, key string, files promotion.Files) (promotion.Saga, bool, error) {
	f.request, f.key, f.files = r, key, map[string]string{}
	for files != nil {
		name, content, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return promotion.Saga{}, false, err
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return promotion.Saga{}, false, err
		}
		f.files[name] = string(data)
	}
	return promotion.Saga{ID: sagaID, Model: model}, true, f.err
}

func (f *fakeDeployments) List(model string) []promotion.Saga {
	return []promotion.Saga{{ID: sagaID, Model: model}}
}

func (f *fakeDeployments) Get(id string) (promotion.Saga, error) {
	return promotion.Saga{ID: id}, f.err
}

func (f *fakeDeployments) Watch(ctx context.Context, _ string, each func(promotion.Saga) error) error {
	for {
		select {
		case s, more := <-f.changes:
			if !more {
				return nil
			}
			if err := each(s); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fakeDeployments) Cancel(_ context.Context, id string) (promotion.Saga, error) {
	return promotion.Saga{ID: id, State: promotion.Cancelled}, f.err
}

// deploying is a port with deployments.
func deploying(t *testing.T) (*port, *fakeDeployments) {
	t.Helper()
	p, f := newPort(t), &fakeDeployments{changes: make(chan promotion.Saga)}
	o := &p.handler.(*handler).o
	o.Deployments, o.UploadTimeout = f, time.Minute
	o.DeploymentDefaults = promotion.Request{Agreement: 0.99, MaxLatencyRatio: 3, WatchWindow: promotion.Duration(time.Minute)}
	return p, f
}

// form is a multipart body of part and content, part and content, …
func form(t *testing.T, parts ...string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		part, err := w.CreateFormFile(parts[i], "file")
		if err == nil {
			_, err = io.WriteString(part, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func TestADeploymentOfOneFile(t *testing.T) {
	p, f := deploying(t)
	w := p.do("POST", "/admin/models/risk/deployments?version=7&shadow=1000&agreement=0.9&tolerance=1e-3&watch_window=5s&max_error_rate=0.1&max_latency_ratio=2&allow_contract_change=true",
		"onnx", "Idempotency-Key", "k")
	if w.Code != http.StatusAccepted || w.Header().Get("Location") != "/admin/deployments/"+sagaID {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	want := promotion.Request{Version: 7, ShadowRequests: 1000, Agreement: 0.9, Tolerance: 1e-3, WatchWindow: promotion.Duration(5 * time.Second),
		MaxErrorRate: 0.1, MaxLatencyRatio: 2, AllowContractChange: true}
	if f.request != want || f.key != "k" || len(f.files) != 1 || f.files["model.onnx"] != "onnx" {
		t.Errorf("%+v %q %v", f.request, f.key, f.files)
	}
	if !strings.Contains(p.log.String(), "admin operation") {
		t.Error("it is not in the log")
	}
	// What is not said is the default.
	p.do("POST", "/admin/models/risk/deployments?shadow=30s", "onnx")
	if f.request != (promotion.Request{ShadowTime: promotion.Duration(30 * time.Second), Agreement: 0.99, MaxLatencyRatio: 3, WatchWindow: promotion.Duration(time.Minute)}) {
		t.Errorf("%+v", f.request)
	}
}

func TestADeploymentOfAForm(t *testing.T) {
	p, f := deploying(t)
	kind, body := form(t, "config", "c: 1", "model", strings.Repeat("onnx", 100000), "golden", "{}")
	if w := p.do("POST", "/admin/models/risk/deployments", body, "Content-Type", kind); w.Code != http.StatusAccepted {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if len(f.files["model.onnx"]) != 400000 || f.files["config.yaml"] != "c: 1" || f.files["golden.json"] != "{}" {
		t.Errorf("%d files", len(f.files))
	}
	kind, body = form(t, "../../etc/passwd", "x")
	p.refused(p.do("POST", "/admin/models/risk/deployments", body, "Content-Type", kind), 400, "bad_request")
	kind, body = form(t, "model", "onnx")
	p.refused(p.do("POST", "/admin/models/risk/deployments", body[:len(body)-20], "Content-Type", kind), 500, "internal") // the fake names no code
}

func TestBadDeployments(t *testing.T) {
	p, f := deploying(t)
	for _, query := range []string{"version=0", "from=x", "shadow=many", "agreement=most", "watch_window=5", "allow_contract_change=perhaps", "nonsense=1", "version=1&version=2"} {
		if d := p.refused(p.do("POST", "/admin/models/risk/deployments?"+query, "onnx"), 400, "bad_request"); !strings.Contains(d.Message, "parameter") {
			t.Errorf("%s: %s", query, d.Message)
		}
	}
	p.refused(p.do("POST", "/admin/models/risk/deployments?from=1", "onnx"), 400, "bad_request")
	p.refused(p.do("POST", "/admin/models/risk/deployments", "onnx", "Sec-Fetch-Site", "cross-site"), 403, "cross_origin")
	p.refused(p.do("GET", "/admin/deployments/"+sagaID+"?watch=perhaps", ""), 400, "bad_request")
	for code, status := range promotionStatus {
		f.err = &promotion.Error{Code: code, Err: fmt.Errorf("because")}
		w := p.do("POST", "/admin/models/risk/deployments?from=1", "")
		p.refused(w, status, string(code))
		if (w.Header().Get("Retry-After") != "") != (status == 503) {
			t.Errorf("%s: %v", code, w.Header())
		}
	}
}

func TestDeploymentsAreShown(t *testing.T) {
	p, f := deploying(t)
	if l := decode[DeploymentList](p, p.do("GET", "/admin/deployments", "")); len(l.Deployments) != 1 || l.Deployments[0].Model != "" {
		t.Errorf("%+v", l)
	}
	if l := decode[DeploymentList](p, p.do("GET", "/admin/models/risk/deployments", "")); l.Deployments[0].Model != "risk" {
		t.Errorf("%+v", l)
	}
	if s := decode[promotion.Saga](p, p.do("DELETE", "/admin/deployments/"+sagaID, "")); s.State != promotion.Cancelled {
		t.Errorf("%+v", s)
	}
	f.err = &promotion.Error{Code: promotion.CodeUnknownDeployment, Err: fmt.Errorf("no")}
	p.refused(p.do("GET", "/admin/deployments/nothing", ""), 404, "unknown_deployment")
}

// TestADeploymentIsWatched over a real connection: each change comes as it
// happens, and the stream ends with the deployment or with the client.
func TestADeploymentIsWatched(t *testing.T) {
	p, f := deploying(t)
	server := httptest.NewServer(p.handler)
	defer server.Close()
	ctx, leave := context.WithCancel(context.Background())
	open := func(ctx context.Context) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/admin/deployments/"+sagaID+"?watch=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	answer := open(context.Background())
	defer answer.Body.Close()
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	lines := bufio.NewScanner(answer.Body)
	for i := range 3 {
		f.changes <- promotion.Saga{ID: sagaID, Version: i}
		var s promotion.Saga
		for s.ID == "" && lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &s); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s.Version != i || s.ID != sagaID {
			t.Errorf("change %d: %+v", i, s)
		}
	}
	// Another client leaves: its place is free again.
	gone := open(ctx)
	leave()
	gone.Body.Close()
	h := p.handler.(*handler)
	for end := time.Now().Add(5 * time.Second); len(h.watchers) != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d watchers", len(h.watchers))
		}
	}
	close(f.changes)
	if rest, err := io.ReadAll(answer.Body); err != nil || len(bytes.TrimSpace(rest)) != 0 {
		t.Errorf("%q %v", rest, err)
	}
	for range maxWatchers - len(h.watchers) {
		h.watchers <- struct{}{}
	}
	p.refused(p.do("GET", "/admin/deployments/"+sagaID+"?watch=true", ""), 503, "overloaded")
}
