package inference

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"hotpath/models"
)

// buffers is a frame whose memory ONNX Runtime reads and writes directly. C
// keeps the addresses for as long as the tensors live, so the memory is pinned.
type buffers struct {
	*models.Frame
	pin runtime.Pinner
}

func newBuffers(l *models.Layout, rows int) *buffers {
	b := &buffers{Frame: models.NewFrame(l, rows)}
	for _, d := range b.Data {
		if len(d) > 0 {
			b.pin.Pin(&d[0])
		}
	}
	return b
}

// free lets the memory go; the tensors must be destroyed before.
func (b *buffers) free() { b.pin.Unpin() }

// tensors makes one ONNX tensor per port over the first rows rows. The caller
// destroys them.
func (b *buffers) tensors(rows int) ([]ort.Value, error) {
	out := make([]ort.Value, len(b.Layout.Ports))
	for i, p := range b.Layout.Ports {
		shape := make([]int64, 1, 1+len(p.Shape))
		shape[0] = int64(rows)
		for _, d := range p.Shape {
			shape = append(shape, int64(d))
		}
		var v ort.Value
		var err error
		if p.DType == models.String {
			v, err = ort.NewStringTensor(ort.NewShape(shape...))
		} else {
			v, err = ort.NewCustomDataTensor(ort.NewShape(shape...), b.Data[i][:rows*p.Stride()], ortTypes[p.DType])
		}
		if err != nil {
			destroy(out)
			return nil, fmt.Errorf("tensor %s of %d rows: %w", p, rows, err)
		}
		out[i] = v
	}
	return out, nil
}

// stringBytes is what a string element takes up in a frame, its text aside.
const stringBytes = int(unsafe.Sizeof(""))

// fillStrings copies the string ports' first rows into their tensors, since
// ONNX Runtime keeps strings in memory of its own. It takes them as C strings: one
// with a NUL byte would be cut short there and scored as another value, so it is
// an error.
func (b *buffers) fillStrings(tensors []ort.Value, rows int) error {
	for i, s := range b.Strings {
		if s == nil {
			continue
		}
		port := b.Layout.Ports[i]
		s = s[:rows*port.Width()]
		for e := range s {
			if strings.IndexByte(s[e], 0) >= 0 {
				return fmt.Errorf("input %q element %d of row %d holds a NUL byte, which ONNX Runtime cannot take", port.Name, e%port.Width(), e/port.Width())
			}
		}
		if err := tensors[i].(*ort.StringTensor).SetContents(s); err != nil {
			return err
		}
	}
	return nil
}

// readStrings copies string tensors back into the frame.
func (b *buffers) readStrings(tensors []ort.Value) error {
	for i, s := range b.Strings {
		if s == nil {
			continue
		}
		got, err := tensors[i].(*ort.StringTensor).GetContents()
		if err != nil {
			return err
		}
		copy(s, got)
	}
	return nil
}
