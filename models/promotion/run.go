package promotion

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// deployment is a saga on its way, with what its steps hand to one another.
type deployment struct {
	m         *Manager
	e         *entry
	ctx       context.Context
	r         record // as it was when it began, with its digest
	candidate Candidate
	dir       string
	// before are the counters of the version before, when the deployment began, and
	// began those of the new one just before the switch.
	before, began Health
}

// errSkipped is what a step gives that has nothing to do; its text says why.
type errSkipped struct{ why string }

func (e errSkipped) Error() string { return e.why }

// run takes a deployment whose files are there through the other steps.
func (m *Manager) run(e *entry) {
	ctx, cancel := context.WithCancelCause(m.ctx)
	defer cancel(nil)
	m.mu.Lock()
	e.cancel = cancel
	d := &deployment{m: m, e: e, ctx: ctx, r: e.record}
	m.mu.Unlock()
	d.dir = m.folders.staged(d.r.ID)
	if d.r.Request.From != 0 {
		d.dir = m.folders.repository
	}
	if d.r.Before != 0 {
		d.before, _ = m.o.Traffic.Health(d.r.Model, d.r.Before) // unknown counts as none
	}
	for _, s := range []struct {
		name string
		do   func() (detail string, err error)
	}{
		{VerifyStep, d.verify}, {TrialStep, d.trial}, {ContractStep, d.contract}, {LoadStep, d.load},
		{ShadowStep, d.shadow}, {SwitchStep, d.switchOver}, {WatchStep, d.watch},
	} {
		err := d.step(s.name, s.do)
		switch {
		case err == nil:
		case errors.Is(context.Cause(ctx), errClosing):
			return // the next start undoes it
		default:
			d.undo(s.name, err)
			return
		}
	}
	m.end(e, Done, "")
}

// step does one step between two entries in the journal.
func (d *deployment) step(name string, do func() (string, error)) error {
	if err := context.Cause(d.ctx); err != nil {
		return err
	}
	if err := d.m.change(d.e, func(r *record) { r.start(name) }); err != nil {
		return err
	}
	detail, err := do()
	if cause := context.Cause(d.ctx); err != nil && cause != nil {
		err = cause // the step ended because of that
	}
	var skipped errSkipped
	switch {
	case errors.As(err, &skipped):
		return d.m.change(d.e, func(r *record) { r.finish(name, StepSkipped, skipped.why) })
	case err != nil:
		return err
	}
	return d.m.change(d.e, func(r *record) { r.finish(name, StepDone, detail) })
}

// ErrNoTrial is what a Candidate gives whose trial is switched off.
var ErrNoTrial = errors.New("switched off (models.trial_process)")

func (d *deployment) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(d.ctx, d.m.o.StepTimeout)
}

func (d *deployment) verify() (string, error) {
	ctx, cancel := d.limited()
	defer cancel()
	c, err := d.m.o.Checker.Check(ctx, d.dir, d.r.Model, d.r.Version)
	if err != nil {
		return "", err
	}
	for name, want := range map[string]string{"when it arrived": d.r.SHA256, "as was said": d.r.Request.SHA256} {
		if want != "" && c.SHA256() != want {
			return "", fmt.Errorf("%s has SHA-256 %s, not %s %s", ModelFile, c.SHA256(), want, name)
		}
	}
	d.candidate = c
	return c.Summary(), nil
}

func (d *deployment) trial() (string, error) {
	ctx, cancel := d.limited()
	defer cancel()
	err := d.candidate.Trial(ctx)
	if errors.Is(err, ErrNoTrial) {
		return "", errSkipped{err.Error()}
	}
	return "loaded in a process of its own", err
}

func (d *deployment) contract() (string, error) {
	differences, err := d.candidate.Contract()
	if err != nil {
		return "", err
	}
	return d.judge(differences)
}

// judge refuses differences from the contract, unless they are allowed.
func (d *deployment) judge(differences []string) (string, error) {
	text := strings.Join(differences, "; ")
	switch {
	case d.r.Before == 0:
		return "", errSkipped{"no version serves that it could differ from"}
	case len(differences) == 0:
		return fmt.Sprintf("inputs and outputs are those of version %d", d.r.Before), nil
	case d.r.Request.AllowContractChange:
		return "allowed changes: " + text, nil
	}
	return "", fmt.Errorf("differs from version %d: %s; if that is meant to be, allow it by allow_contract_change", d.r.Before, text)
}

// load holds the version, moves its folder to its place and has it loaded.
func (d *deployment) load() (string, error) {
	ctx, cancel := d.limited()
	defer cancel()
	d.candidate = nil // it may hold the whole file
	repository, model, n := d.m.o.Repository, d.r.Model, d.r.Version
	if d.r.Loaded {
		return d.loaded("was loaded already")
	}
	if err := repository.Hold(ctx, model, n); err != nil {
		return "", err
	}
	if d.r.Request.From == 0 {
		_, known := repository.List().Model(model)
		if err := d.m.change(d.e, func(r *record) { r.Made, r.MadeModel = true, !known }); err != nil {
			return "", err
		}
		if err := d.m.folders.place(&d.r); err != nil {
			return "", err
		}
	}
	if err := repository.Load(ctx, model, n); err != nil {
		return "", err
	}
	return d.loaded("loaded, warmed and checked beside what serves")
}

// loaded compares the contracts again, now that ONNX Runtime knows the shapes.
func (d *deployment) loaded(detail string) (string, error) {
	if d.r.Before == 0 {
		return detail, nil
	}
	differences, err := d.m.o.Traffic.Differences(d.r.Model, d.r.Before, d.r.Version)
	if err == nil {
		_, err = d.judge(differences)
	}
	return detail, err
}

// switchTimeout bounds the switch and what undoes it: both are quick, and neither
// may be left half done.
const switchTimeout = 30 * time.Second

func (d *deployment) switchOver() (string, error) {
	// A cancellation comes before or after it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), switchTimeout)
	defer cancel()
	if now, _ := d.m.o.Repository.List().Model(d.r.Model); now.Current != d.r.Before {
		return "", fmt.Errorf("%s is current by now, not %s as when the deployment began; deploy again to compare with that", versionText(now.Current), versionText(d.r.Before))
	}
	// Unknown, as for a model's first version, counts as none.
	d.began, _ = d.m.o.Traffic.Health(d.r.Model, d.r.Version)
	start := time.Now()
	if err := d.m.o.Repository.Release(ctx, d.r.Model, d.r.Version); err != nil {
		return "", err
	}
	return fmt.Sprintf("current instead of %s after %s", versionText(d.r.Before), time.Since(start).Round(10*time.Microsecond)), nil
}

func versionText(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprintf("version %d", n)
}
