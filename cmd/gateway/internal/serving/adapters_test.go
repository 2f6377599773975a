package serving

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"hotpath/batcher"
	"hotpath/features"
	"hotpath/models"
	"hotpath/router"
)

func TestErrorsOfTheStagesAreTheRouters(t *testing.T) {
	other := errors.New("anything else")
	for _, c := range []struct {
		name      string
		translate func(error) error
		err, want error
	}{
		{"score", scoreError, nil, nil},
		{"score", scoreError, batcher.ErrOverloaded, router.ErrOverloaded},
		{"score", scoreError, batcher.ErrExpired, router.ErrDeadline},
		{"score", scoreError, batcher.ErrUnfinished, router.ErrUnfinished},
		{"score", scoreError, batcher.ErrStuck, router.ErrStuck},
		{"score", scoreError, batcher.ErrTimeout, router.ErrTimeout},
		{"score", scoreError, batcher.ErrRow, router.ErrRow},
		{"score", scoreError, batcher.ErrClosed, router.ErrClosed},
		{"score", scoreError, batcher.ErrRun, batcher.ErrRun},
		{"score", scoreError, other, other},
		{"fetch", fetchError, nil, nil},
		{"fetch", fetchError, features.ErrQueueFull, router.ErrOverloaded},
		{"fetch", fetchError, features.ErrTimeout, router.ErrDeadline},
		{"fetch", fetchError, syscall.ECONNRESET, router.ErrReset},
		{"fetch", fetchError, syscall.EPIPE, router.ErrReset},
		{"fetch", fetchError, &net.OpError{Op: "write", Err: net.ErrClosed}, router.ErrReset},
		{"fetch", fetchError, io.EOF, router.ErrReset},
		{"fetch", fetchError, io.ErrUnexpectedEOF, router.ErrReset},
		{"fetch", fetchError, features.ErrUnavailable, features.ErrUnavailable},
		{"fetch", fetchError, features.ErrClosed, router.ErrOverloaded},
		{"fetch", fetchError, syscall.ECONNREFUSED, syscall.ECONNREFUSED},
		{"fetch", fetchError, other, other},
	} {
		if got := c.translate(c.err); got != c.want {
			t.Errorf("%s: %v becomes %v, want %v", c.name, c.err, got, c.want)
		}
		if c.err != nil {
			if got := c.translate(fmt.Errorf("wrapped: %w", c.err)); !errors.Is(got, c.want) {
				t.Errorf("%s: wrapped, %v becomes %v, want %v", c.name, c.err, got, c.want)
			}
		}
	}
}

// A string that ONNX Runtime cannot take is refused before it comes there, and
// does not count against the model.
func TestAStringWithNULIsABadRow(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	ok(t, s.add("strings", s.load(fixture(t, "strings"))))
	ok(t, s.world.Start())
	for _, c := range []struct {
		word string
		code router.Code
		want int64
	}{
		{"red", router.OK, 1}, {"re\x00d", router.BadFeatures, 0}, {"red\x00", router.BadFeatures, 0}, {"", router.OK, -1}, {"日本", router.OK, -1}, {"blue", router.OK, 3},
	} {
		x := s.begin("strings", "u")
		x.Request.Features = append(x.Request.Features, models.Value{Key: []byte("word"), Kind: models.KindString, Raw: []byte(c.word)})
		refusal := s.pipeline.Predict(x)
		switch {
		case refusal != nil && refusal.Code != c.code, refusal == nil && c.code != router.OK:
			t.Errorf("%q: %v, want %s", c.word, refusal, c.code)
		case refusal == nil:
			out := x.Lane.Out
			if got := x.Out().Int64(out.Offset[out.Port("code")]); got != c.want || x.Out().StringAt(0) != c.word {
				t.Errorf("%q: answer %q, %d, want %d", c.word, x.Out().StringAt(0), got, c.want)
			}
		}
		s.pipeline.Finish(x)
	}
	for _, g := range s.world.Guards() {
		if g.State().Failures != 0 {
			t.Errorf("%+v", g.State())
		}
	}
}

// The adapters add nothing that is allocated.
func TestTheJobIsTheBatchersOwn(t *testing.T) {
	s := newStage(t, features.SchemaConfig{})
	loaded := s.load(fixture(t, "echo_int64"))
	lane := loaded.Served.(*served).lane
	j := lane.Scorer.Acquire()
	j.In().PutInt64(lane.In.Offset[lane.In.Port("id")], 1<<53+1)
	ok(t, j.Score(time.Now().Add(10*time.Second), 0))
	if got := j.Out().Int64(lane.Out.Offset[lane.Out.Port("id_out")]); got != 1<<53+1 {
		t.Errorf("got %d", got)
	}
	if queued, run, rows := j.Timing(); rows != 1 || run <= 0 || queued < 0 {
		t.Errorf("queued %v, run %v, %d rows", queued, run, rows)
	}
	j.Release()
	loaded.Served.Close()
	eventually(t, "it is freed", func() bool { return s.retired() == 1 })
	late := lane.Scorer.Acquire()
	if err := late.Score(time.Now().Add(time.Second), 0); err != router.ErrClosed {
		t.Errorf("after the close: %v", err)
	}
	late.Release()
}
