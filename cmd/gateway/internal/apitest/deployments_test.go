package apitest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hotpath/models/promotion"
)

// fakeDeployments stands for a *promotion.Manager: every call ends in err, or
// gives a deployment with everything in it.
type fakeDeployments struct {
	err    error
	again  bool
	before func()
}

func (f *fakeDeployments) saga() promotion.Saga {
	now := time.Now()
	return promotion.Saga{ID: "d-0123456789abcdef", Model: "risk", Version: 3, State: promotion.RolledBack, Reason: "watch: bad", Before: 2,
		SHA256: strings.Repeat("ab", 32), Size: 9, Key: "k", CreatedAt: now, EndedAt: &now,
		Request: promotion.Request{Version: 3, From: 3, SHA256: "ab", AllowContractChange: true, ShadowRequests: 1, ShadowTime: 1, Agreement: 1, MaxLatencyRatio: 1},
		Steps:   []promotion.Step{{Name: promotion.WatchStep, State: promotion.StepFailed, StartedAt: &now, EndedAt: &now, Detail: "bad"}, {Name: promotion.UndoStep, State: promotion.StepPending}}}
}

func (f *fakeDeployments) Deploy(_ context.Context, _ string, _ promotion.Request, _ string, files promotion.Files) (promotion.Saga, bool, error) {
	f.before()
	if files != nil && f.err == nil {
		if _, _, err := files.Next(); err != nil {
			return promotion.Saga{}, false, err
		}
	}
	return f.saga(), !f.again, f.err
}

func (f *fakeDeployments) List(string) []promotion.Saga {
	f.before()
	return []promotion.Saga{f.saga()}
}

func (f *fakeDeployments) Get(string) (promotion.Saga, error) {
	f.before()
	return f.saga(), f.err
}

func (f *fakeDeployments) Watch(_ context.Context, _ string, each func(promotion.Saga) error) error {
	return each(f.saga())
}

func (f *fakeDeployments) Cancel(context.Context, string) (promotion.Saga, error) {
	f.before()
	return f.saga(), f.err
}

func (p *adminPort) deployments(t *testing.T) {
	t.Helper()
	const list, one = "/admin/models/{model}/deployments", "/admin/deployments/{id}"
	const path, onePath = "/admin/models/risk/deployments", "/admin/deployments/d-0123456789abcdef"
	p.send(t, "GET", list, "GET", path, "", 200)
	p.page(t, list, path, "")
	p.send(t, "GET", "/admin/deployments", "GET", "/admin/deployments", "", 200)
	p.page(t, "/admin/deployments", "/admin/deployments", "")
	p.send(t, "GET", one, "GET", onePath, "", 200)
	p.send(t, "GET", one, "GET", onePath+"?watch=true", "", 200)
	p.page(t, one, onePath, "")

	binary := []string{"Content-Type", "application/octet-stream"}
	p.send(t, "POST", list, "POST", path+"?shadow=1000&watch_window=5s&agreement=0.9&allow_contract_change=true", "model", 202, binary...)
	p.send(t, "POST", list, "POST", path+"?from=3", "", 202)
	p.deploys.again = true
	p.send(t, "POST", list, "POST", path, "model", 200, append(binary, "Idempotency-Key", "k")...)
	p.send(t, "POST", list, "POST", path+"?version=zero", "model", 400, binary...)
	p.send(t, "POST", list, "POST", path, "model", 403, "Sec-Fetch-Site", "cross-site")
	p.send(t, "POST", list, "PUT", path, "", 405)
	for code, status := range map[promotion.Code]int{promotion.CodeBadRequest: 400, promotion.CodeUpload: 400, promotion.CodeUnknownVersion: 404, promotion.CodeUnknownModel: 404,
		promotion.CodeConflict: 409, promotion.CodeTooLarge: 413, promotion.CodeKeyReused: 422, promotion.CodeBadModel: 422, promotion.CodeStorage: 503, promotion.CodeClosed: 503} {
		p.deploys.err = &promotion.Error{Code: code, Err: errors.New("because")}
		p.send(t, "POST", list, "POST", path, "model", status, binary...)
	}
	p.deploys.err = errors.New("a bug")
	p.send(t, "POST", list, "POST", path, "model", 500, binary...)
	p.deploys.err = &promotion.Error{Code: promotion.CodeUnknownDeployment, Err: errors.New("because")}
	p.send(t, "GET", one, "GET", onePath, "", 404)
	p.deploys.err = nil
	p.send(t, "DELETE", one, "DELETE", onePath, "", 200)
	p.send(t, "DELETE", one, "DELETE", onePath+"?nonsense=1", "", 400)
	p.send(t, "DELETE", one, "DELETE", onePath, "", 403, "Sec-Fetch-Site", "cross-site")
	p.send(t, "DELETE", one, "PUT", onePath, "", 405)
	for code, status := range map[promotion.Code]int{promotion.CodeUnknownDeployment: 404, promotion.CodeConflict: 409, promotion.CodeClosed: 503} {
		p.deploys.err = &promotion.Error{Code: code, Err: errors.New("because")}
		p.send(t, "DELETE", one, "DELETE", onePath, "", status)
	}
	p.deploys.err = errors.New("a bug")
	p.send(t, "DELETE", one, "DELETE", onePath, "", 500)
	p.deploys.err = nil
}
