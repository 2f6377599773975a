package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestMutatedModels is a short form of row 19.
func TestMutatedModels(t *testing.T) { mutatedModels(t, byRace(25, 50)) }

// mutatedModels has a gateway load n broken copies of models, each in a process
// of its own first. Whatever becomes of them, the gateway lives and serves.
func mutatedModels(t *testing.T, n int) {
	dir := fixtures(t, "echo")
	g := startGateway(t, dir, fixtureArgs(dir)...)
	l := load{addr: g.Traffic, rate: 100, conns: 8, body: echoBody}.begin(t)
	files := modelFiles(t)
	rng := rand.New(rand.NewPCG(19, uint64(n)))
	outcomes := map[string]int{}
	const model = "victim"
	for i := 1; i <= n; i++ {
		kind, data := mutate(t, rng, i, files[i%len(files)])
		folder := filepath.Join(dir, "repository", model, strconv.Itoa(i))
		write(t, filepath.Join(folder, "model.onnx"), string(data))
		status, text, _ := request(t, "POST", fmt.Sprintf("http://%s/admin/models/%s/load?version=%d", g.Admin, model, i), "")
		switch {
		case !g.Running():
			t.Fatalf("mutation %d (%s) ended the gateway; the file is %d bytes", i, kind, len(data))
		case status == 200:
			outcomes["loaded: "+kind]++ // some other weight, perhaps
		case status == 422 || status == 409:
			outcomes["refused: "+kind]++
		default:
			t.Errorf("mutation %d (%s): %d %s", i, kind, status, text)
		}
		if refusable := kind != "flipped bits"; refusable && status == 200 {
			t.Errorf("mutation %d (%s) was loaded", i, kind)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	r := l.stop(t)
	r.onlyCodes(t, "ok")
	wrong := checkEcho(t, r)
	verdict(t, fmt.Sprintf("%d broken model files", n), "refused, or loaded where they are still models; the gateway lives and serves", "%v; beside them %d answers, codes %v, %d wrong",
		outcomes, len(r.answers), r.codes(), wrong)
	g.Stop(t)
}

// modelFiles are valid models of several kinds and sizes.
func modelFiles(t *testing.T) (files [][]byte) {
	t.Helper()
	for _, name := range []string{"demo/repository/risk/1", "demo/repository/risk/2", "demo/repository/digits/1", "testdata/fixtures/strings/1",
		"testdata/fixtures/gather_poison/1", "testdata/fixtures/zipmap/1", "testdata/fixtures/dynamic_output/1"} {
		data, err := os.ReadFile(filepath.Join(root, "models", name, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return append(files, []byte(perceptron(1, 32, 64, 1)))
}

// mutate breaks a copy of a file: mostly by a flipped bit in each KiB.
func mutate(t *testing.T, rng *rand.Rand, i int, file []byte) (kind string, data []byte) {
	t.Helper()
	switch {
	case i == 1:
		return "no bytes", nil
	case i%12 == 2:
		data = make([]byte, 1+rng.IntN(64<<10))
		for j := range data {
			data[j] = byte(rng.Uint32())
		}
		return "random bytes", data
	case i%12 == 4:
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create("model.onnx")
		if err == nil {
			_, err = w.Write(file)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return "zip", b.Bytes()
	case i%6 == 0:
		// Never without the last byte alone: what is missing may be a default.
		return "truncated", file[:1+rng.IntN(len(file)-16)]
	}
	data = bytes.Clone(file)
	for from := 0; from < len(data); from += 1 << 10 {
		at := from + rng.IntN(min(1<<10, len(data)-from))
		data[at] ^= 1 << rng.IntN(8)
	}
	return "flipped bits", data
}
