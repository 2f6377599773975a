package e2e

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hotpath/cmd/gateway/e2e/child"
)

// inferred is an answer of the Open Inference Protocol.
type inferred struct {
	Model      string            `json:"model_name"`
	Version    string            `json:"model_version"`
	Parameters map[string]string `json:"parameters"`
	Outputs    []inferredOutput  `json:"outputs"`
	Error      string            `json:"error"`
	// binary is what followed the JSON.
	binary []byte
}

type inferredOutput struct {
	Name, Datatype string
	Shape          []int64
	Data           json.RawMessage
	Parameters     struct {
		Size int `json:"binary_data_size"`
	}
}

// output finds an output by name.
func (a *inferred) output(t *testing.T, name string) inferredOutput {
	t.Helper()
	for _, o := range a.Outputs {
		if o.Name == name {
			return o
		}
	}
	t.Fatalf("no output %s in %+v", name, a)
	return inferredOutput{}
}

// floats are an output's elements.
func (o inferredOutput) floats(t *testing.T) (all []float64) {
	t.Helper()
	if err := json.Unmarshal(o.Data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

const headerLength = "Inference-Header-Content-Length"

// infer posts a body to a model's infer, and reads the answer.
func (g *gateway) infer(t *testing.T, model, body string, header ...string) (int, inferred) {
	t.Helper()
	status, text, head := request(t, "POST", "http://"+g.Traffic+"/v2/models/"+model+"/infer", body, header...)
	var a inferred
	if head == nil {
		t.Fatalf("%s: %s", model, text)
	}
	if n, err := strconv.Atoi(head.Get(headerLength)); err == nil {
		text, a.binary = text[:n], []byte(text[n:])
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %d %s: %v", model, status, text, err)
	}
	return status, a
}

// TestInferAgainstPredict asks the demo's models both ways: whole tensors, more
// rows than a batch holds, in every form, and each row by /predict.
func TestInferAgainstPredict(t *testing.T) {
	const rows = 100
	dir := demoFiles(t, "")
	redis := startRedis(t, child.FreePort(t))
	redis.fill(t, dir)
	g := startGateway(t, dir, append(demoArgs(dir, redis.addr), calm...)...)
	rng := rand.New(rand.NewPCG(5, 6))
	images := make([][8][8]float32, rows)
	var data []byte
	for r := range images {
		for i := range 64 {
			images[r][i/8][i%8] = float32(rng.IntN(17))
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(images[r][i/8][i%8]))
		}
	}
	text, err := json.Marshal(images)
	if err != nil {
		t.Fatal(err)
	}
	status, asJSON := g.infer(t, "digits", fmt.Sprintf(`{"inputs":[{"name":"image","shape":[%d,8,8],"datatype":"FP32","data":%s}]}`, rows, text))
	if status != 200 || asJSON.Model != "digits" || asJSON.Version != "1" {
		t.Fatalf("%d %+v", status, asJSON)
	}
	probabilities := asJSON.output(t, "probabilities").floats(t)
	worst := 0.0
	for r := range 10 {
		image, err := json.Marshal(images[r*10])
		if err != nil {
			t.Fatal(err)
		}
		status, p := g.predict(t, fmt.Sprintf(`{"user_id":"u","model":"digits","features":{"image":%s}}`, image))
		if status != 200 {
			t.Fatalf("%d %+v", status, p)
		}
		for i, v := range p.Outputs["probabilities"].([]any) {
			worst = max(worst, math.Abs(v.(float64)-probabilities[r*100+i]))
		}
	}
	if len(probabilities) != 10*rows || worst > 1e-6 {
		t.Errorf("%d probabilities; the largest difference to /predict is %g", len(probabilities), worst)
	}
	verdict(t, "digits, 100 images at once", "as /predict, one by one", "largest difference %.1e", worst)

	head := fmt.Sprintf(`{"inputs":[{"name":"image","shape":[%d,8,8],"datatype":"FP32","parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, rows, len(data))
	status, asBinary := g.infer(t, "digits", head+string(data), headerLength, strconv.Itoa(len(head)))
	var elements []float64
	for _, o := range asBinary.Outputs {
		if o.Name == "probabilities" {
			for i := 0; i+4 <= o.Parameters.Size; i += 4 {
				elements = append(elements, float64(math.Float32frombits(binary.LittleEndian.Uint32(asBinary.binary[i:]))))
			}
		} else {
			asBinary.binary = asBinary.binary[o.Parameters.Size:]
		}
	}
	close := func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }
	if status != 200 || !slices.EqualFunc(elements, probabilities, close) {
		t.Errorf("binary: %d, %d elements", status, len(elements))
	}
	status, v1, _ := request(t, "POST", "http://"+g.Traffic+"/v1/models/digits:predict", fmt.Sprintf(`{"instances":%s}`, text))
	var predictions struct {
		Predictions []struct{ Probabilities []float64 }
	}
	if err := json.Unmarshal([]byte(v1), &predictions); err != nil || status != 200 || len(predictions.Predictions) != rows ||
		!slices.EqualFunc(predictions.Predictions[rows-1].Probabilities, probabilities[len(probabilities)-10:], close) {
		t.Errorf("v1: %v %d %.200s", err, status, v1)
	}
	inferForUsers(t, g)
}

// inferForUsers: the experiments assign a user alike, whichever way one asks.
func inferForUsers(t *testing.T, g *gateway) {
	t.Helper()
	variants := map[string]int{}
	row := strings.TrimSuffix(strings.Repeat("1,", 30), ",")
	for i := range 50 {
		user := fmt.Sprintf("user-%d", i)
		_, p := g.predict(t, fmt.Sprintf(`{"user_id":%q}`, user))
		status, a := g.infer(t, "risk", fmt.Sprintf(`{"parameters":{"user_id":%q},"inputs":[{"name":"X","shape":[1,30],"datatype":"FP32","data":[%s]}]}`, user, row))
		if status != 200 || a.Parameters["variant"] != p.Variant || a.Parameters["experiment"] != p.Experiment || a.Version != strconv.Itoa(p.Version) {
			t.Errorf("%s: %d %+v, /predict says %+v", user, status, a, p)
		}
		variants[a.Parameters["variant"]]++
	}
	if len(variants) < 2 {
		t.Errorf("only %v were assigned", variants)
	}
}

// dtypeCases are the inputs of the fixture dtypes, and two elements of each.
var dtypeCases = []struct{ name, datatype, elements string }{
	{"bool", "BOOL", "true,false"}, {"int8", "INT8", "-128,127"}, {"int16", "INT16", "-32768,32767"}, {"int32", "INT32", "-2147483648,2147483647"},
	{"int64", "INT64", "-9223372036854775808,9223372036854775807"}, {"uint8", "UINT8", "0,255"}, {"uint16", "UINT16", "0,65535"}, {"uint32", "UINT32", "0,4294967295"},
	{"uint64", "UINT64", "0,18446744073709551615"}, {"float16", "FP16", "0.1,-2.5"}, {"bfloat16", "BF16", "0.1,-2.5"}, {"float32", "FP32", "0.1,3.4e+38"},
	{"float64", "FP64", "0.1,1.7e+308"}, {"string", "BYTES", `"é","\u0000"`},
}

// TestInferShapesAndTypes runs real models of every type and of shapes that
// /predict has no way to ask for.
func TestInferShapesAndTypes(t *testing.T) {
	dir := fixtures(t, "dtypes", "dtypes_open", "masked_mean", "no_batch", "scaled", "nonzero", "text", "nan")
	g := startGateway(t, dir, append(calm, "--models", dir+"/repository")...)
	for _, model := range []string{"dtypes", "dtypes_open"} {
		var inputs []string
		for _, c := range dtypeCases {
			inputs = append(inputs, fmt.Sprintf(`{"name":"%s_in","datatype":%q,"shape":[1,2],"data":[%s]}`, c.name, c.datatype, c.elements))
		}
		status, a := g.infer(t, model, `{"inputs":[`+strings.Join(inputs, ",")+`]}`)
		if status != 200 {
			t.Fatalf("%s: %d %s", model, status, a.Error)
		}
		for _, c := range dtypeCases {
			if o := a.output(t, c.name+"_out"); string(o.Data) != "["+c.elements+"]" || o.Datatype != c.datatype {
				t.Errorf("%s %s: %s, want %s", model, c.name, o.Data, c.elements)
			}
		}
	}
	for _, c := range []struct{ model, inputs, output, want string }{
		{"masked_mean", `{"name":"x","datatype":"FP32","shape":[2,3],"data":[1,2,3,4,5,6]},{"name":"mask","datatype":"INT64","shape":[2,3],"data":[1,1,0,0,0,1]}`, "mean", "[1.5,6]"},
		{"no_batch", `{"name":"x","datatype":"FP32","shape":[3],"data":[1,-2,3]}`, "y", "[-1,2,-3]"},
		{"scaled", `{"name":"x","datatype":"FP32","shape":[3],"data":[1,2,3]},{"name":"scale","datatype":"FP32","shape":[],"data":[2]}`, "total", "[12]"},
		{"nonzero", `{"name":"x","datatype":"FP32","shape":[6],"data":[0,1,0,2,0,0]}`, "index", "[1,3]"},
		{"text", `{"name":"words","datatype":"BYTES","shape":[1,3],"data":["a","","ü"]}`, "same", `["a","","ü"]`},
	} {
		status, a := g.infer(t, c.model, `{"inputs":[`+c.inputs+`]}`)
		if status != 200 {
			t.Errorf("%s: %d %s", c.model, status, a.Error)
			continue
		}
		if o := a.output(t, c.output); string(o.Data) != c.want {
			t.Errorf("%s: %s, want %s", c.model, o.Data, c.want)
		}
	}
	const nan = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]%s}`
	if status, a := g.infer(t, "nan", fmt.Sprintf(nan, "")); status != 500 || !strings.Contains(a.Error, "ask for it as binary data") {
		t.Errorf("nan as JSON: %d %+v", status, a)
	}
	if status, a := g.infer(t, "nan", fmt.Sprintf(nan, `,"parameters":{"binary_data_output":true}`)); status != 200 || len(a.binary) != 4 {
		t.Errorf("nan as binary data: %d %+v", status, a)
	}
}
