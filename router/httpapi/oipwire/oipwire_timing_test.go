package oipwire

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"hotpath/models"
)

// testLimits are those of a gateway with its defaults.
func testLimits() Limits {
	return Limits{Depth: 32, IDBytes: 256, Entities: 64, Context: 256, KeyBytes: 256, TensorBytes: 16 << 20}
}

// newTestRequest makes a request that goes nowhere when it is freed.
func newTestRequest() *Request { return NewRequest(testLimits(), func() {}) }

// jsonBody is a request of rows x columns floats with that many digits.
func jsonBody(rows, columns, digits int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := fmt.Appendf(nil, `{"id":"req-1","inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP32","data":[`, rows, columns)
	for i := range rows * columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, rng.Float64()*100, 'g', digits, 64)
	}
	return append(b, "]}]}"...)
}

// binaryBody is a request of that many bytes of floats; header is its JSON's length.
func binaryBody(shape string, bytes int) (body []byte, header int) {
	b := fmt.Appendf(nil, `{"id":"req-1","inputs":[{"name":"x","shape":%s,"datatype":"FP32","parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, shape, bytes)
	header = len(b)
	return append(b, make([]byte, bytes)...), header
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name   string
		body   []byte
		header int
	}{
		{"json/1x10", jsonBody(1, 10, 7), -1},
		{"json/64x256", jsonBody(64, 256, 7), -1},
		{"json/64x256/17digits", jsonBody(64, 256, 17), -1},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkDecode(b, c.body, c.header) })
	}
	for name, c := range map[string]struct {
		shape string
		bytes int
	}{"binary/1x10": {"[1,10]", 40}, "binary/64x256": {"[64,256]", 64 * 256 * 4}, "binary/7MB": {"[12,3,224,224]", 12 * 3 * 224 * 224 * 4}} {
		b.Run(name, func(b *testing.B) {
			body, header := binaryBody(c.shape, c.bytes)
			benchmarkDecode(b, body, header)
		})
	}
}

func benchmarkDecode(b *testing.B, body []byte, header int) {
	r := newTestRequest()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r.Body = body
		if err := r.Decode(header); err != nil {
			b.Fatal(err)
		}
		r.Free()
	}
}

func BenchmarkAppendAnswer(b *testing.B) {
	for _, n := range []int{1, 64} {
		for _, binary := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dx256/binary=%v", n, binary), func(b *testing.B) {
				t := models.Tensor{Name: "y", DType: models.Float32, Shape: []int64{int64(n), 256}}
				rng := rand.New(rand.NewPCG(1, 2))
				for range n * 256 {
					t.Data = append(t.Data, floatBytes(rng.Float32())...)
				}
				a := &Answer{Model: "m", Version: 1, Outputs: []models.Tensor{t}}
				r := newTestRequest()
				r.BinaryOutput = binary
				var dst []byte
				b.ReportAllocs()
				for b.Loop() {
					var err error
					if dst, _, err = r.AppendAnswer(dst[:0], a); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(int64(len(dst)))
			})
		}
	}
}
