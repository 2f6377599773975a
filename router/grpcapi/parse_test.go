package grpcapi

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"hotpath/router/grpcapi/pb"
)

// reference turns what the protobuf library decoded into what parse should find.
func reference(in *pb.ModelInferRequest) parsed {
	p := parsed{Model: in.GetModelName(), Version: in.GetModelVersion(), ID: in.GetId(), Parameters: values(in.GetParameters()), Raw: in.GetRawInputContents()}
	for _, t := range in.GetInputs() {
		e := parsedTensor{Name: t.GetName(), Datatype: t.GetDatatype(), Shape: t.GetShape(), Parameters: values(t.GetParameters()), HasContents: t.Contents != nil}
		c := t.GetContents()
		e.Counts = [9]int{1: len(c.GetBoolContents()), len(c.GetIntContents()), len(c.GetInt64Contents()), len(c.GetUintContents()),
			len(c.GetUint64Contents()), len(c.GetFp32Contents()), len(c.GetFp64Contents()), len(c.GetBytesContents())}
		p.Inputs = append(p.Inputs, e)
	}
	for _, t := range in.GetOutputs() {
		p.Outputs = append(p.Outputs, parsedTensor{Name: t.GetName(), Parameters: values(t.GetParameters())})
	}
	return p
}

// parsed is a request in a form that both ways of decoding lead to.
type parsed struct {
	Model, Version, ID string
	Parameters         map[string]any
	Inputs, Outputs    []parsedTensor
	Raw                [][]byte
}

type parsedTensor struct {
	Name, Datatype string
	Shape          []int64
	Parameters     map[string]any
	HasContents    bool
	Counts         [9]int // elements of contents by field
}

func values(parameters map[string]*pb.InferParameter) map[string]any {
	out := map[string]any{}
	for name, p := range parameters {
		switch v := p.GetParameterChoice().(type) {
		case *pb.InferParameter_BoolParam:
			out[name] = v.BoolParam
		case *pb.InferParameter_Int64Param:
			out[name] = v.Int64Param
		case *pb.InferParameter_StringParam:
			out[name] = v.StringParam
		case *pb.InferParameter_DoubleParam:
			out[name] = math.Float64bits(v.DoubleParam)
		case *pb.InferParameter_Uint64Param:
			out[name] = v.Uint64Param
		default:
			out[name] = nil
		}
	}
	return out
}

// found is what parse found.
func found(r *inferRequest) parsed {
	p := parsed{Model: string(r.model), Version: string(r.version), ID: string(r.id), Parameters: map[string]any{}}
	for _, i := range r.own {
		p.Parameters[string(r.parameters[i].key)] = value(&r.parameters[i])
	}
	p.Raw = append(p.Raw, r.raw...)
	within := func(s span) map[string]any {
		out := map[string]any{}
		for i := s.from; i < s.to; i++ {
			out[string(r.parameters[i].key)] = value(&r.parameters[i])
		}
		return out
	}
	for _, in := range r.inputs {
		e := parsedTensor{Name: string(in.name), Datatype: string(in.datatype), Parameters: within(in.parameters), HasContents: in.contents != nil}
		e.Shape = append(e.Shape, r.shapes[in.shape.from:in.shape.to]...)
		for b := in.contents; len(b) > 0; {
			var f field
			f, b, _ = cutField(b)
			for es, ours := elementsOf(f); ours; {
				var more bool
				if _, more, _ = es.next(); !more {
					break
				}
				e.Counts[es.number]++
			}
		}
		p.Inputs = append(p.Inputs, e)
	}
	for _, out := range r.outputs {
		p.Outputs = append(p.Outputs, parsedTensor{Name: string(out.name), Parameters: within(out.parameters)})
	}
	return p
}

func value(p *parameter) any {
	switch p.kind {
	case parameterBool:
		return p.number != 0
	case parameterInt64:
		return int64(p.number)
	case parameterString:
		return string(p.text)
	case parameterDouble, parameterUint64:
		return p.number
	}
	return nil
}

// compare checks parse against the protobuf library.
func compare(t *testing.T, b []byte) {
	t.Helper()
	var want pb.ModelInferRequest
	wantErr := proto.Unmarshal(b, &want)
	var r inferRequest
	err := r.parse(b)
	if err == errTooMany || err == errRank {
		return // bounds of ours
	}
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%x: parse says %v, protobuf %v", b, err, wantErr)
	}
	if err != nil {
		return
	}
	if got, want := found(&r), reference(&want); !same(got, want) {
		t.Fatalf("%x:\n got %+v\nwant %+v", b, got, want)
	}
}

// same is DeepEqual, but for empty slices.
func same(a, b parsed) bool {
	normal := func(p *parsed) {
		for i := range p.Raw {
			p.Raw[i] = append([]byte{}, p.Raw[i]...)
		}
		for i := range p.Inputs {
			p.Inputs[i].Shape = append([]int64{}, p.Inputs[i].Shape...)
		}
	}
	normal(&a)
	normal(&b)
	return reflect.DeepEqual(a, b)
}

// seeds are messages with everything in them.
func seeds(t testing.TB) [][]byte {
	full := request("risk", 2)
	full.ModelVersion, full.Id = "3", "r-1"
	full.Parameters = map[string]*pb.InferParameter{"timeout": intParameter(5), "user_id": stringParameter("u"), "none": {},
		"d": {ParameterChoice: &pb.InferParameter_DoubleParam{DoubleParam: -1.5}}, "b": {ParameterChoice: &pb.InferParameter_BoolParam{BoolParam: true}},
		"u": {ParameterChoice: &pb.InferParameter_Uint64Param{Uint64Param: math.MaxUint64}}}
	full.Outputs = []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "y", Parameters: map[string]*pb.InferParameter{"classification": intParameter(3)}}, {Name: "x"}}
	typed := &pb.ModelInferRequest{ModelName: "m"}
	for i, c := range everyContents() {
		typed.Inputs = append(typed.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: c.datatype, Datatype: c.datatype, Shape: []int64{int64(c.n)}, Contents: c.contents})
		if i == 0 {
			typed.Inputs[0].Parameters = map[string]*pb.InferParameter{"shared_memory_region": stringParameter("r")}
		}
	}
	var out [][]byte
	for _, m := range []*pb.ModelInferRequest{full, typed, {}, {Inputs: []*pb.ModelInferRequest_InferInputTensor{{}}, Outputs: []*pb.ModelInferRequest_InferRequestedOutputTensor{{}}}} {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	// Unknown fields, a group, known numbers with other wire types, a field twice, a
	// shape that is not packed, contents in two pieces, invalid UTF-8, a group's end.
	input := protowire.AppendVarint(nil, 3<<3)
	input = protowire.AppendVarint(protowire.AppendVarint(input, 5), 3<<3|2)
	input = protowire.AppendBytes(input, []byte{1, 2})
	for range 2 {
		input = protowire.AppendVarint(input, 5<<3|2)
		input = protowire.AppendBytes(input, []byte{6<<3 | 5, 0, 0, 128, 63})
	}
	out = append(out,
		[]byte{0x98, 6, 5}, []byte{11<<3 | 3, 8, 1, 11<<3 | 4}, []byte{11<<3 | 3, 12<<3 | 4}, []byte{1 << 3, 5}, []byte{5 << 3, 5}, []byte{11<<3 | 4},
		append(append([]byte{}, out[0]...), out[0]...), protowire.AppendBytes([]byte{5<<3 | 2}, input), []byte{1<<3 | 2, 1, 0xff}, []byte{0, 0}, []byte{1<<3 | 7},
		[]byte("\xf0\xf8\x8f\xb600")) // a number that is too large
	return out
}

func TestParseFindsWhatProtobufDecodes(t *testing.T) {
	all := seeds(t)
	for _, b := range all {
		compare(t, b)
	}
	// A quick walk through the neighbourhood; FuzzParse goes further.
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		b := append([]byte{}, all[random.IntN(len(all))]...)
		for range 1 + random.IntN(3) {
			if len(b) == 0 {
				break
			}
			switch i := random.IntN(len(b)); random.IntN(4) {
			case 0:
				b[i] = byte(random.Uint32())
			case 1:
				b = b[:i]
			case 2:
				b = append(b[:i], b[i+1:]...)
			case 3:
				other := all[random.IntN(len(all))]
				b = append(b[:i:i], other...)
			}
		}
		compare(t, b)
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(compare)
}

func TestParseIsBounded(t *testing.T) {
	many := func(n int, b ...byte) []byte { return []byte(strings.Repeat(string(b), n)) }
	for name, b := range map[string][]byte{
		"inputs":                 many(maxTensors+1, 5<<3|2, 0),
		"outputs":                many(maxTensors+1, 6<<3|2, 0),
		"raw":                    many(maxTensors+1, 7<<3|2, 0),
		"parameters":             many(maxParameters+1, 4<<3|2, 0),
		"an input's parameters":  protowire.AppendBytes([]byte{5<<3 | 2}, many(maxParameters+1, 4<<3|2, 0)),
		"an output's parameters": protowire.AppendBytes([]byte{6<<3 | 2}, many(maxParameters+1, 2<<3|2, 0)),
	} {
		if err := new(inferRequest).parse(b); err != errTooMany {
			t.Errorf("%s: %v", name, err)
		}
	}
	packed := append([]byte{3<<3 | 2, 33}, many(33, 1)...)
	for name, shape := range map[string][]byte{"packed": packed, "unpacked": many(33, 3<<3, 1)} {
		if err := new(inferRequest).parse(protowire.AppendBytes([]byte{5<<3 | 2}, shape)); err != errRank {
			t.Errorf("%s shape: %v", name, err)
		}
	}
}

func TestARequestIsParsedWithoutGarbage(t *testing.T) {
	b, err := proto.Marshal(request("risk", 8))
	if err != nil {
		t.Fatal(err)
	}
	var r inferRequest
	if n := testing.AllocsPerRun(100, func() {
		r.reset()
		if err := r.parse(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
