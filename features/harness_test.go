package features

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"hotpath/models"
	"hotpath/resilience/redislink/redistest"
)

// TestMain checks for leaks. A closed cluster client leaves one goroutine that
// sleeps for at most a second and then finds that it may not dial any more.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

func startRedis(t testing.TB, args ...string) *redistest.Server {
	t.Helper()
	return redistest.Start(t, args...)
}

func eventually(t testing.TB, limit time.Duration, what string, f func() bool) time.Duration {
	t.Helper()
	return redistest.Eventually(t, limit, what, f)
}

// testSchema has entity user with n float features f0.., their types' other
// kinds, and the request-only feature amount.
func testSchema(t testing.TB, n int) *Schema {
	t.Helper()
	c := SchemaConfig{
		Entities: map[string]EntityConfig{
			"user": {Features: map[string]FeatureConfig{
				"age":     {Type: "int", Default: uint64(33)},
				"member":  {Type: "bool", Default: true},
				"country": {Type: "string", Default: "de"},
				"embed":   {Type: "float", Width: 3, Default: []any{0.5, uint64(1), 1.5}},
				"fresh":   {Type: "float", Default: 9.5, MaxAge: time.Hour},
				"must":    {Type: "float", OnMissing: "error", OnStale: "error", OnInvalid: "error", MaxAge: time.Hour},
				"locked":  {Type: "float", Default: 0.25, Override: new(bool)},
			}},
			"merchant": {Key: "m:{id}:v1", Features: map[string]FeatureConfig{"age": {Type: "float", Default: 1.5}, "risk": {Type: "float", Default: 0.5}}},
		},
		Request: map[string]FeatureConfig{"amount": {Type: "float", Default: 2.5}},
	}
	for i := range n {
		c.Entities["user"].Features[fmt.Sprintf("f%d", i)] = FeatureConfig{Type: "float", Default: -1.0}
	}
	s, err := CompileSchema(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testOptions(addr string) Options {
	o := DefaultOptions()
	o.Addresses = []string{addr}
	return o
}

func openStore(t testing.TB, o Options, schema *Schema) (*Store, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	s, err := New(o, schema, nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, reg
}

func connected(t testing.TB, s *Store) time.Duration {
	t.Helper()
	return eventually(t, 10*time.Second, "connected", func() bool { return s.State().Connected })
}

// floatView binds one FP32 input to the given features.
func floatView(t testing.TB, s *Store, names ...string) *View {
	t.Helper()
	v, err := s.View(models.NewLayout([]models.Port{{Name: "X", DType: models.Float32, Shape: []int{len(names)}}}),
		[]models.Binding{{Port: 0, Features: names}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// numbered lists user.f0 .. user.f<n-1>.
func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("user.f%d", i)
	}
	return names
}

// vector is one request's row and origins.
type vector struct {
	v       *View
	row     models.Row
	origins []models.Origin
}

func newVector(v *View) *vector {
	x := &vector{v: v, origins: make([]models.Origin, v.Len())}
	x.row.Data = make([]byte, len(v.template.Data))
	x.row.Strings = make([]models.Span, len(v.template.Strings))
	v.Start(&x.row, x.origins)
	return x
}

// fetch runs the request's steps up to Recover.
func (x *vector) fetch(budget time.Duration, ids ...string) error {
	raw := make([][]byte, len(ids))
	for i, id := range ids {
		raw[i] = []byte(id)
	}
	err := x.v.Fetch(time.Now().Add(budget), raw, &x.row, x.origins)
	if err != nil {
		x.v.Recover(raw, &x.row, x.origins)
	}
	return err
}

func (x *vector) float(i int) float32 {
	s := &x.v.slots[i]
	return x.row.Float32(s.off)
}

func (x *vector) shown() string {
	names := make([]string, len(x.origins))
	for i, o := range x.origins {
		names[i] = o.String()
	}
	return strings.Join(names, " ")
}

// sample reads one metric: a counter's value, or a histogram's count.
func sample(t testing.TB, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			if label == "" || labelled(m, label) {
				if h := m.GetHistogram(); h != nil {
					return float64(h.GetSampleCount())
				}
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s{%s}", name, label)
	return 0
}

func labelled(m *dto.Metric, value string) bool {
	for _, l := range m.Label {
		if l.GetValue() == value {
			return true
		}
	}
	return false
}

// fieldError asserts a *models.FieldError for a field.
func fieldError(t *testing.T, err error, field, message string) {
	t.Helper()
	var fe *models.FieldError
	if !errors.As(err, &fe) {
		t.Fatalf("error %v (%T), want a field error for %s", err, err, field)
	}
	if fe.Field != field || !strings.Contains(fe.Message, message) {
		t.Fatalf("error %q: %q, want %q: ...%q...", fe.Field, fe.Message, field, message)
	}
}

// discardMetrics are for stores that are never started.
func discardMetrics(t testing.TB) *metrics {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// values is one request value.
func values(key, text string) []models.Value { return []models.Value{value(key, text)} }
