package inference

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "ort.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"hotpath/models"
)

// ortAPI is ONNX Runtime's table of functions, used where the Go binding has no
// function for what is needed (see ort.h). The binding loads the library first.
type ortAPI struct {
	library unsafe.Pointer
	table   unsafe.Pointer
	memory  unsafe.Pointer // describes the CPU's memory
}

func openAPI(path string) (*ortAPI, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	a := &ortAPI{}
	if problem := C.ort_open(name, &a.library, &a.table, &a.memory); problem != nil {
		return nil, errors.New(C.GoString(problem))
	}
	return a, nil
}

func (a *ortAPI) close() { C.ort_close(a.library, a.table, a.memory) }

// check turns a status into an error, and frees it.
func (a *ortAPI) check(status unsafe.Pointer) error {
	if status == nil {
		return nil
	}
	defer C.ort_release_status(a.table, status)
	return errors.New(C.GoString(C.ort_message(a.table, status)))
}

// pointer reads the pointer to one of ONNX Runtime's objects that a type of the
// binding keeps to itself, by the names of the fields that lead to it. The
// binding's version is pinned, and the session's tests notice another layout.
func pointer(holder any, fields ...string) unsafe.Pointer {
	v := reflect.ValueOf(holder)
	for _, name := range fields {
		v = v.Elem().FieldByName(name)
	}
	return v.UnsafePointer()
}

func sessionPointer(s *ort.DynamicAdvancedSession) unsafe.Pointer {
	return pointer(s, "s", "ortSession")
}
func optionsPointer(o *ort.RunOptions) unsafe.Pointer { return pointer(o, "o") }

// declared is an input or output as the graph declares it.
type declared struct {
	name  string
	kind  ort.ONNXType
	elem  ort.TensorElementDataType
	dtype models.DType // Invalid: one that cannot be served
	// ranked says that dims are declared at all. An open dimension is -1, and has
	// a name in symbols or none.
	ranked  bool
	dims    []int
	symbols []string
}

// declarations reads what a session's graph says of its inputs or outputs.
func (a *ortAPI) declarations(session unsafe.Pointer, outputs bool) ([]declared, error) {
	side := C.int(0)
	if outputs {
		side = 1
	}
	var n C.size_t
	if err := a.check(C.ort_count(a.table, session, side, &n)); err != nil {
		return nil, err
	}
	all := make([]declared, n)
	for i := range all {
		var err error
		if all[i], err = a.declaration(session, side, i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (a *ortAPI) declaration(session unsafe.Pointer, side C.int, index int) (declared, error) {
	var port C.ort_port
	defer C.ort_free_port(&port)
	if err := a.check(C.ort_describe(a.table, session, side, C.size_t(index), &port)); err != nil {
		return declared{}, err
	}
	d := declared{name: C.GoString(port.name), kind: ort.ONNXType(port.kind), elem: ort.TensorElementDataType(port._type)}
	d.dtype = dtypes[d.elem]
	if port.rank > C.ORT_RANK {
		return d, fmt.Errorf("%q has %d dimensions; at most %d are accepted", d.name, port.rank, models.MaxTensorRank)
	}
	d.ranked = port.rank >= 0
	for i := range max(port.rank, 0) {
		d.dims = append(d.dims, int(port.shape[i]))
		d.symbols = append(d.symbols, C.GoString(port.symbols[i]))
	}
	return d, nil
}

// cNames are names as C has them, for the life of a session.
type cNames struct{ list []*C.char }

func newNames(ports []declared) cNames {
	n := cNames{unsafe.Slice((**C.char)(C.calloc(C.size_t(max(len(ports), 1)), C.size_t(unsafe.Sizeof((*C.char)(nil))))), len(ports))}
	for i := range ports {
		n.list[i] = C.CString(ports[i].name)
	}
	return n
}

func (n *cNames) first() **C.char { return unsafe.SliceData(n.list) }

func (n *cNames) free() {
	for _, name := range n.list {
		C.free(unsafe.Pointer(name))
	}
	C.free(unsafe.Pointer(n.first()))
	n.list = nil
}

// values are the values of one side of a run.
type values struct {
	api  *ortAPI
	list []unsafe.Pointer // in C's memory
}

func newValues(a *ortAPI, n int) *values {
	return &values{a, unsafe.Slice((*unsafe.Pointer)(C.calloc(C.size_t(max(n, 1)), C.size_t(unsafe.Sizeof(uintptr(0))))), n)}
}

func (v *values) first() *unsafe.Pointer { return unsafe.SliceData(v.list) }

func (v *values) free() {
	for _, value := range v.list {
		if value != nil {
			C.ort_release(v.api.table, value)
		}
	}
	C.free(unsafe.Pointer(v.first()))
	v.list = nil
}

// run runs values that are there.
func (a *ortAPI) run(session, options unsafe.Pointer, inNames *cNames, in *values, outNames *cNames, out *values) error {
	return a.check(C.ort_run(a.table, session, options, inNames.first(), in.first(), C.size_t(len(in.list)),
		outNames.first(), out.first(), C.size_t(len(out.list))))
}
