package features

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"hotpath/models"
)

// benchStore is a store on a real server with n float features for 1,000 users.
func benchStore(t testing.TB, n int) *View {
	t.Helper()
	redis := startRedis(t)
	schema := testSchema(t, n)
	w, err := OpenWriter(testOptions(redis.Addr()), schema)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for u := range 1000 {
		values := map[string]string{}
		for i := range n {
			values[fmt.Sprintf("f%d", i)] = fmt.Sprint(rand.Float64() * 100)
		}
		if err := w.Set(t.Context(), "user", fmt.Sprint(u), values); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := openStore(t, testOptions(redis.Addr()), schema)
	connected(t, s)
	return floatView(t, s, numbered(n)...)
}

// request runs the steps of one request.
func (x *vector) request(t testing.TB, ids [][]byte) {
	x.v.Start(&x.row, x.origins)
	if err := x.v.Fetch(time.Now().Add(time.Second), ids, &x.row, x.origins); err != nil {
		t.Fatal(err)
	}
	if err := x.v.Finish(x.origins); err != nil {
		t.Fatal(err)
	}
}

// TestFetchAllocations bounds the allocations of a whole request, the client's
// included: they must not grow with the number of fields.
func TestFetchAllocations(t *testing.T) {
	if raceEnabled {
		return // the detector allocates
	}
	for _, n := range []int{10, 30} {
		v := benchStore(t, n)
		x := newVector(v)
		ids := [][]byte{[]byte("7")}
		allocs := testing.AllocsPerRun(500, func() { x.request(t, ids) })
		t.Logf("%d fields: %v allocations", n, allocs)
		if allocs > 8 {
			t.Errorf("%d fields: %v allocations a request, want at most 8", n, allocs)
		}
	}
}

func BenchmarkFetch(b *testing.B) {
	for _, n := range []int{10, 30} {
		v := benchStore(b, n)
		b.Run(fmt.Sprintf("fields=%d/one", n), func(b *testing.B) {
			x := newVector(v)
			ids := [][]byte{[]byte("7")}
			b.ReportAllocs()
			for b.Loop() {
				x.request(b, ids)
			}
		})
		b.Run(fmt.Sprintf("fields=%d/parallel", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				x := newVector(v)
				ids := [][]byte{[]byte(fmt.Sprint(rand.IntN(1000)))}
				for pb.Next() {
					x.request(b, ids)
				}
			})
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	s := &Store{opts: DefaultOptions(), metrics: discardMetrics(b)}
	layout := models.NewLayout([]models.Port{{Name: "X", DType: models.Float32, Shape: []int{30}}})
	v, err := s.viewOf(testSchema(b, 30), layout, []models.Binding{{Port: 0, Features: numbered(30)}})
	if err != nil {
		b.Fatal(err)
	}
	text := "*30\r\n"
	for i := range 30 {
		n := fmt.Sprint(float64(i) * 1.37)
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(n), n)
	}
	m := message(text)
	x := newVector(v)
	b.ReportAllocs()
	for b.Loop() {
		v.Start(&x.row, x.origins)
		if !v.decode(&v.plans[0], &m, &x.row, x.origins, models.OriginStore) {
			b.Fatal("not decoded")
		}
	}
}

func BenchmarkOverride(b *testing.B) {
	v := allTypes(b)
	x := newVector(v)
	values := []models.Value{value("user.f0", "1.25"), value("amount", "3"), value("i64", "5"), value("b", "true"), value("s", `"text"`)}
	b.ReportAllocs()
	for b.Loop() {
		v.Start(&x.row, x.origins)
		if err := v.Override(values, &x.row, x.origins); err != nil {
			b.Fatal(err)
		}
	}
}
