package inference

/*
#include <stdlib.h>
#include "ort.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"hotpath/models"
)

// TensorRunner runs tensors whose sizes vary from run to run. It belongs to one
// goroutine; only Cancel may be called from another, while a run is in progress.
//
// Inputs are read where they lie, unless their address is not a multiple of the
// element's size. Outputs are ONNX Runtime's own memory.
type TensorRunner struct {
	stopper
	session *Session
	maxRows int
	in, out []C.ort_tensor // in C's memory, so that the run copies no descriptions
	pin     runtime.Pinner // of the inputs, while a run lasts
	aligned [][]uint64     // copies of inputs, where they needed one
	results []models.Tensor
	strings []stringReader
	holds   bool // outputs of a run
}

// NewTensorRunner makes a runner that is to be given at most maxRows rows at once,
// which says what a batch is and binds nobody: memory depends on the tensors.
func (s *Session) NewTensorRunner(maxRows int) (*TensorRunner, error) {
	ins, outs := len(s.inNames.list), len(s.outNames.list)
	r := &TensorRunner{session: s, maxRows: maxRows, in: newTensors(ins), out: newTensors(outs),
		aligned: make([][]uint64, ins), results: make([]models.Tensor, outs), strings: make([]stringReader, outs)}
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func newTensors(n int) []C.ort_tensor {
	return unsafe.Slice((*C.ort_tensor)(C.calloc(C.size_t(max(n, 1)), C.sizeof_ort_tensor)), n)
}

// MaxRows is the largest batch.
func (r *TensorRunner) MaxRows() int { return r.maxRows }

// NeedsThread is that of Runner.
func (r *TensorRunner) NeedsThread() bool { return r.session.provider == CUDA }

// RunTensors runs one tensor for each input, in the session's order and checked
// against its signature, and gives one for each output. The outputs are valid
// until Discard or the next run.
func (r *TensorRunner) RunTensors(in []models.Tensor) ([]models.Tensor, error) {
	r.Discard()
	options, err := r.begin()
	if err != nil {
		return nil, err
	}
	if len(in) != len(r.in) {
		return nil, fmt.Errorf("%d tensors for %d inputs", len(in), len(r.in))
	}
	defer r.pin.Unpin()
	for i := range in {
		if err := r.input(i, &in[i]); err != nil {
			return nil, fmt.Errorf("input %q: %w", in[i].Name, err)
		}
	}
	s := r.session
	err = s.api.check(C.ort_run_tensors(s.api.table, s.api.memory, s.pointer, options, s.inNames.first(),
		unsafe.SliceData(r.in), C.size_t(len(r.in)), s.outNames.first(), unsafe.SliceData(r.out), C.size_t(len(r.out))))
	for i := range r.aligned {
		if 8*cap(r.aligned[i]) > keepText {
			r.aligned[i] = nil
		}
	}
	if err != nil {
		return nil, err
	}
	r.holds = true
	if err := r.outputs(); err != nil {
		r.Discard()
		return nil, err
	}
	return r.results, nil
}

// input describes an input to C and pins its memory.
func (r *TensorRunner) input(i int, t *models.Tensor) error {
	c := &r.in[i]
	if err := describe(c, t.DType, t.Shape); err != nil {
		return err
	}
	data := t.Data
	if size := t.DType.Size(); size > 1 && uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(size) != 0 {
		data = r.align(i, data)
	}
	c.bytes, c.data = C.size_t(len(data)), nil
	if len(data) > 0 {
		r.pin.Pin(&data[0])
		c.data = unsafe.Pointer(&data[0])
	}
	return nil
}

// align copies data to an address that suits every element type.
func (r *TensorRunner) align(i int, data []byte) []byte {
	n := (len(data) + 7) / 8
	r.aligned[i] = slices.Grow(r.aligned[i][:0], n)[:n]
	to := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(r.aligned[i]))), len(data))
	copy(to, data)
	return to
}

// outputs describes what came out.
func (r *TensorRunner) outputs() error {
	total := 0
	for i := range r.out {
		c, t := &r.out[i], &r.results[i]
		port := &r.session.sig
		t.Name, t.DType = "", dtypes[ort.TensorElementDataType(c._type)]
		if i < len(port.Outputs) { // not yet known to a trial
			t.Name = port.Outputs[i].Name
		}
		if c.rank > C.ORT_RANK {
			return fmt.Errorf("output %d has %d dimensions; at most %d can be answered", i, c.rank, models.MaxTensorRank)
		}
		t.Shape = t.Shape[:0]
		for d := range c.rank {
			t.Shape = append(t.Shape, int64(c.shape[d]))
		}
		n := int(c.elements)
		if t.DType != models.String {
			n *= t.DType.Size()
		} else {
			n *= 4
		}
		if total += n; total > models.MaxRowBytes {
			return errOutputs(total)
		}
		if t.DType != models.String {
			t.Data = unsafe.Slice((*byte)(c.data), n)
			continue
		}
		if err := r.strings[i].read(r.session.api, c.value, int(c.elements)); err != nil {
			return err
		}
		t.Data = r.strings[i].text
		if total += len(t.Data) - n; total > models.MaxRowBytes {
			return errOutputs(total)
		}
	}
	return nil
}

func errOutputs(total int) error {
	return fmt.Errorf("the outputs are %d bytes or more, over the limit of %d for one run: send fewer rows at once, or smaller tensors", total, models.MaxRowBytes)
}

// Discard frees the outputs of the last run.
func (r *TensorRunner) Discard() {
	if !r.holds {
		return
	}
	r.holds = false
	C.ort_release_all(r.session.api.table, unsafe.SliceData(r.out), C.size_t(len(r.out)))
	for i := range r.results {
		r.results[i].Data = nil
		if cap(r.strings[i].text) > keepText {
			r.strings[i] = stringReader{}
		}
	}
}

// Close frees the runner's memory. No run may be in progress. Closing twice does
// nothing more.
func (r *TensorRunner) Close() error {
	if r.in == nil {
		return nil
	}
	r.Discard()
	C.free(unsafe.Pointer(unsafe.SliceData(r.in)))
	C.free(unsafe.Pointer(unsafe.SliceData(r.out)))
	r.in, r.out = nil, nil
	return r.close()
}
