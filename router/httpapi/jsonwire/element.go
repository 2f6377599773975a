package jsonwire

import "hotpath/models"

// AppendElement adds one element of port number i of row. ok is false as for
// AppendTensor.
func AppendElement(dst []byte, layout *models.Layout, i, element int, row *models.Row) (out []byte, ok bool) {
	p := &layout.Ports[i]
	w := tensorWriter{dst: dst, dtype: p.DType, row: row, at: layout.Offset[i] + element*p.DType.Size(), ok: true}
	if p.DType == models.String {
		w.at = layout.StringOffset[i] + element
	}
	w.elements(1)
	return w.dst, w.ok
}
