package features

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"hotpath/models"
)

func TestLoadIntoRedis(t *testing.T) {
	redis := startRedis(t)
	schema := testSchema(t, 2)
	var csv strings.Builder
	csv.WriteString("entity,id,f0,fresh,country,risk,embed\n")
	for i := range 1200 {
		fmt.Fprintf(&csv, "user,u%d,%d.5,,\"a,b\",,\"[1,2,%d]\"\n", i, i, i)
	}
	csv.WriteString("merchant,m1,,,,0.25,\nuser,last,,3.5,,,\n")
	var calls [][2]int
	report, err := Load(t.Context(), testOptions(redis.Addr()), schema, strings.NewReader(csv.String()),
		func(done, total int) { calls = append(calls, [2]int{done, total}) })
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != 1202 || report.Values != 3602 || report.Entities["user"] != 1201 || report.Entities["merchant"] != 1 {
		t.Errorf("report %+v", report)
	}
	if fmt.Sprint(calls) != "[[500 1202] [1000 1202] [1202 1202]]" {
		t.Errorf("progress %v", calls)
	}
	s, _ := openStore(t, testOptions(redis.Addr()), schema)
	connected(t, s)
	v, err := s.View(models.NewLayout([]models.Port{{Name: "X", DType: models.Float32, Shape: []int{6}}}),
		[]models.Binding{{Port: 0, Features: []string{"user.f0", "user.fresh", "merchant.risk", "user.embed"}}})
	if err != nil {
		t.Fatal(err)
	}
	x := newVector(v)
	if err := x.fetch(time.Second, "u1199", "m1"); err != nil {
		t.Fatal(err)
	}
	if got := x.shown(); got != "store default_missing store store" || x.float(0) != 1199.5 || x.row.Float32(v.slots[3].off+8) != 1199 {
		t.Errorf("%s %v", got, x.float(0))
	}
	x = newVector(v)
	if err := x.fetch(time.Second, "last", ""); err != nil || x.float(1) != 3.5 || x.origins[1] != models.OriginStore {
		t.Errorf("%v: max_age without the timestamp that Load sets: %s", err, x.shown())
	}
}

func TestLoadNamesTheCell(t *testing.T) {
	e, err := StartEmbedded(t.Context(), testSchema(t, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct{ csv, want string }{
		{"", "line 1: no header"},
		{"id,entity,f0\n", "line 1: the header must be entity,id"},
		{"entity,id,f0,f0\n", "line 1, column 14: f0 is there twice"},
		{"entity,id,f0\nuser,a,1\nuser,b,abc\n", `line 3, column 8: f0: "abc" is not a valid float`},
		{"entity,id,f0\nusr,a,1\n", `line 2, column 1: entity: the schema has no entity "usr"; did you mean user?`},
		{"entity,id,f0\nuser,,1\n", "line 2, column 6: id: is empty"},
		{"entity,id,f00\nuser,a,1\n", "line 2, column 8: f00: entity user has no such feature; did you mean f0?"},
		{"entity,id,embed\nuser,a,\"[1,2]\"\n", "not a JSON array of 3 float elements"},
		{"entity,id,f0\nuser,a\n", "line 2: wrong number of fields"},
		{"entity,id,f0\nuser,a,NaN\n", `"NaN" is not a valid float`},
	} {
		_, err := Load(t.Context(), testOptions(e.Addr()), testSchema(t, 1), io.MultiReader(strings.NewReader(c.csv)), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.csv, err, c.want)
		}
	}
	_, err = Load(t.Context(), testOptions("127.0.0.1:1"), testSchema(t, 1), strings.NewReader("entity,id,f0\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("no server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, testOptions(e.Addr()), testSchema(t, 1), strings.NewReader("entity,id,f0\nuser,a,1\n"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestEmbeddedStore: the same store code works against the embedded server.
func TestEmbeddedStore(t *testing.T) {
	schema := testSchema(t, 2)
	e, err := StartEmbedded(t.Context(), schema, strings.NewReader("entity,id,f0,fresh\nuser,u1,0.5,7\n"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if e.Report.Rows != 1 || e.Report.Values != 2 {
		t.Errorf("report %+v", e.Report)
	}
	s, _ := openStore(t, testOptions(e.Addr()), schema)
	connected(t, s)
	v := floatView(t, s, "user.f0", "user.fresh", "user.f1")
	x := newVector(v)
	if err := x.fetch(time.Second, "u1"); err != nil {
		t.Fatal(err)
	}
	if got := x.shown(); got != "store store default_missing" || x.float(0) != 0.5 || x.float(1) != 7 {
		t.Errorf("%s %v %v", got, x.float(0), x.float(1))
	}
	w, err := OpenWriter(testOptions(e.Addr()), schema)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Set(t.Context(), "user", "u1", map[string]string{"f1": "-4"}); err != nil {
		t.Fatal(err)
	}
	fieldError(t, w.Set(t.Context(), "user", "u1", map[string]string{"f1": "x"}), "f1", "not a valid float")
	x = newVector(v)
	if err := x.fetch(time.Second, "u1"); err != nil || x.float(2) != -4 || x.float(0) != 0.5 {
		t.Errorf("%v %s after Set", err, x.shown())
	}
}

func TestStartEmbeddedRefusesABadSeed(t *testing.T) {
	if _, err := StartEmbedded(t.Context(), testSchema(t, 1), strings.NewReader("entity,id,f0\nuser,u,x\n")); err == nil {
		t.Fatal("no error")
	}
}
