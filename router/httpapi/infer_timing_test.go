package httpapi_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"hotpath/abtest"
	"hotpath/models"
	"hotpath/resilience/handoff"
	"hotpath/router"
	"hotpath/router/routertest"
)

// instantScorer gives the inputs back where they are: what is measured is all but
// the model.
type instantScorer struct {
	router.Scorer
	job instantJob
}

func (s *instantScorer) AcquireTensors() router.TensorJob { return &s.job }

// instantJob serves one request at a time.
type instantJob struct{ out []models.Tensor }

func (j *instantJob) Score(in []models.Tensor, _ int, owner models.Owner, _ time.Time, _ handoff.Priority) error {
	j.out = append(j.out[:0], in...)
	owner.Free()
	return nil
}

func (j *instantJob) Outputs() []models.Tensor                      { return j.out }
func (j *instantJob) Timing() (queued, run time.Duration, rows int) { return 1, 1, 1 }
func (j *instantJob) Release()                                      {}

// inferCase is a request for infer, served without a connection.
type inferCase struct {
	*port
	ctx    fasthttp.RequestCtx
	body   []byte
	header string
}

// newInferCase serves a model of so many floats a row, and has a request of rows.
func newInferCase(t testing.TB, rows, columns int, binary bool) *inferCase {
	t.Helper()
	c := &inferCase{}
	c.port = start(t, func(s *setup) {
		s.handler.MaxInferBody, s.handler.BodyMemory = 16<<20, 64<<20
		s.serve = func(r *routertest.Rig) {
			v, scorer := echo(r, "m", true, models.Port{Name: "x", DType: models.Float32, Shape: []int{columns}})
			v.Lane.Scorer = &instantScorer{Scorer: scorer.Scorer}
			r.Serve(abtest.Config{}, v)
		}
	})
	if got := c.do(t, "GET", "/livez", ""); got.status != 200 { // so that there is something to shut down
		t.Fatalf("%+v", got)
	}
	head := fmt.Sprintf(`{"id":"req-1","inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP32",`, rows, columns)
	if binary {
		head += fmt.Sprintf(`"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, 4*rows*columns)
		c.header, c.body = strconv.Itoa(len(head)), append([]byte(head), make([]byte, 4*rows*columns)...)
		return c
	}
	rng := rand.New(rand.NewPCG(1, 2))
	numbers := make([]string, rows*columns)
	for i := range numbers {
		numbers[i] = strconv.FormatFloat(rng.Float64(), 'g', 7, 64)
	}
	c.body = []byte(head + `"data":[` + strings.Join(numbers, ",") + `]}]}`)
	return c
}

// serve handles the request once, as if its body had just been read.
func (c *inferCase) serve(t testing.TB) {
	c.ctx.Response.Reset()
	c.ctx.Request.Header.SetMethod("POST")
	c.ctx.Request.SetRequestURI("/v2/models/m/infer")
	if c.header != "" {
		c.ctx.Request.Header.Set("Inference-Header-Content-Length", c.header)
	}
	c.ctx.Request.SetBody(c.body)
	c.Handler.Serve(&c.ctx)
	if c.ctx.Response.StatusCode() != 200 {
		t.Fatalf("%d: %s", c.ctx.Response.StatusCode(), c.ctx.Response.Body())
	}
}

// TestInferAllocations bounds those of a warm request: the snapshot's and the
// owner's of the pipeline, and the header of a binary answer.
func TestInferAllocations(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates")
		return
	}
	for binary, most := range map[bool]float64{false: 2, true: 4} {
		c := newInferCase(t, 1, 10, binary)
		for range 10 {
			c.serve(t)
		}
		if n := testing.AllocsPerRun(200, func() { c.serve(t) }); n > most {
			t.Errorf("binary %v: %v allocations, want at most %v", binary, n, most)
		}
	}
}

func BenchmarkInfer(b *testing.B) {
	for _, size := range []struct{ rows, columns int }{{1, 10}, {64, 256}, {12, 3 * 224 * 224}} {
		for _, binary := range []bool{false, true} {
			if !binary && size.columns > 256 {
				continue
			}
			b.Run(fmt.Sprintf("%dx%d/binary=%v", size.rows, size.columns, binary), func(b *testing.B) {
				c := newInferCase(b, size.rows, size.columns, binary)
				b.SetBytes(int64(len(c.body)))
				b.ReportAllocs()
				for b.Loop() {
					c.serve(b)
				}
			})
		}
	}
}
