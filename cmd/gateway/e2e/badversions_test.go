package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// badVersion is put beside a version that serves, as version 2.
type badVersion struct {
	name string
	// files by name; model.onnx is one of them.
	files map[string]string
	// link makes model.onnx a symbolic link to this file.
	link string
	// wants are all of them in the reason.
	wants []string
}

// add puts the version into a folder.
func (v badVersion) add(t *testing.T, folder string) {
	t.Helper()
	for name, text := range v.files {
		write(t, filepath.Join(folder, name), text)
	}
	if v.link == "" {
		return
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(v.link, filepath.Join(folder, "model.onnx")); err != nil {
		t.Fatal(err)
	}
}

// refusedBeside loads each version beside the echo model, whose config.yaml names
// what it takes and gives, and wants it refused while that serves on.
func refusedBeside(t *testing.T, versions []badVersion) {
	t.Helper()
	dir := fixtures(t, "echo")
	write(t, filepath.Join(dir, "repository/echo/config.yaml"), "inputs:\n  - {name: id, features: [id]}\n  - {name: x, features: [a, b, c, d]}\noutputs: [id_out, sum]\nprediction: {output: sum}\n")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	l := load{addr: g.Traffic, rate: 100, conns: 8, body: func(i int) (string, string) {
		return "u", fmt.Sprintf(`"user_id":"u","model":"echo","features":{"id":%d,"a":%d,"b":1,"c":2,"d":0.5}}`, i, i%1000)
	}}.begin(t)
	for i, v := range versions {
		number := strconv.Itoa(i + 2)
		folder := filepath.Join(dir, "repository/echo", number)
		v.add(t, folder)
		status, text, _ := request(t, "POST", "http://"+g.Admin+"/admin/models/echo/load?version="+number, "")
		if status != 422 && status != 409 {
			t.Errorf("%s: %d %s, want it refused", v.name, status, text)
		}
		for _, want := range v.wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the reason lacks %q: %s", v.name, want, text)
			}
		}
		if m := g.model(t, "echo"); m.Current != 1 {
			t.Errorf("%s: version %d is current", v.name, m.Current)
		}
		verdict(t, v.name, "refused with the reason, version 1 serves", "%d %.200s", status, strings.TrimSpace(text))
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	if wrong := checkEcho(t, r); wrong > 0 || r.versions()[1] != len(r.answers) {
		t.Errorf("%d of %d answers are wrong, by version %v", wrong, len(r.answers), r.versions())
	}
	g.Stop(t)
}

// echoLike is the echo model with other ports: a variation of it changes one.
func echoLike(change func(g *graph, input func(name string, elementType uint64, width int))) string {
	var g graph
	change(&g, g.input)
	return g.file()
}

// TestOtherContractIsRefused is row 20: a version that takes or gives something
// else than its model's config says.
func TestOtherContractIsRefused(t *testing.T) {
	one := func(op, in, out string, elementType uint64, inWidth, outWidth int) string {
		return echoLike(func(g *graph, input func(string, uint64, int)) {
			input(in, elementType, inWidth)
			g.node(op, []string{in}, out)
			g.output(out, elementType, outWidth)
		})
	}
	two := func(idType uint64, width int, second string) string {
		return echoLike(func(g *graph, input func(string, uint64, int)) {
			input("id", idType, 1)
			input(second, onnxFloat, width)
			g.constant("columns", onnxInt64, []int{1}, append([]byte{1}, make([]byte, 7)...))
			g.node("Identity", []string{"id"}, "id_out")
			g.node("ReduceSum", []string{second, "columns"}, "sum", attribute("keepdims", 1))
			g.output("id_out", idType, 1)
			g.output("sum", onnxFloat, 1)
		})
	}
	model := func(file string) map[string]string { return map[string]string{"model.onnx": file} }
	refusedBeside(t, []badVersion{
		{name: "another model altogether", files: model(one("Neg", "y", "z", onnxFloat, 4, 4)), wants: []string{"outputs", `no output \"id_out\"`, "z"}},
		{name: "an input of another name", files: model(two(onnxDouble, 4, "features")), wants: []string{"inputs[1].name", `no input \"x\"`, "features"}},
		{name: "an input of another width", files: model(two(onnxDouble, 6, "x")), wants: []string{"inputs cannot be filled", "x"}},
		{name: "an output less", files: model(one("Identity", "id", "id_out", onnxDouble, 1, 1)), wants: []string{"outputs", `no output \"sum\"`}},
	})
}

// TestOtherTypesAreRefused is row 20 too: where names and widths are the same,
// the comparison with what serves finds other element types, in a deployment.
func TestOtherTypesAreRefused(t *testing.T) {
	dir := fixtures(t, "echo")
	g := startGateway(t, dir, append(stateArgs(dir), fixtureArgs(dir)...)...)
	other, err := filepath.Abs(filepath.Join(root, "models/testdata/fixtures/echo_int64/1"))
	if err != nil {
		t.Fatal(err)
	}
	code, out, stderr := g.cli(t, "models", "deploy", other, "--model", "echo", "--watch")
	if m := g.model(t, "echo"); code != 1 || !strings.Contains(out, "✗ contract") || !strings.Contains(stderr, "INT64") || m.Current != 1 {
		t.Errorf("exit %d, %+v\n%s%s", code, m, out, stderr)
	}
	verdict(t, "an input of another type", "refused before the switch, version 1 serves", "exit %d: %s", code, strings.TrimSpace(stderr))
	g.Stop(t)
}

// TestFilesOutsideAreRefused is row 22: nothing outside of the repository is read
// for a model, be it named in the model or linked to.
func TestFilesOutsideAreRefused(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "model.onnx")
	write(t, outside, signedEcho(1, 64))
	external := func(location string) map[string]string {
		return map[string]string{"model.onnx": echoLike(func(g *graph, input func(string, uint64, int)) {
			entry := message{}.text(1, "location").text(2, location)
			weight := message{}.varint(1, 4).varint(2, onnxFloat).text(8, "weight").bytes(13, entry).varint(14, 1)
			g.constants = g.constants.bytes(5, weight)
			input("x", onnxFloat, 4)
			g.node("Mul", []string{"x", "weight"}, "y")
			g.output("y", onnxFloat, 4)
		})}
	}
	refusedBeside(t, []badVersion{
		{name: "external data far above", files: external("../../../../../../../../etc/passwd"), wants: []string{"external", "weight"}},
		{name: "external data at an absolute path", files: external("/etc/passwd"), wants: []string{"external", "weight"}},
		{name: "external data in its own folder", files: external("weights.bin"), wants: []string{"external", "weight"}},
		{name: "a link to an absolute path", link: outside, wants: []string{"model.onnx"}},
		{name: "a link out of the repository", link: "../../../../../../etc/passwd", wants: []string{"model.onnx"}},
	})
}

// TestNotANumberIsRefused is row 21: the golden rows of a version do not come out.
func TestNotANumberIsRefused(t *testing.T) {
	nan, err := os.ReadFile(filepath.Join(root, "models/testdata/fixtures/nan/1/model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	golden := `{"cases":[{"inputs":{"x":[1,2,3,4]},"outputs":{"y":[10]}}]}`
	config := "inputs: []\noutputs: []\nprediction: {output: y}\n"
	refusedBeside(t, []badVersion{{name: "a version that answers NaN", files: map[string]string{"model.onnx": string(nan), "golden.json": golden, "config.yaml": config},
		wants: []string{"golden", "y"}}})
}

// TestSlowVersionIsRefusedUnlessAllowed is row 21: a version that answers right
// and takes many times as long.
func TestSlowVersionIsRefusedUnlessAllowed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "repository/mlp/1/model.onnx"), perceptron(1, 64, 8, 1))
	// Nothing here is about run_timeout, and a busy machine can take long for a run.
	write(t, filepath.Join(dir, "repository/mlp/config.yaml"), "max_batch_size: 4\nrun_timeout: 5s\n")
	slow := filepath.Join(dir, "slow.onnx")
	write(t, slow, perceptron(2, 64, 1536, 1536, 1536, 1536, 1))
	g := startGateway(t, dir, append(stateArgs(dir), fixtureArgs(dir)...)...)
	l := load{addr: g.Traffic, rate: byRace(100.0, 300.0), conns: 8, body: perceptronBody}.begin(t)
	deploy := func(more ...string) (code int, out, stderr string) {
		return g.cli(t, append([]string{"models", "deploy", slow, "--model", "mlp", "--shadow", "150", "--agreement", "0", "--tolerance", "10", "--watch", "--watch-window", "0s"}, more...)...)
	}
	code, out, stderr := deploy()
	if m := g.model(t, "mlp"); code != 1 || !strings.Contains(out, "✗ shadow") || !strings.Contains(stderr, "max_latency_ratio") || m.Current != 1 {
		t.Errorf("exit %d, %+v\n%s%s", code, m, out, stderr)
	}
	verdict(t, "a version many times slower", "refused before the switch", "exit %d: %s", code, strings.TrimSpace(stderr))
	code, out, stderr = deploy("--max-latency-ratio", "100000")
	if m := g.model(t, "mlp"); code != 0 || m.Current == 1 {
		t.Errorf("exit %d, %+v\n%s%s", code, m, out, stderr)
	}
	verdict(t, "the same, allowed", "it serves", "exit %d, version %d", code, g.model(t, "mlp").Current)
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	g.Stop(t)
}

// TestServedFilesAreNotMapped is row 23: whatever becomes of the files of a
// version that serves, it serves on from memory.
func TestServedFilesAreNotMapped(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "repository/swap_a/1")
	file := filepath.Join(folder, "model.onnx")
	write(t, file, signedEcho(1, 8<<20))
	g := startGateway(t, dir, fixtureArgs(dir)...)
	l := load{addr: g.Traffic, rate: byRace(100.0, 500.0), conns: 8, body: func(i int) (string, string) { return swapBody(2 * i) }}.begin(t)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"its first byte is overwritten", func() error { return overwrite(file, []byte("X")) }},
		{"it is cut in half", func() error { return os.Truncate(file, 4<<20) }},
		{"it is emptied", func() error { return os.Truncate(file, 0) }},
		{"it is deleted", func() error { return os.Remove(file) }},
		{"its folder is deleted", func() error { return os.RemoveAll(folder) }},
		{"the whole model is deleted", func() error { return os.RemoveAll(filepath.Dir(folder)) }},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		seen := l.next.Load()
		within(t, scaled(10*time.Second), "load goes on", func() bool { return l.next.Load() > seen+int64(l.rate)/2 })
		m := g.model(t, "swap_a")
		if m.Current != 1 || m.version(1).State != "ready" {
			t.Errorf("%s: %+v", c.name, m)
		}
		verdict(t, "the file of the version that serves: "+c.name, "it serves on", "%s %s", m.version(1).State, m.version(1).Code)
	}
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	for i := range r.answers {
		if made, _ := number(r.answers[i].parsed.Outputs, "made_by"); made != 1 {
			t.Fatalf("answer %d: %s", i, r.answers[i].reply.body)
		}
	}
	g.Stop(t)
}

// overwrite writes at the beginning of a file, in place.
func overwrite(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
