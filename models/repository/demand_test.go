package repository

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Loads that were asked for come in the order in which they were: were the last
// one first, others could wait for ever where many are asked for.
func TestLoadsAskedForComeInTheirOrder(t *testing.T) {
	b := explicit(t)
	b.o.Parallel = 1
	hold := make(chan struct{})
	b.loader.hold = map[string]chan struct{}{"a/3": hold}
	b.openRepo()
	var all sync.WaitGroup
	want := []string{"a/3", "b/3", "c/3", "a/1", "b/1", "c/2"}
	for _, key := range want {
		model, version := key[:1], int(key[2]-'0')
		ctx := within(t)
		all.Go(func() { ok(t, b.r.Load(ctx, model, version)) })
		b.eventually(key+" is asked for", func() bool { return b.version(model, version).Loading })
	}
	close(hold)
	all.Wait()
	var got []string
	for _, l := range b.loader.loads {
		key, _, _ := strings.Cut(l, ":")
		got = append(got, key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("loaded in the order %v, asked for in the order %v", got, want)
	}
}

// A version whose folder is gone is not what LoadModel waits for.
func TestLoadModelForgetsWhatIsGone(t *testing.T) {
	b := newBench(t)
	b.put("m", 1)
	b.put("m", 2)
	b.openRepo()
	b.write("m/3/model.onnx", []byte("no model"))
	b.wantCode(b.r.LoadModel(within(t), "m"), CodeBadModel, "version 3")
	ok(t, os.RemoveAll(b.path("m", "3")))
	ok(t, b.r.LoadModel(within(t), "m"))
}
