package experiments

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

// AnyETag as a precondition accepts whatever the file holds.
const AnyETag = "*"

// Edit is a change of the file.
type Edit struct {
	// IfMatch is the ETag of the content that the edit is meant for.
	IfMatch string
	Author  Author
	// DryRun says what would come of it, and changes nothing.
	DryRun bool
	// Preview are the requests that the answer tells about.
	Preview Subjects
}

// Finding is something that is valid and hardly meant, with its place in the file.
type Finding struct {
	abtest.Finding
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Outcome is what an edit did or, in a dry run, would do.
type Outcome struct {
	// Revision is the one that the edit made; 0 in a dry run and where nothing changed.
	Revision int  `json:"revision"`
	DryRun   bool `json:"dry_run,omitempty"`
	// ETag and Digest are those after the edit.
	ETag   string `json:"etag"`
	Digest string `json:"digest"`
	// Diff is of the file, in the unified form; empty: nothing changed.
	Diff    string `json:"diff"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	// Findings are about the new file, and about the change.
	Findings []Finding `json:"findings"`
	// NotLoaded are versions that saving would load first.
	NotLoaded []NotLoaded `json:"not_loaded,omitempty"`
	Preview   *Preview    `json:"preview"`
	// Warning says what went wrong after the edit was saved.
	Warning string `json:"warning,omitempty"`
}

// NotLoaded is a version that is named and not loaded.
type NotLoaded struct {
	Model   string `json:"model"`
	Version int    `json:"version"`
}

// Save makes a text the file's content and serves it, if the file is as the edit
// expects. What is refused changes nothing.
func (k *Keeper) Save(ctx context.Context, text []byte, e Edit) (*Outcome, error) {
	return k.change(ctx, e, func([]byte) ([]byte, error) { return text, nil })
}

// Patch merges a JSON document into the file, as RFC 7396 says: null removes. A list
// of things with names is patched as an object by name. Comments stay where they can.
func (k *Keeper) Patch(ctx context.Context, patch []byte, e Edit) (*Outcome, error) {
	return k.change(ctx, e, func(present []byte) ([]byte, error) {
		return edited(k.read.yaml.MergePatch(present, patch, namedLists...))
	})
}

// Replace makes the file say what a JSON document says. Comments stay where they can.
func (k *Keeper) Replace(ctx context.Context, document []byte, e Edit) (*Outcome, error) {
	return k.change(ctx, e, func(present []byte) ([]byte, error) {
		return edited(k.read.yaml.Rewrite(present, document, namedLists...))
	})
}

// namedLists are the keys of an experiments file whose lists hold things with names.
var namedLists = []string{"experiments", "layers", "variants", "metrics"}

// edited tells a patch that is wrong from a file that is.
func edited(text []byte, err error) ([]byte, error) {
	var broken strictyaml.Problems
	switch {
	case errors.As(err, &broken):
		return nil, &Error{Code: CodeConflict, Err: err}
	case err != nil:
		return nil, &Error{Code: CodeBadRequest, Err: err}
	}
	return text, nil
}

// Restore puts the content of a revision back.
func (k *Keeper) Restore(ctx context.Context, revision int, e Edit) (*Outcome, error) {
	return k.change(ctx, e, func([]byte) ([]byte, error) {
		_, text, _, err := k.history.get(revision)
		return text, err
	})
}

// Check says what saving a text would do, whatever the file holds now.
func (k *Keeper) Check(ctx context.Context, text []byte, s Subjects) (*Outcome, error) {
	return k.Save(ctx, text, Edit{IfMatch: AnyETag, DryRun: true, Preview: s})
}

func (k *Keeper) noFile() error {
	return errorf(CodeNoFile, "no experiments file is configured (experiments.file)")
}

// change is every edit: make makes the new content of the present one.
func (k *Keeper) change(ctx context.Context, e Edit, make func(present []byte) ([]byte, error)) (*Outcome, error) {
	if k.o.File == "" {
		return nil, k.noFile()
	}
	if err := e.Preview.check(); err != nil {
		return nil, err
	}
	if err := k.beginEdit(ctx); err != nil {
		return nil, err
	}
	defer k.endEdit()
	k.settle()
	present, err := strictyaml.ReadFile(k.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errorf(CodeStorage, "the experiments file is gone, and what it said goes on serving: put it back first, such as by "+
			"`gateway experiments history REVISION > FILE` (%w)", err)
	}
	if err != nil {
		return nil, errorf(CodeStorage, "the experiments file cannot be read: %w", err)
	}
	if err := k.match(e.IfMatch, present); err != nil {
		return nil, err
	}
	text, err := make(slices.Clone(present))
	if err != nil {
		return nil, err
	}
	src, err := k.read.read(k.o.File, directory(k.o.File), text)
	if err != nil {
		return nil, &Error{Code: CodeBadExperiments, Err: err}
	}
	out, plan, err := k.outcome(src, present, e)
	if err != nil || e.DryRun || src.etag == ETag(present) && k.inForce(src) {
		return out, err
	}
	out.NotLoaded = nil
	return out, k.save(ctx, &candidate{src, plan, e.Author}, ETag(present), out)
}

// inForce says that a source serves as it is.
func (k *Keeper) inForce(src *source) bool {
	return k.serves != nil && k.serves.source.same(src) && k.pending == nil
}

// match compares an edit's precondition with the file.
func (k *Keeper) match(ifMatch string, present []byte) error {
	etag := ETag(present)
	switch ifMatch {
	case AnyETag, etag:
		return nil
	case "":
		return &Error{Code: CodeNoPrecondition, ETag: etag, Err: errors.New("say which content the edit is meant for: " +
			"send the ETag of GET /admin/experiments as If-Match, or * to overwrite whatever is there")}
	}
	by := "by an edit of the file that does not serve"
	if last, ok := k.history.last(); ok && last.ETag == etag {
		by = "by " + last.Who + " (" + string(last.Via) + ", revision " + itoa(last.Number) + ") at " + last.At.Format(time.RFC3339)
	}
	e := errorf(CodePrecondition, "the file is no longer the one that the edit was made for: it was changed %s, and its ETag is %q now; read it again and repeat the edit", by, etag)
	e.ETag = etag
	return e
}

// outcome says what a new content would change.
func (k *Keeper) outcome(src *source, present []byte, e Edit) (*Outcome, *abtest.Plan, error) {
	plan, err := src.held(k.holds.list())
	if err != nil {
		return nil, nil, &Error{Code: CodeBadExperiments, Err: src.located(err)}
	}
	serves := k.o.World.State().Plan
	if err := e.Preview.fits(serves, plan); err != nil {
		return nil, nil, err
	}
	lines := diffLines(present, src.text)
	out := &Outcome{DryRun: e.DryRun, ETag: src.etag, Digest: plan.Digest().String(), Diff: lines.unified("experiments.yaml", "experiments.yaml"),
		Findings: src.findings(src.plan.Lint(time.Now().Unix()), abtest.LintChange(serves, plan, time.Now().Unix())),
		Preview:  k.preview(serves, plan, e.Preview)}
	out.Added, out.Removed = lines.counts()
	for _, ref := range k.o.World.Missing(plan) {
		out.NotLoaded = append(out.NotLoaded, NotLoaded{ref.Model, ref.Version})
	}
	return out, plan, nil
}

// findings puts findings in their places in the file.
func (s *source) findings(lists ...[]abtest.Finding) []Finding {
	out := []Finding{}
	for _, f := range slices.Concat(lists...) {
		line, column, _ := s.doc.Locate(f.Path)
		out = append(out, Finding{f, line, column})
	}
	return out
}

// Lint are the findings about what serves.
func (k *Keeper) Lint(ctx context.Context) ([]Finding, error) {
	if k.o.File == "" {
		return nil, k.noFile()
	}
	if err := k.lock(ctx); err != nil {
		return nil, err
	}
	defer k.unlock()
	k.settle()
	c := k.serves
	if c == nil {
		return []Finding{}, nil
	}
	return c.source.findings(c.source.plan.Lint(time.Now().Unix())), nil
}
