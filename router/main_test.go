package router_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/router"
	"hotpath/router/routertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// far is a deadline that no test reaches.
const far = 5 * time.Second

// ask is a request of a test.
type ask struct {
	user, model, forced string
	features            []models.Value
	entities            map[string]string
	context             map[string]string
	timeout             time.Duration // far when zero
	hurried             bool
}

// begin admits a request of that kind.
func begin(t testing.TB, p *router.Pipeline, a ask) *router.Exchange {
	t.Helper()
	x, refusal := p.Begin()
	if refusal != nil {
		t.Fatalf("Begin: %v", refusal)
	}
	fill(x, a)
	return x
}

func fill(x *router.Exchange, a ask) {
	x.Request.UserID, x.Request.Model = []byte(a.user), []byte(a.model)
	x.Request.Features = append(x.Request.Features, a.features...)
	for k, v := range a.entities {
		x.Request.Entities = append(x.Request.Entities, models.Value{Key: []byte(k), Kind: models.KindString, Raw: []byte(v)})
	}
	for k, v := range a.context {
		x.Request.Context = append(x.Request.Context, models.Value{Key: []byte(k), Kind: models.KindString, Raw: []byte(v)})
	}
	if a.forced != "" {
		x.Forced, x.ForcedFrom = []byte(a.forced), "X-Variant"
	}
	if a.timeout == 0 {
		a.timeout = far
	}
	x.Until, x.Hurried = time.Now().Add(a.timeout), a.hurried
}

// answer is what a test looks at of an exchange.
type answer struct {
	id, version int64
	x           [2]float64
	variant     string
	reason      string
	lane        int
	degraded    string
	err         *router.Error
}

// predict takes one request through.
func predict(t testing.TB, p *router.Pipeline, a ask) answer {
	t.Helper()
	x := begin(t, p, a)
	defer p.Finish(x)
	err := p.Predict(x)
	return read(x, err)
}

func read(x *router.Exchange, err *router.Error) answer {
	out := answer{err: err, reason: x.Assignment.Reason.String()}
	if x.Variant != nil {
		out.variant = x.Variant.Name()
	}
	if x.Lane != nil {
		out.lane = x.Lane.Version
	}
	x.Degraded.Each(func(name string) {
		if out.degraded != "" {
			out.degraded += ","
		}
		out.degraded += name
	})
	if err == nil {
		row, l := x.Out(), x.Lane.Out
		out.id, out.version = row.Int64(l.Offset[0]), row.Int64(l.Offset[1])
		out.x = [2]float64{row.Float64(l.Offset[2]), row.Float64(l.Offset[2] + 8)}
	}
	return out
}

// code is the error's code, or "ok".
func (a answer) code() string {
	if a.err == nil {
		return "ok"
	}
	return a.err.Code.String()
}

func weight(w float64) *float64 { return &w }

// split is an experiment about a model: control is version 1, treatment version 2.
func split(model string, control, treatment float64) abtest.ExperimentConfig {
	return abtest.ExperimentConfig{Name: model + "-test", Model: model, Variants: []abtest.VariantConfig{
		{Name: "control", Weight: weight(control), Version: 1},
		{Name: "treatment", Weight: weight(treatment), Version: 2},
	}}
}

func config(e ...abtest.ExperimentConfig) abtest.Config { return abtest.Config{Experiments: e} }

// eventually polls for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func rig(t testing.TB) *routertest.Rig { t.Helper(); return routertest.NewRig(t, routertest.Options()) }
