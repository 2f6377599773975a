package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"

	"hotpath/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onnxFile is a whole, tiny ONNX model that carries a text and some padding.
func onnxFile(text string, pad int) []byte {
	str := func(b []byte, n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	num := func(b []byte, n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
	}
	value := func(name string) string {
		tensor := num(nil, 1, 1)
		return string(str(str(nil, 1, name), 2, string(str(nil, 1, string(tensor)))))
	}
	graph := str(nil, 1, string(str(nil, 4, "Identity")))
	graph = str(graph, 10, text+strings.Repeat(".", pad))
	graph = str(str(graph, 11, value("x")), 12, value("y"))
	b := num(nil, 1, 8)
	b = str(b, 8, string(num(nil, 2, 15)))
	return str(b, 7, string(graph))
}

// fakeLoader stands for ONNX Runtime: it accepts every candidate, unless told
// otherwise, and keeps count of what is open.
type fakeLoader struct {
	mu    sync.Mutex
	loads []string // model/version:sha
	fail  map[string]error
	hold  map[string]chan struct{} // model/version: Load waits for it or its context
	open  atomic.Int64
}

type fakeServed struct {
	loader *fakeLoader
	c      Candidate
	closed atomic.Int32
}

func (s *fakeServed) Close() {
	if s.closed.Add(1) == 1 {
		s.loader.open.Add(-1)
	}
}

func (l *fakeLoader) Load(ctx context.Context, c Candidate) (Served, error) {
	key := fmt.Sprintf("%s/%d", c.Model, c.Version)
	l.mu.Lock()
	l.loads = append(l.loads, key+":"+c.SHA256)
	err, hold := l.fail[key], l.hold[key]
	l.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &fakeServed{loader: l, c: c}, nil
}

func (l *fakeLoader) setFail(key string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == nil {
		l.fail = map[string]error{}
	}
	l.fail[key] = err
}

func (l *fakeLoader) count(prefix string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.loads {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

// bench is a repository in a temporary directory with a fake loader. It checks
// every set it is offered.
type bench struct {
	t      *testing.T
	dir    string
	o      Options
	loader *fakeLoader
	r      *Repository
	set    atomic.Pointer[Set]
	pin    atomic.Int64
	refuse atomic.Pointer[error] // what OnChange answers
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), loader: &fakeLoader{}}
	b.o = DefaultOptions(b.dir)
	b.o.Settle, b.o.Poll, b.o.Debounce = 50*time.Millisecond, 10*time.Millisecond, 5*time.Millisecond
	b.o.OnChange = b.onChange
	return b
}

func (b *bench) onChange(s *Set) error {
	if err := b.refuse.Load(); err != nil {
		return *err
	}
	for name, m := range s.Models {
		if len(m.Versions) == 0 || m.Version(m.Current) == nil || m.Previous != 0 && m.Version(m.Previous) == nil || m.Current == m.Previous {
			b.t.Errorf("set %d: model %s is inconsistent: %+v", s.Generation, name, m)
		}
		for label, n := range m.Labels {
			if m.Version(n) == nil {
				b.t.Errorf("set %d: label %s of model %s names version %d, which is not loaded", s.Generation, label, name, n)
			}
		}
		for _, l := range m.Versions {
			if n := l.Served.(*fakeServed).closed.Load(); n != 0 {
				b.t.Errorf("set %d holds a closed version %s/%d", s.Generation, name, l.Version)
			}
		}
	}
	if old := b.set.Load(); old != nil {
		for name, m := range old.Models {
			for _, l := range m.Versions {
				if l.Served.(*fakeServed).closed.Load() != 0 {
					b.t.Errorf("%s/%d was closed before the set without it was taken", name, l.Version)
				}
			}
		}
	}
	b.set.Store(s)
	return nil
}

func (b *bench) refuseChanges(err error) {
	if err == nil {
		b.refuse.Store(nil)
		return
	}
	b.refuse.Store(&err)
}

func (b *bench) openRepo() {
	b.t.Helper()
	r, err := Open(b.o, b.loader)
	if err != nil {
		b.t.Fatal(err)
	}
	b.r = r
	b.t.Cleanup(b.close)
	select {
	case <-r.Started():
	case <-time.After(10 * time.Second):
		b.t.Fatal("not started")
	}
}

func (b *bench) close() {
	if b.r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.r.Close(ctx); err != nil {
		b.t.Error(err)
	}
	if n := b.loader.open.Load(); n != 0 {
		b.t.Errorf("%d versions are still open after Close", n)
	}
	b.r = nil
	b.set.Store(nil)
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

func (b *bench) write(name string, data []byte) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// put writes a version with a model that carries its own name.
func (b *bench) put(model string, version int) {
	b.write(filepath.Join(model, strconv.Itoa(version), modelFile), onnxFile(fmt.Sprintf("%s/%d", model, version), 0))
}

func (b *bench) version(model string, n int) VersionStatus {
	m, _ := b.r.List().Model(model)
	v, _ := m.Version(n)
	return v
}

// loaded are the versions in the set.
func (b *bench) loaded(model string) []int {
	var all []int
	set := b.set.Load()
	if set == nil || set.Models[model] == nil {
		return nil
	}
	for _, l := range set.Models[model].Versions {
		all = append(all, l.Version)
	}
	return all
}

func (b *bench) config(model string) models.Config {
	m := b.set.Load().Models[model]
	return m.Version(m.Current).Config
}

func (b *bench) labels(model string) map[string]int {
	set := b.set.Load()
	if set == nil || set.Models[model] == nil {
		return nil
	}
	return set.Models[model].Labels
}

// wantLoaded waits until exactly these versions are loaded.
func (b *bench) wantLoaded(model string, want ...int) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("%s has versions %v loaded", model, want), func() bool { return slices.Equal(b.loaded(model), want) })
}

func (b *bench) wantLabels(model string, want map[string]int) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("%s has labels %v", model, want), func() bool { return maps.Equal(b.labels(model), want) })
}

// replace puts a file in place by renaming it, as an editor or a deployment does.
func (b *bench) replace(name, text string) {
	b.t.Helper()
	b.write(name+".tmp", []byte(text))
	ok(b.t, os.Rename(b.path(name+".tmp"), b.path(name)))
}

func (b *bench) current(model string) int {
	m, _ := b.r.List().Model(model)
	return m.Current
}

// eventually polls a condition.
func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("never: %s; status %+v", what, b.r.List())
		}
	}
}

// scanned waits until the directory has been read from start to end after this call.
func (b *bench) scanned() {
	b.t.Helper()
	at := time.Now()
	b.eventually("directory read", func() bool { return b.r.List().ScannedAt.After(at) })
}

func (b *bench) wantCode(err error, code Code, text string) {
	b.t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(err.Error(), text) {
		b.t.Errorf("got error %v, want code %s and %q", err, code, text)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
