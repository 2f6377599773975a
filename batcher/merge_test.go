package batcher

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hotpath/models"
	"hotpath/resilience/handoff"
)

func TestRaggedInputsArePaddedInEveryType(t *testing.T) {
	pads := map[models.DType][]byte{models.Float32: {0, 0, 128, 191}, models.Int64: {9, 0, 0, 0, 0, 0, 0, 0}, models.Uint8: {7}, models.String: []byte("-")}
	for _, d := range []models.DType{models.Bool, models.Int8, models.Int16, models.Int32, models.Int64, models.Uint8, models.Uint16,
		models.Uint32, models.Uint64, models.Float16, models.BFloat16, models.Float32, models.Float64, models.String} {
		for _, pad := range [][]byte{nil, pads[d]} {
			synctest.Test(t, func(t *testing.T) { testPadding(t, d, pad) })
		}
	}
}

// element is an element of any type, told by n.
func element(d models.DType, n int) []byte {
	if d == models.String {
		return models.AppendStringElement(nil, fmt.Sprint("s", n))
	}
	data := make([]byte, d.Size())
	data[0] = byte(n)
	return data
}

// paddingOf is an element of padding as a tensor has it.
func paddingOf(d models.DType, pad []byte) []byte {
	switch {
	case d == models.String:
		return models.AppendStringElement(nil, string(pad))
	case pad == nil:
		return make([]byte, d.Size())
	}
	return pad
}

func testPadding(t *testing.T, d models.DType, pad []byte) {
	port := models.Port{Name: "x", DType: d, Shape: []int{-1, 2, -1}}
	count := models.Port{Name: "y", DType: models.Uint8, Shape: []int{}}
	sig := &models.Signature{Batched: true, Inputs: []models.Port{port}, Outputs: []models.Port{count}}
	var ran []models.Tensor
	s := stageTensors(t, sig, []Merge{{Ragged: true, Pad: pad}}, 8, func(in []models.Tensor) ([]models.Tensor, error) {
		ran = append(ran, models.Tensor{Shape: slices.Clone(in[0].Shape), Data: slices.Clone(in[0].Data)})
		time.Sleep(10 * ms)
		return []models.Tensor{{Name: "y", DType: models.Uint8, Shape: []int64{in[0].Shape[0]}, Data: make([]byte, in[0].Shape[0])}}, nil
	})
	n := 0
	request := func(shape ...int64) *memory {
		elements, _ := models.Elements(shape)
		x := models.Tensor{Name: "x", DType: d, Shape: shape}
		for range elements {
			n++
			x.Data = append(x.Data, element(d, n)...)
		}
		return &memory{tensors: []models.Tensor{x}}
	}
	score := func(m *memory, rows int) <-chan error {
		ch := make(chan error, 1)
		go func() {
			job := s.b.AcquireTensors()
			err := job.Score(m.tensors, rows, m, time.Now().Add(time.Minute), handoff.Normal)
			if err == nil && !slices.Equal(job.Outputs()[0].Shape, []int64{int64(rows)}) {
				err = fmt.Errorf("output of shape %v for %d rows", job.Outputs()[0].Shape, rows)
			}
			job.Release()
			ch <- err
		}()
		synctest.Wait()
		return ch
	}
	all := []<-chan error{score(request(1, 1, 2, 1), 1), score(request(1, 2, 2, 1), 1), score(request(2, 1, 2, 3), 2)}
	for _, ch := range all {
		if err := <-ch; err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	s.end()
	// By hand: [2,2,1] and twice [1,2,3] in [3,2,2,3]; elements count from 3.
	p := -1
	var want []byte
	for _, e := range []int{3, p, p, 4, p, p, 5, p, p, 6, p, p, 7, 8, 9, 10, 11, 12, p, p, p, p, p, p, 13, 14, 15, 16, 17, 18, p, p, p, p, p, p} {
		if e == p {
			want = append(want, paddingOf(d, pad)...)
		} else {
			want = append(want, element(d, e)...)
		}
	}
	if len(ran) != 2 || !slices.Equal(ran[1].Shape, []int64{3, 2, 2, 3}) || string(ran[1].Data) != string(want) {
		t.Errorf("%s: ran %v, want %x", d, ran, want)
	}
}

func TestOnlyRaggedInputsArePadded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := models.Port{Name: "a", DType: models.Uint8, Shape: []int{-1}}, models.Port{Name: "b", DType: models.Uint8, Shape: []int{-1}}
		sig := &models.Signature{Batched: true, Inputs: []models.Port{one, two}, Outputs: []models.Port{one, two}}
		request := func(a, b int64) *memory {
			m := sequence(1, 1, a)
			m.tensors[0].Name = "a"
			m.tensors = append(m.tensors, models.Tensor{Name: "b", DType: models.Uint8, Shape: []int64{1, b}, Data: make([]byte, b)})
			return m
		}
		s := stageTensors(t, sig, []Merge{{Ragged: true}, {}}, 8, slow)
		var all []<-chan error
		for _, shape := range [][2]int64{{9, 9}, {1, 2}, {3, 2}, {3, 3}, {5, 2}} {
			ch := make(chan error, 1)
			m := request(shape[0], shape[1])
			go func() {
				job := s.b.AcquireTensors()
				ch <- job.Score(m.tensors, 1, m, time.Now().Add(time.Minute), handoff.Normal)
				job.Release()
			}()
			synctest.Wait()
			all = append(all, ch)
		}
		for _, ch := range all {
			if err := <-ch; err != nil {
				t.Error(err)
			}
		}
		s.wantShapes("[1,9] [1,9]", "[3,5] [3,2]", "[1,3] [1,3]")
		s.end()
	})
}

// Padding never makes sizes equal, or different, that were not so in a request:
// whether the model takes it must not depend on its company.
func TestPaddingKeepsSizesRelated(t *testing.T) {
	port := func(name string) models.Port {
		return models.Port{Name: name, DType: models.Uint8, Shape: []int{-1, 2}}
	}
	request := func(sizes [2]int64) []models.Tensor {
		var all []models.Tensor
		for _, n := range sizes {
			all = append(all, models.Tensor{DType: models.Uint8, Shape: []int64{1, n, 2}, Data: make([]byte, 2*n)})
		}
		return all
	}
	for _, ragged := range [][]Merge{{{Ragged: true}, {Ragged: true}}, {{}, {Ragged: true}}} {
		for _, c := range []struct {
			all  [][2]int64
			want bool
		}{
			{[][2]int64{{8, 8}, {8, 8}}, true},
			{[][2]int64{{8, 8}, {8, 4}}, false}, // would be 8, 8
			{[][2]int64{{8, 4}, {8, 8}}, false},
			{[][2]int64{{8, 2}, {8, 4}}, true}, // 2 is that of a fixed dimension
			{[][2]int64{{8, 2}, {8, 9}}, true},
		} {
			g := newGroup(ragged, []models.Port{port("a"), port("b")})
			g.begin(request(c.all[0]), 1)
			if got := g.add(request(c.all[1]), 1); got != c.want {
				t.Errorf("%v: %t", c.all, got)
			}
		}
	}
	both := newGroup([]Merge{{Ragged: true}, {Ragged: true}}, []models.Port{port("a"), port("b")})
	both.begin(request([2]int64{3, 4}), 1)
	if both.add(request([2]int64{4, 3}), 1) {
		t.Error("3, 4 and 4, 3 became 4, 4")
	}
	both.begin(request([2]int64{3, 3}), 1)
	if !both.add(request([2]int64{5, 5}), 1) || both.add(request([2]int64{6, 7}), 1) {
		t.Error("3, 3 and 5, 5 go together, and 6, 7 does not with them")
	}
}

// A long sequence does not make padding of its neighbours' turn.
func TestPaddingIsBounded(t *testing.T) {
	g := newGroup([]Merge{{Ragged: true}}, []models.Port{{Name: "x", DType: models.Uint8, Shape: []int{-1}}})
	g.begin(sequence(1, 1, 100_000).tensors, 1)
	for range 2 {
		if !g.add(sequence(1, 1, 10).tensors, 1) {
			t.Error("a third of padding was refused")
		}
	}
	if g.add(sequence(1, 2, 10).tensors, 2) {
		t.Error("a batch that would be four fifths padding was made")
	}
	if !g.add(sequence(1, 1, 90_000).tensors, 1) || g.rows != 4 {
		t.Errorf("a long one was refused beside a long one; %d rows", g.rows)
	}
	g.begin(sequence(1, 1, 1).tensors, 1)
	if !g.add(sequence(1, 1, 1000).tensors, 1) {
		t.Error("a small batch was refused for its padding")
	}
	g.begin(sequence(1, 1, maxMerged-8).tensors, 1)
	if g.add(sequence(1, 1, 100).tensors, 1) {
		t.Error("a batch over the limit was made")
	}
	huge := []models.Tensor{{Name: "x", DType: models.Uint8, Shape: []int64{1, 1 << 36, 0}}}
	g = newGroup([]Merge{{Ragged: true}}, []models.Port{{Name: "x", DType: models.Uint8, Shape: []int{-1, -1}}})
	g.begin(huge, 1)
	if g.add([]models.Tensor{{Name: "x", DType: models.Uint8, Shape: []int64{1, 0, 1 << 36}}}, 1) {
		t.Error("a batch of 2^72 elements was made")
	}
}

// Padding of random shapes, compared with going through the result element by element.
func TestPaddingOfAnyShape(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 2000 {
		d := []models.DType{models.Uint8, models.Int32, models.String}[r.IntN(3)]
		var pad []byte
		if r.IntN(2) == 0 {
			pad = []byte("abcdefgh")[:max(d.Size(), r.IntN(3)*(1-min(d.Size(), 1)))]
		}
		from := []int64{1 + r.Int64N(3)}
		to := []int64{from[0]}
		for range 1 + r.IntN(3) {
			n := r.Int64N(4)
			from, to = append(from, n), append(to, n+r.Int64N(3))
		}
		x := models.Tensor{DType: d, Shape: from}
		n, _ := models.Elements(from)
		for e := range n {
			x.Data = append(x.Data, element(d, e)...)
		}
		got := appendPadded([]byte("before"), &x, to, pad)
		want := append([]byte("before"), paddedSlowly(&x, to, pad)...)
		if string(got) != string(want) {
			t.Fatalf("%s %v to %v with %q:\ngot  %x\nwant %x", d, from, to, pad, got, want)
		}
	}
}

func paddedSlowly(x *models.Tensor, to []int64, pad []byte) (out []byte) {
	n, _ := models.Elements(to)
	for at := range n {
		rest, index, inside := at, 0, true
		for d := len(to) - 1; d >= 0; d-- {
			inside = inside && int64(rest)%to[d] < x.Shape[d]
			rest /= int(to[d])
		}
		rest = at
		for d, stride := len(to)-1, 1; d >= 0; d-- {
			index += rest % int(to[d]) * stride
			stride *= int(x.Shape[d])
			rest /= int(to[d])
		}
		if inside {
			out = append(out, element(x.DType, index)...)
		} else {
			out = append(out, paddingOf(x.DType, pad)...)
		}
	}
	return out
}
