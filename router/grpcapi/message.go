package grpcapi

import (
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"google.golang.org/grpc/mem"

	"hotpath/models"
)

// message is one message as it was received, and the memory of what is read out of
// it. It is pooled. For ModelInfer it is the models.Owner of the tensors: they point
// into it, and Free gives it back.
type message struct {
	pool *messages
	// received are the buffers of the transport, of which the message has a hold.
	received mem.BufferSlice
	// joined holds the bytes of a message that came in several buffers.
	joined *[]byte

	request inferRequest
	// counted is what the message counts in the pool's memory in use, in bytes.
	counted int64
	// wanted are the outputs that a request selects.
	wanted []models.Tensor
	// typed holds the data of tensors that were sent as contents.
	typed []byte
	// names are those of the inputs of the message before, by place: most often they
	// are the same again, and no string is made.
	names []string
}

// What a pooled message keeps: enough for most requests, little enough that a pool
// full of once-large ones stays small.
const (
	keepTyped = 16 << 10
	keepName  = 128
	keepNames = 32
)

// messages is the pool, and the memory that joined messages and answers use.
type messages struct {
	pool   sync.Pool
	memory memory
	// used is what the large messages in use take, in bytes.
	used atomic.Int64
}

// smallMessage is the size up to which messages are not counted, in bytes: what they
// can take together is bounded by the calls in progress.
const smallMessage = 64 << 10

func newMessages() *messages {
	m := &messages{}
	m.pool.New = func() any { return &message{pool: m} }
	return m
}

func (p *messages) get() *message { return p.pool.Get().(*message) }

// receive takes a hold of the transport's buffers. It is the codec's part; nothing
// is read yet, so that a request can be refused at once.
func (m *message) receive(data mem.BufferSlice) {
	data.Ref()
	m.received = append(m.received[:0], data...)
	m.count(data.Len())
}

// count adds to the memory in use.
func (m *message) count(bytes int) {
	if bytes > smallMessage {
		m.counted += int64(bytes)
		m.pool.used.Add(int64(bytes))
	}
}

// bytes is the message in one piece. Where it came in one buffer that is the
// transport's; else it is copied together, once.
func (m *message) bytes() []byte {
	if m.joined != nil {
		return *m.joined
	}
	switch len(m.received) {
	case 0:
		return nil
	case 1:
		return m.received[0].ReadOnlyData()
	}
	m.joined = m.pool.memory.Get(m.received.Len())
	m.received.CopyTo(*m.joined)
	m.drop()
	return *m.joined
}

// peekID is the request's id where it stands in the first buffer, as it does unless a
// client orders fields in a way of its own. It is for requests that are not parsed.
func (m *message) peekID() []byte {
	if len(m.received) == 0 {
		return nil
	}
	for b := m.received[0].ReadOnlyData(); len(b) > 0; {
		f, rest, ok := cutField(b)
		if !ok {
			return nil
		}
		if f.key == keyID && utf8.Valid(f.bytes) {
			return f.bytes
		}
		b = rest
	}
	return nil
}

// drop gives the transport's buffers back.
func (m *message) drop() {
	m.received.Free()
	clear(m.received)
	m.received = m.received[:0]
}

// Free gives the message back. Nothing may read it, or what was read out of it, any
// more.
func (m *message) Free() {
	m.drop()
	if m.joined != nil {
		m.pool.memory.Put(m.joined)
		m.joined = nil
	}
	m.pool.used.Add(-m.counted)
	m.counted = 0
	m.request.reset()
	clear(m.wanted)
	m.wanted = m.wanted[:0]
	if cap(m.typed) > keepTyped {
		m.typed = nil
	}
	m.typed = m.typed[:0]
	m.pool.pool.Put(m)
}

// name is the text of the i-th input's name as a string.
func (m *message) name(i int, text []byte) string {
	if i < len(m.names) && m.names[i] == string(text) {
		return m.names[i]
	}
	name := string(text)
	switch {
	case len(name) > keepName:
	case i < len(m.names):
		m.names[i] = name
	case i == len(m.names) && i < keepNames:
		m.names = append(m.names, name)
	}
	return name
}

// A message owns the tensors that are read out of it.
var _ models.Owner = (*message)(nil)
