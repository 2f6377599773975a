package inference

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"hotpath/models"
)

// Every element type goes through ONNX Runtime and back bit by bit.
func TestEveryElementTypeIsCarriedExactly(t *testing.T) {
	r := openRuntime(t)
	random := rand.New(rand.NewPCG(1, 2))
	for elem, d := range map[uint64]models.DType{
		onnxFloat: models.Float32, onnxDouble: models.Float64, onnxHalf: models.Float16, onnxBFloat16: models.BFloat16,
		onnxInt8: models.Int8, onnxInt16: models.Int16, onnxInt32: models.Int32, onnxInt64: models.Int64,
		onnxUint8: models.Uint8, onnxUint16: models.Uint16, onnxUint32: models.Uint32, onnxUint64: models.Uint64, onnxBool: models.Bool,
	} {
		t.Run(d.String(), func(t *testing.T) {
			s := load(t, r, identity(elem, []int64{-1, 3}, []int64{-1, 3}), SessionOptions{})
			if p := s.Signature().Inputs[0]; p.DType != d || p.Width() != 3 {
				t.Fatalf("input %s", p)
			}
			run := newRunner(t, s, 1, 4)
			in, out := run.Frames()
			for _, rows := range []int{1, 3, 4} {
				sent := make([]byte, rows*in.Layout.Stride[0])
				for i := range sent {
					sent[i] = byte(random.Uint32())
					if d == models.Bool {
						sent[i] &= 1
					}
				}
				copy(in.Data[0], sent)
				ok(t, run.Run(rows))
				if got := out.Data[0][:len(sent)]; !bytes.Equal(got, sent) {
					t.Errorf("%d rows: sent %x, got %x", rows, sent, got)
				}
			}
		})
	}
}

func TestFixturesCompute(t *testing.T) {
	r := openRuntime(t)
	for name, golden := range map[string]string{
		"echo": `{"tolerance":0,"cases":[{"inputs":{"id":[0.1],"x":[1,2,3,4]},"outputs":{"id_out":[0.1],"sum":[10]}},
			{"inputs":{"id":[-5e-324],"x":[0.5,0,0,0]},"outputs":{"id_out":[-5e-324],"sum":[0.5]}}]}`,
		"echo_int64": `{"tolerance":0,"cases":[{"inputs":{"id":[9007199254740993],"x":[1,2,3,4]},"outputs":{"id_out":[9007199254740993],"sum":[10]}},
			{"inputs":{"id":[-9223372036854775808],"x":[0,0,0,0]},"outputs":{"id_out":[-9223372036854775808],"sum":[0]}}]}`,
		"f64":         `{"tolerance":0,"cases":[{"inputs":{"x":[0.1,1e300,-3]},"outputs":{"y":[0.2,2e300,-6]}}]}`,
		"int32":       `{"cases":[{"inputs":{"x":[1,-2,1073741823]},"outputs":{"y":[2,-4,2147483646]}}]}`,
		"bools":       `{"cases":[{"inputs":{"x":[true,false]},"outputs":{"y":[false,true]}},{"inputs":{"x":[false,false]},"outputs":{"y":[true,true]}}]}`,
		"fixed_batch": `{"cases":[{"inputs":{"x":[1,2,3,4]},"outputs":{"y":[10]}},{"inputs":{"x":[0,0,0,5]},"outputs":{"y":[5]}}]}`,
		"strings": `{"cases":[{"inputs":{"word":["red"]},"outputs":{"same":["red"],"code":[1]}},{"inputs":{"word":["blue"]},"outputs":{"same":["blue"],"code":[3]}},
			{"inputs":{"word":["grün"]},"outputs":{"same":["grün"],"code":[-1]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, r, fixture(t, name), SessionOptions{})
			sizes := []int{1, 3, 4}
			if s.FixedBatch() == 1 {
				sizes = []int{1}
			}
			ok(t, newRunner(t, s, sizes...).Verify(t.Context(), readGolden(t, golden), nil))
		})
	}
}

func TestIntegersBeyondFloatsStayExact(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "echo_int64"), SessionOptions{})
	run := newRunner(t, s, 4)
	in, out := run.Frames()
	want := []int64{1<<53 + 1, -(1<<53 + 1), math.MaxInt64, math.MinInt64}
	id := in.Layout.Port("id")
	for i, v := range want {
		binary.LittleEndian.PutUint64(in.Data[id][8*i:], uint64(v))
	}
	ok(t, run.Run(4))
	for i, v := range want {
		if got := int64(binary.LittleEndian.Uint64(out.Data[out.Layout.Port("id_out")][8*i:])); got != v {
			t.Errorf("row %d: sent %d, got %d", i, v, got)
		}
	}
}

func TestStrings(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "strings"), SessionOptions{})
	run := newRunner(t, s, 1, 8)
	in, out := run.Frames()
	same, code := out.Layout.Port("same"), out.Layout.Port("code")
	long := strings.Repeat("größer ", 1<<17)
	for _, batch := range [][]string{
		{"red"}, {""}, {"", ""}, {"red", "", "blue"}, {"", "green", ""}, {long}, {"日本語", "🙂", "\xff\xfe is not UTF-8", long, "", "red"},
	} {
		copy(in.Strings[0], batch)
		ok(t, run.Run(len(batch)))
		for i, want := range batch {
			if got := out.Strings[same][i]; got != want {
				t.Errorf("row %d: sent %.40q, got %.40q", i, want, got)
			}
			wantCode := map[string]int64{"red": 1, "green": 2, "blue": 3}[want]
			if wantCode == 0 {
				wantCode = -1
			}
			if got := int64(binary.LittleEndian.Uint64(out.Data[code][8*i:])); got != wantCode {
				t.Errorf("row %d: code of %.40q is %d, want %d", i, want, got, wantCode)
			}
		}
	}
}

// A string is not cut short at a NUL byte, nor scored as what stands before it.
func TestAStringWithNULIsScoredWhole(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "strings"), SessionOptions{})
	run := newRunner(t, s, 1, 4)
	in, out := run.Frames()
	copy(in.Strings[0], []string{"blue", "red\x00x"})
	ok(t, run.Run(2))
	code := out.Data[out.Layout.Port("code")]
	if got := out.Strings[0][1]; got != "red\x00x" || int64(binary.LittleEndian.Uint64(code[8:])) != -1 {
		t.Errorf("got %q, code %d", got, int64(binary.LittleEndian.Uint64(code[8:])))
	}
}

// Operators that add to an output do not find the answer of the run before there.
func TestStringOutputsBeginEmpty(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "joined"), SessionOptions{})
	run := newRunner(t, s, 1, 4)
	in, out := run.Frames()
	for range 3 {
		copy(in.Strings[0], []string{"a", "longer than what is kept in place, "})
		copy(in.Strings[1], []string{"b", "and longer"})
		ok(t, run.Run(2))
		if got := out.Strings[0][:2]; got[0] != "ab" || got[1] != "longer than what is kept in place, and longer" {
			t.Fatalf("got %q", got)
		}
	}
}
