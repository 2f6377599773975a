package inference

import (
	"fmt"
	"os"
	"testing"
	"time"

	"hotpath/models"
)

// BenchmarkRun is what one run costs, by model and batch size.
func BenchmarkRun(b *testing.B) {
	r := openRuntime(b)
	for _, m := range []struct{ name, path string }{
		{"mid", "../bench/testdata/repository/mid/1/model.onnx"},
		{"tensor", "../bench/testdata/repository/tensor/1/model.onnx"},
		{"risk-1", "../models/demo/repository/risk/1/model.onnx"},
		{"risk-2", "../models/demo/repository/risk/2/model.onnx"},
	} {
		run := benchRunner(b, r, m.path)
		for _, rows := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", m.name, rows), func(b *testing.B) {
				b.ReportAllocs()
				b.ReportMetric(rate(b, run, rows), "rows/s")
			})
		}
	}
}

// BenchmarkTensors is the same model run as rows, whose values are made once, and
// as tensors, which are described anew and answered from ONNX Runtime's memory.
func BenchmarkTensors(b *testing.B) {
	r := openRuntime(b)
	data, err := os.ReadFile("../bench/testdata/repository/mid/1/model.onnx")
	ok(b, err)
	s := load(b, r, data, SessionOptions{})
	rows, tensors := newRunner(b, s, 1, 8, 64), newTensorRunner(b, s, 64)
	sig := s.Signature()
	for _, n := range []int{1, 8, 64} {
		in, err := (&models.Example{Random: true}).Tensors(&sig, n)
		ok(b, err)
		b.Run(fmt.Sprintf("rows/%d", n), func(b *testing.B) {
			frame, out := rows.Frames()
			answer := make([]byte, n*out.Layout.Stride[0])
			b.ReportAllocs()
			for b.Loop() {
				frame.SetTensors(0, n, in)
				ok(b, rows.Run(n))
				copy(answer, out.Data[0])
			}
		})
		b.Run(fmt.Sprintf("tensors/%d", n), func(b *testing.B) {
			var answer []byte
			b.ReportAllocs()
			for b.Loop() {
				out, err := tensors.RunTensors(in)
				ok(b, err)
				answer = append(answer[:0], out[0].Data...)
			}
		})
	}
}

// BenchmarkBatching compares the rows per second of full batches with those of
// single rows on the 64-256-128-1 perceptron, in one measurement: the metric is
// how many times more rows a batch of 64 scores in the same time.
func BenchmarkBatching(b *testing.B) {
	run := benchRunner(b, openRuntime(b), "../bench/testdata/repository/tensor/1/model.onnx")
	var alone, together time.Duration
	for b.Loop() {
		start := time.Now()
		for range 64 {
			ok(b, run.Run(1))
		}
		middle := time.Now()
		ok(b, run.Run(64))
		alone += middle.Sub(start)
		together += time.Since(middle)
	}
	b.ReportMetric(alone.Seconds()/together.Seconds(), "x-rows/s-batched")
	b.ReportMetric(64*float64(b.N)/alone.Seconds(), "rows/s-single")
	b.ReportMetric(64*float64(b.N)/together.Seconds(), "rows/s-batched")
}

// BenchmarkPadding is the price of a batch of 33 rows where 64 is the next size.
func BenchmarkPadding(b *testing.B) {
	run := benchRunner(b, openRuntime(b), "../bench/testdata/repository/mid/1/model.onnx")
	b.ReportMetric(rate(b, run, 33), "rows/s")
}

func benchRunner(b *testing.B, r *Runtime, path string) *Runner {
	b.Helper()
	data, err := os.ReadFile(path)
	ok(b, err)
	run := newRunner(b, load(b, r, data, SessionOptions{}), 1, 8, 64)
	ok(b, run.Verify(b.Context(), nil, nil))
	return run
}

// rate runs batches of that many rows and gives rows per second.
func rate(b *testing.B, run *Runner, rows int) float64 {
	b.Helper()
	for b.Loop() {
		ok(b, run.Run(rows))
	}
	return float64(rows) * float64(b.N) / b.Elapsed().Seconds()
}
