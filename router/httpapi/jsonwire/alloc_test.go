package jsonwire

import (
	"testing"

	"hotpath/models"
	"hotpath/router"
)

// wantAllocs measures f once it is warm. The race detector allocates on its own.
func wantAllocs(t *testing.T, name string, want float64, f func()) {
	t.Helper()
	f()
	if got := testing.AllocsPerRun(100, f); got > want && !raceEnabled {
		t.Errorf("%s: %v allocations, want %v", name, got, want)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	d, req, batch := NewDecoder(DefaultLimits()), new(router.Request), new(Batch)
	for name, body := range map[string][]byte{
		"30 features":  featureBody(30),
		"200 features": featureBody(200),
		"tensor":       tensorBody(),
		"escaped":      []byte(`{"user_id":"\u0061","features":{"\u0062":"\n\n","c":["\ud83d\ude00"]}}`),
	} {
		wantAllocs(t, name, 0, func() {
			if err := d.Decode(body, req); err != nil {
				t.Fatal(err)
			}
		})
	}
	body := []byte(`{"instances":[` + string(featureBody(30)) + `,` + string(featureBody(100)) + `,` + string(tensorBody()) + `]}`)
	wantAllocs(t, "batch", 0, func() {
		if err := d.DecodeBatch(body, batch); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	layout := models.NewLayout([]models.Port{{DType: models.Float32, Shape: []int{8, 8}}, {DType: models.String, Shape: []int{2}},
		{DType: models.Float16, Shape: []int{4}}})
	row := layout.NewRow()
	row.SetString(0, []byte("yes\n"))
	row.PutFloat32(0, 0.1)
	id := []byte("r1")
	wantAllocs(t, "tensors", 0, func() {
		dst = dst[:0]
		for i := range layout.Ports {
			dst, _ = AppendTensor(dst, layout, i, &row)
		}
	})
	wantAllocs(t, "error", 0, func() { dst = AppendError(dst[:0], CodeBadJSON, "expected \"x\"", "features.a", id) })
}
