package inference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"

	"hotpath/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openRuntime opens the real ONNX Runtime for one test.
func openRuntime(t testing.TB) *Runtime {
	t.Helper()
	r, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ok(t, r.Close()) })
	return r
}

func load(t testing.TB, r *Runtime, data []byte, o SessionOptions) *Session {
	t.Helper()
	s, err := r.Load(t.Context(), data, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ok(t, s.Close()) })
	return s
}

func newRunner(t testing.TB, s *Session, sizes ...int) *Runner {
	t.Helper()
	r, err := s.NewRunner(sizes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ok(t, r.Close()) })
	return r
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	return file(t, "testdata", "fixtures", name, "1", "model.onnx")
}

// file reads a file below models/.
func file(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", "models"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks that an error says all of these.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func readGolden(t testing.TB, text string) *models.Golden {
	t.Helper()
	g, err := models.ReadGolden(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// tensor describes an input or output of a graph made for a test. A dim below
// zero is dynamic; nil dims leave the shape undeclared.
type tensor struct {
	name string
	elem uint64 // TensorProto.DataType
	dims []int64
}

// The element types of onnx.proto.
const (
	onnxFloat, onnxUint8, onnxInt8, onnxUint16, onnxInt16, onnxInt32, onnxInt64      = 1, 2, 3, 4, 5, 6, 7
	onnxString, onnxBool, onnxHalf, onnxDouble, onnxUint32, onnxUint64, onnxBFloat16 = 8, 9, 10, 11, 12, 13, 16
)

func field(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

func number(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func (v tensor) proto() []byte {
	tt := number(nil, 1, v.elem)
	if v.dims != nil {
		var shape []byte
		for _, d := range v.dims {
			if d < 0 {
				shape = field(shape, 1, field(nil, 2, []byte("b")))
			} else {
				shape = field(shape, 1, number(nil, 1, uint64(d)))
			}
		}
		tt = field(tt, 2, shape)
	}
	return field(field(nil, 1, []byte(v.name)), 2, field(nil, 1, tt))
}

// node is one operator.
func node(op string, inputs []string, output string, attributes ...[]byte) []byte {
	var b []byte
	for _, in := range inputs {
		b = field(b, 1, []byte(in))
	}
	b = field(field(b, 2, []byte(output)), 4, []byte(op))
	for _, a := range attributes {
		b = field(b, 5, a)
	}
	return b
}

// onnxModel is a model file of one node.
func onnxModel(n []byte, inputs, outputs []tensor) []byte {
	g := field(field(nil, 1, n), 2, []byte("g"))
	for _, v := range inputs {
		g = field(g, 11, v.proto())
	}
	for _, v := range outputs {
		g = field(g, 12, v.proto())
	}
	m := number(nil, 1, 8)
	m = field(m, 7, g)
	return field(m, 8, number(nil, 2, 17))
}

// identity is a model that answers its input.
func identity(elem uint64, in, out []int64) []byte {
	return onnxModel(node("Identity", []string{"x"}, "y"), []tensor{{"x", elem, in}}, []tensor{{"y", elem, out}})
}
