package inference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"hotpath/models"
)

// demoModels are the folders of the demo's versions, those of the repository and
// the candidates.
func demoModels(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "models", "demo", "*", "*", "*", "model.onnx"))
	ok(t, err)
	if len(found) < 5 {
		t.Fatalf("only %d demo models: %v", len(found), found)
	}
	dirs := make([]string, len(found))
	for i, path := range found {
		dir, err := filepath.Rel(filepath.Join("..", "models"), filepath.Dir(path))
		ok(t, err)
		dirs[i] = dir
	}
	return dirs
}

// Every demo model answers what scikit-learn answered, to 1e-5: alone, in full
// batches, and in batches that are padded.
func TestDemoModelsAnswerAsScikitLearn(t *testing.T) {
	r := openRuntime(t)
	for _, dir := range demoModels(t) {
		t.Run(dir, func(t *testing.T) {
			golden, err := models.ReadGolden(bytes.NewReader(file(t, dir, "golden.json")))
			ok(t, err)
			golden.Tolerance = 1e-5
			s := load(t, r, file(t, dir, "model.onnx"), SessionOptions{})
			run := newRunner(t, s, 1, 8, 64)
			ok(t, run.Verify(t.Context(), golden, nil))
			for _, rows := range []int{1, 3, 7, 8, 9, 63, 64} {
				wantGolden(t, run, golden, rows)
			}
		})
	}
}

// wantGolden runs a batch of golden cases, the first of them again and again, and
// compares every row.
func wantGolden(t *testing.T, run *Runner, golden *models.Golden, rows int) {
	t.Helper()
	in, out := run.session.Layouts()
	frame, scored := run.Frames()
	row, got := in.NewRow(), out.NewRow()
	for i := range rows {
		row.Text = nil // the frame points into what was there
		ok(t, golden.Input(i%len(golden.Cases), in, &row))
		frame.SetRow(i, &row)
	}
	ok(t, run.Run(rows))
	for i := range rows {
		scored.GetRow(i, &got)
		if err := golden.Compare(i%len(golden.Cases), out, &got); err != nil {
			t.Errorf("row %d of %d: %v", i, rows, err)
		}
	}
}

func TestVerifyRefusesAWrongGolden(t *testing.T) {
	s := load(t, openRuntime(t), file(t, "demo", "repository", "risk", "1", "model.onnx"), SessionOptions{})
	run := newRunner(t, s, 1, 8)
	right := func() *models.Golden {
		g, err := models.ReadGolden(bytes.NewReader(file(t, "demo", "repository", "risk", "1", "golden.json")))
		ok(t, err)
		return g
	}
	ok(t, run.Verify(t.Context(), right(), nil))
	last := len(right().Cases) - 1
	for want, change := range map[string]func(*models.Golden){
		fmt.Sprintf("cases[%d]: output probabilities element 1", last): func(g *models.Golden) {
			g.Cases[last].Outputs["probabilities"][1] = json.Number("0.123")
		},
		"cases[0]: output label": func(g *models.Golden) { g.Cases[0].Outputs["label"][0] = json.Number("7") },
		`no output "score"`:      func(g *models.Golden) { g.Cases[0].Outputs["score"] = []any{json.Number("7")} },
		`no input "Y"`:           func(g *models.Golden) { g.Cases[0].Inputs["Y"] = []any{json.Number("7")} },
		"1 values, want 30":      func(g *models.Golden) { g.Cases[0].Inputs["X"] = []any{json.Number("7")} },
	} {
		g := right()
		change(g)
		wantError(t, run.Verify(t.Context(), g, nil), want)
	}
	ok(t, run.Verify(t.Context(), right(), nil))
}

func TestVerifyRefusesWhatIsNotFinite(t *testing.T) {
	r := openRuntime(t)
	s := load(t, r, fixture(t, "nan"), SessionOptions{})
	run := newRunner(t, s, 1, 4)
	wantError(t, run.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[1,2,3,4]},"outputs":{"y":[10]}}]}`), nil), "output y element 0", "want 10, got NaN")
	wantError(t, run.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[1,2,3,4]},"outputs":{"y":["NaN"]}}]}`), nil), `output "y" holds a NaN or an infinity`)
	ok(t, run.Verify(t.Context(), nil, nil))

	for name, elem := range map[string]uint64{"half": onnxHalf, "bfloat": onnxBFloat16, "float": onnxFloat, "double": onnxDouble} {
		t.Run(name, func(t *testing.T) {
			run := newRunner(t, load(t, r, identity(elem, []int64{-1, 2}, []int64{-1, 2}), SessionOptions{}), 2)
			for _, value := range []string{"NaN", "Infinity", "-Infinity"} {
				wantError(t, run.Verify(t.Context(), readGolden(t, fmt.Sprintf(`{"cases":[{"inputs":{"x":[1,%q]},"outputs":{"y":[1,%q]}}]}`, value, value)), nil),
					"golden case 0", `output "y" holds a NaN or an infinity`)
			}
			ok(t, run.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"x":[0,-30000]},"outputs":{"y":[0,-30000]}}]}`), nil))
		})
	}
}

// Zeros need not be valid for a model without a golden: it is left unwarmed. With
// one, a size that fails is an error.
func TestVerifyOfAModelThatFails(t *testing.T) {
	s := load(t, openRuntime(t), fixture(t, "gather_poison"), SessionOptions{})
	run := newRunner(t, s, 1, 4)
	ok(t, run.Verify(t.Context(), nil, nil))
	wantError(t, run.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"index":[3]},"outputs":{"y":[6,7]}},{"inputs":{"index":[8]},"outputs":{"y":[0,0]}}]}`), nil),
		"golden cases 1 to 1", "out of data bounds")
	ok(t, run.Verify(t.Context(), readGolden(t, `{"cases":[{"inputs":{"index":[3]},"outputs":{"y":[6,7]}},{"inputs":{"index":[-8]},"outputs":{"y":[0,1]}}]}`), nil))
}
