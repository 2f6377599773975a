package repository

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
)

func TestReadModel(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	ok(t, err)
	defer root.Close()
	for _, size := range []int{0, 1, readSlice - 1, readSlice, readSlice + 1, 3*readSlice + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i * 7)
		}
		ok(t, os.WriteFile(filepath.Join(dir, "model.onnx"), want, 0o644))
		for _, gentle := range []bool{false, true} {
			data, sum, err := readModel(root, "model.onnx", 4*readSlice, gentle)
			ok(t, err)
			if !bytes.Equal(data, want) || sum != sha256.Sum256(want) {
				t.Errorf("%d bytes: read %d, with another content or sum", size, len(data))
			}
		}
	}
	if _, _, err := readModel(root, "model.onnx", readSlice, false); err == nil {
		t.Error("a file over the limit was read")
	}
}
