package jsonwire

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"hotpath/models"
	"hotpath/router"
)

// featureBody is a request with n named features, as the demo's risk model has
// 30 of them.
func featureBody(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := []byte(`{"user_id":"user-4711","model":"risk","request_id":"req-0123456789","features":{`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"mean_radius_`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `":`...)
		b = strconv.AppendFloat(b, float64(rng.IntN(200000))/1000, 'f', -1, 64)
	}
	return append(b, `},"entities":{"merchant":"m9"},"context":{"country":"de","age":41,"beta":true}}`...)
}

// tensorBody is a request with one raw 8x8 image.
func tensorBody() []byte {
	b := []byte(`{"user_id":"user-4711","model":"digits","features":{"image":[`)
	for row := range 8 {
		if row > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for col := range 8 {
			if col > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(row*col%17), 10)
			b = append(b, ".0"...)
		}
		b = append(b, ']')
	}
	return append(b, `]}}`...)
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name string
		body []byte
	}{
		{"user_only", []byte(`{"user_id":"user-4711","model":"risk"}`)},
		{"features30", featureBody(30)},
		{"features200", featureBody(200)},
		{"tensor8x8", tensorBody()},
	} {
		b.Run(c.name, func(b *testing.B) {
			d, req := NewDecoder(DefaultLimits()), new(router.Request)
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(c.body, req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(c.body)), "ns/byte")
		})
	}
}

func BenchmarkDecodeBatch(b *testing.B) {
	body := []byte(`{"instances":[`)
	for i := range 64 {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, featureBody(30)...)
	}
	body = append(body, `]}`...)
	d, batch := NewDecoder(DefaultLimits()), new(Batch)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.DecodeBatch(body, batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeHostile is what a body costs that is made to be slow.
func BenchmarkDecodeHostile(b *testing.B) {
	for name, body := range hostileBodies() {
		b.Run(name, func(b *testing.B) {
			d, req := NewDecoder(DefaultLimits()), new(router.Request)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				_ = d.Decode(body, req)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	dst := make([]byte, 0, 4096)
	b.Run("string16", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendString(dst[:0], "req-0123456789ab")
		}
	})
	b.Run("float32", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendFloat32(dst[:0], 0.98765432)
		}
	})
	b.Run("float64", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendFloat64(dst[:0], 0.9876543210987654)
		}
	})
	layout := models.NewLayout([]models.Port{{Name: "p", DType: models.Float32, Shape: []int{10}}})
	row := layout.NewRow()
	for i := range 10 {
		row.PutFloat32(4*i, 1/float32(i+3))
	}
	b.Run("tensor10", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst, _ = AppendTensor(dst[:0], layout, 0, &row)
		}
	})
}
