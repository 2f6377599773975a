package oipwire

import (
	"slices"
	"strings"

	"hotpath/models"
	"hotpath/router/httpapi/jsonscan"
)

// column is an input that a v1 request fills.
type column struct {
	name  string
	key   []byte // the name, for errors
	dtype models.DType
	data  []byte
	// rank and dims are the shape of a value; below 0 while it is not known.
	rank int
	dims [models.MaxTensorRank]int64
	rows int
}

// openColumns begins a request for those inputs.
func (r *Request) openColumns(inputs []models.Port) {
	r.columnBytes = 0
	r.columns = slices.Grow(r.columns, len(inputs))[:len(inputs)]
	for i := range r.columns {
		c := &r.columns[i]
		c.name, c.key = inputs[i].Name, append(c.key[:0], inputs[i].Name...)
		c.dtype, c.data, c.rank, c.rows = inputs[i].DType, c.data[:0], -1, 0
		for d := range c.dims {
			c.dims[d] = -1
		}
	}
}

// takeColumns makes tensors of what was read.
func (r *Request) takeColumns() {
	for i := range r.columns {
		c := &r.columns[i]
		from := len(r.shapes)
		if r.Rows {
			r.shapes = append(r.shapes, int64(c.rows))
		}
		r.shapes = append(r.shapes, c.dims[:c.rank]...)
		r.Inputs = append(r.Inputs, models.Tensor{Name: c.name, DType: c.dtype, Shape: r.shapes[from:len(r.shapes):len(r.shapes)], Data: c.data})
	}
}

// freeColumns keeps the memory of few and small ones.
func (r *Request) freeColumns() {
	if r.columnBytes > keepBytes || cap(r.columns) > 64 {
		r.columns = nil
	}
	r.columns, r.columnBytes = r.columns[:0], 0
}

// column finds an input by name; nil when there is none.
func (r *Request) column(name []byte) *column {
	for i := range r.columns {
		if r.columns[i].name == string(name) {
			return &r.columns[i]
		}
	}
	return nil
}

func (r *Request) inputNames() string {
	var b strings.Builder
	for i := range r.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(jsonscan.Shown(r.columns[i].key))
	}
	return b.String()
}
