package e2e

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// The ONNX files that tests need in many variants or of some size are made here,
// rather than kept. An ONNX file is a protobuf message; these are its parts.

// message is a protobuf message in the making.
type message []byte

func (m message) varint(field int, v uint64) message {
	return binary.AppendUvarint(binary.AppendUvarint(m, uint64(field)<<3), v)
}

func (m message) bytes(field int, b []byte) message {
	m = binary.AppendUvarint(m, uint64(field)<<3|2)
	return append(binary.AppendUvarint(m, uint64(len(b))), b...)
}

func (m message) text(field int, all ...string) message {
	for _, s := range all {
		m = m.bytes(field, []byte(s))
	}
	return m
}

// The element types of ONNX that are used here.
const (
	onnxFloat  = 1
	onnxInt64  = 7
	onnxDouble = 11
)

// graph collects what a graph has.
type graph struct{ nodes, constants, inputs, outputs message }

// node adds an operator. attributes are whole messages.
func (g *graph) node(op string, in []string, out string, attributes ...message) {
	n := message{}.text(1, in...).text(2, out).text(4, op)
	for _, a := range attributes {
		n = n.bytes(5, a)
	}
	g.nodes = g.nodes.bytes(1, n)
}

// attribute is an integer attribute.
func attribute(name string, v int64) message {
	return message{}.text(1, name).varint(3, uint64(v)).varint(20, 2)
}

func (g *graph) constant(name string, elementType uint64, dims []int, raw []byte) {
	t := message{}
	for _, d := range dims {
		t = t.varint(1, uint64(d))
	}
	g.constants = g.constants.bytes(5, t.varint(2, elementType).text(8, name).bytes(9, raw))
}

// port is an input or output of shape [batch, width].
func port(name string, elementType uint64, width int) message {
	shape := message{}.bytes(1, message{}.text(2, "batch")).bytes(1, message{}.varint(1, uint64(width)))
	tensor := message{}.varint(1, elementType).bytes(2, shape)
	return message{}.text(1, name).bytes(2, message{}.bytes(1, tensor))
}

func (g *graph) input(name string, elementType uint64, width int) {
	g.inputs = g.inputs.bytes(11, port(name, elementType, width))
}

func (g *graph) output(name string, elementType uint64, width int) {
	g.outputs = g.outputs.bytes(12, port(name, elementType, width))
}

// file is the graph as a model file.
func (g *graph) file() string {
	all := append(message{}, g.nodes...).text(2, "made")
	all = append(append(append(all, g.constants...), g.inputs...), g.outputs...)
	opset := message{}.text(1, "").varint(2, 17)
	return string(message{}.varint(1, 8).text(2, "hotpath e2e").bytes(7, all).bytes(8, opset))
}

func floats(values []float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// signedEcho is the echo model, with one output more that holds the number with
// which the file was made, and size bytes of weights, from which that is read.
func signedEcho(number, size int) string {
	var g graph
	table := make([]float32, size/4)
	table[0] = float32(number)
	g.constant("table", onnxFloat, []int{len(table)}, floats(table))
	g.constant("zero", onnxDouble, nil, make([]byte, 8))
	g.constant("columns", onnxInt64, []int{1}, binary.LittleEndian.AppendUint64(nil, 1))
	g.node("Identity", []string{"id"}, "id_out")
	g.node("ReduceSum", []string{"x", "columns"}, "sum", attribute("keepdims", 1))
	// The place depends on the input, or the table would be folded into a constant.
	g.node("Mul", []string{"id", "zero"}, "nothing")
	g.node("Cast", []string{"nothing"}, "place", attribute("to", onnxInt64))
	g.node("Gather", []string{"table", "place"}, "made_by", attribute("axis", 0))
	g.input("id", onnxDouble, 1)
	g.input("x", onnxFloat, 4)
	g.output("id_out", onnxDouble, 1)
	g.output("sum", onnxFloat, 1)
	g.output("made_by", onnxFloat, 1)
	return g.file()
}

// swapBody asks signed echoes named swap_a and swap_b in turn.
func swapBody(i int) (user, rest string) {
	user = fmt.Sprintf("u%d", i)
	return user, fmt.Sprintf(`"user_id":%q,"model":"swap_%c","features":{"id":%d,"x":[%d,1,2,0.5]}}`, user, 'a'+rune(i%2), i, i%1000)
}

// perceptron is a network of dense layers with random weights, of the widths
// given, from x to y.
func perceptron(seed uint64, widths ...int) string {
	var g graph
	r := rand.New(rand.NewPCG(seed, seed))
	last := "x"
	for i := range len(widths) - 1 {
		in, out := widths[i], widths[i+1]
		weights := make([]float32, in*out)
		for w := range weights {
			weights[w] = float32(r.NormFloat64() / math.Sqrt(float64(in)))
		}
		layer := string(rune('a' + i))
		g.constant("w"+layer, onnxFloat, []int{in, out}, floats(weights))
		g.node("MatMul", []string{last, "w" + layer}, "z"+layer)
		if last = "h" + layer; i == len(widths)-2 {
			last = "y"
		}
		g.node("Tanh", []string{"z" + layer}, last)
	}
	g.input("x", onnxFloat, widths[0])
	g.output("y", onnxFloat, widths[len(widths)-1])
	return g.file()
}

// perceptronInputs is how many values perceptronBody sends.
const perceptronInputs = 64

// perceptronBody asks a perceptron named mlp.
func perceptronBody(i int) (user, rest string) {
	user = fmt.Sprintf("u%d", i)
	x := make([]byte, 0, 512)
	for n := range perceptronInputs {
		x = strconv.AppendFloat(append(x, ','), float64((i+n)%17)/17, 'f', 3, 64)
	}
	return user, fmt.Sprintf(`"user_id":%q,"model":"mlp","features":{"x":[%s]}}`, user, x[1:])
}
