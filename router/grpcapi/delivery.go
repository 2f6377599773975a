package grpcapi

import (
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"hotpath/models"
	"hotpath/router"
)

// delivery is an answer on its way to the client. It is the pool that grpc gives the
// answer's buffers back to when they are written, and so learns of that.
//
// An answer is copied once, into pooled memory, and its exchange is finished at
// once; or, if it is large, the outputs are lent to grpc where the pipeline has them,
// and the exchange is finished when they are written. A client that does not read
// must not hold exchanges, of which there are few: how many are lent is bounded, and
// so is the time (connection). grpc does not give back what is not written when a
// connection breaks; the exchange is then finished without the memory of its outputs.
type delivery struct {
	api *api
	// buffers counts those that grpc has.
	buffers    atomic.Int32
	connection *connection
	turn       int

	copied *[]byte          // where the answer was copied
	lent   *router.Exchange // where it was lent
	data   [][]byte         // of the outputs lent
	ended  atomic.Bool      // somebody ends the delivery
}

// lendFrom is the size from which on an answer is lent, in bytes.
const lendFrom = 64 << 10

// deliver encodes an answer to be sent. Unless it refuses, it takes over the exchange:
// that is finished now or when the answer is written. id points into the request.
func (a *api) deliver(x *router.Exchange, id []byte, outputs []models.Tensor, c *connection, stream bool) (*answer, *router.Error) {
	began := time.Now()
	x.Buffer = appendHead(x.Buffer[:0], x, id, outputs)
	if stream {
		x.Buffer = appendFinal(x.Buffer)
	}
	size := len(x.Buffer)
	large := 0
	for i := range outputs {
		size += sizeText(len(outputs[i].Data))
		large = max(large, len(outputs[i].Data))
	}
	total := size
	if stream {
		total = sizeText(size)
	}
	if total > a.options.MaxMessageBytes {
		return nil, &router.Error{Code: router.BodyTooLarge, Message: "the answer has " + strconv.Itoa(total) +
			" bytes, more than server.grpc_max_message_bytes; ask for fewer rows or outputs"}
	}
	if large >= lendFrom && c != nil {
		if ans := a.lend(x, outputs, c, size, stream, began); ans != nil {
			return ans, nil
		}
	}
	defer a.pipeline.Finish(x)
	defer a.encoded(x, began)
	if mem.IsBelowBufferPoolingThreshold(total) {
		return single(mem.SliceBuffer(appendAnswer(make([]byte, 0, total), x.Buffer, outputs, size, stream))), nil
	}
	d := &delivery{api: a, connection: c, copied: a.messages.memory.Get(total)}
	*d.copied = appendAnswer((*d.copied)[:0], x.Buffer, outputs, size, stream)
	d.buffers.Store(1)
	d.turn = c.begin()
	ans := single(mem.NewBuffer(d.copied, d))
	ans.delivery = d
	return ans, nil
}

// encoded records what the codec spent on an exchange.
func (a *api) encoded(x *router.Exchange, began time.Time) {
	x.Stages[router.StageEncode] = time.Since(began)
	a.codec.ObserveCodec(x)
}

// appendAnswer adds a whole answer, of size bytes without what a stream has around it.
func appendAnswer(dst, head []byte, outputs []models.Tensor, size int, stream bool) []byte {
	if stream {
		dst = appendStreamKey(dst, size)
	}
	dst = append(dst, head...)
	for i := range outputs {
		dst = append(appendRawKey(dst, len(outputs[i].Data)), outputs[i].Data...)
	}
	return dst
}

// appendStreamKey adds what stands before an answer of size bytes in a stream.
func appendStreamKey(dst []byte, size int) []byte {
	return protowire.AppendVarint(protowire.AppendVarint(dst, keyStreamResponse), uint64(size))
}

// lend makes an answer whose large outputs stay where they are; nil where too many are
// lent, or the connection is closed.
func (a *api) lend(x *router.Exchange, outputs []models.Tensor, c *connection, size int, stream bool, began time.Time) *answer {
	if a.lent.Add(1) > a.maxLent {
		a.lent.Add(-1)
		return nil
	}
	d := &delivery{api: a, connection: c, lent: x, data: make([][]byte, 0, len(outputs))}
	ans := d.lentBuffers(outputs, size, stream)
	a.encoded(x, began)
	// From here on the exchange can end at any moment, with its connection.
	if !c.lend(d) {
		a.lent.Add(-1)
		return nil
	}
	return ans
}

// lentBuffers are an answer's buffers: each large output in one of its own.
func (d *delivery) lentBuffers(outputs []models.Tensor, size int, stream bool) *answer {
	var between []byte
	if stream {
		between = appendStreamKey(nil, size)
	}
	between = append(between, d.lent.Buffer...)
	ans := &answer{buffers: make(mem.BufferSlice, 0, 2*len(outputs)+1), delivery: d}
	for i := range outputs {
		data := outputs[i].Data
		between = appendRawKey(between, len(data))
		if !isLarge(data) {
			between = append(between, data...)
			continue
		}
		d.data = append(d.data, data)
		ans.buffers = append(ans.buffers, mem.SliceBuffer(between), mem.NewBuffer(&d.data[len(d.data)-1], d))
		between = nil
	}
	if len(between) > 0 {
		ans.buffers = append(ans.buffers, mem.SliceBuffer(between))
	}
	d.buffers.Store(int32(len(d.data)))
	return ans
}

// isLarge says that an output is worth lending, and that grpc counts the holds of its
// buffer: it does not for small ones.
func isLarge(data []byte) bool {
	return len(data) >= lendFrom && !mem.IsBelowBufferPoolingThreshold(cap(data))
}

// Get is not called: the pool is one of memory that exists.
func (d *delivery) Get(n int) *[]byte { return d.api.messages.memory.Get(n) }

// Put is called when a buffer is written, or will not be.
func (d *delivery) Put(*[]byte) {
	if d.buffers.Add(-1) > 0 {
		return
	}
	if d.ended.CompareAndSwap(false, true) {
		d.leave()
		d.finish()
	}
	if d.copied != nil {
		d.api.messages.memory.Put(d.copied)
	}
}

// abandon ends a delivery that grpc may never give back, and may still read.
func (d *delivery) abandon() {
	if d.ended.CompareAndSwap(false, true) {
		d.leave()
		d.forget()
	}
}

// leave tells the connection that the answer is no longer on its way.
func (d *delivery) leave() {
	if d.lent != nil {
		d.connection.returned(d)
	} else {
		d.connection.end(d.turn)
	}
}

// forfeit ends a delivery whose connection is closed.
func (d *delivery) forfeit() {
	if d.ended.CompareAndSwap(false, true) {
		d.forget()
	}
}

// forget ends the exchange where grpc may still read the outputs: their memory is left
// to the garbage collector.
func (d *delivery) forget() {
	if d.lent != nil {
		outputs := d.lent.Outputs()
		for i := range outputs {
			outputs[i].Data = nil
		}
	}
	d.finish()
}

// finish ends the exchange, if it is lent. It is for whoever set ended.
func (d *delivery) finish() {
	if d.lent == nil {
		return
	}
	d.api.lent.Add(-1)
	d.api.pipeline.Finish(d.lent)
}

var _ mem.BufferPool = (*delivery)(nil)
