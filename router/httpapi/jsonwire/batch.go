package jsonwire

import "hotpath/router"

// Batch is the decoded body of POST /predict/batch, pooled and reused. What
// router.Request says about ownership holds for all of it.
type Batch struct {
	// Model is the model of the instances that name none; DecodeBatch has
	// already put it into them.
	Model []byte
	// RequestID is the caller's identifier for the whole batch; empty when it
	// sent none.
	RequestID []byte
	// Items are the instances in the order sent, never none.
	Items []Item

	scratch []byte
}

// Item is one instance of a batch.
type Item struct {
	// Request is what was asked for; when Err is set only its RequestID may be
	// used, and may be empty.
	Request router.Request
	// Err is why this instance alone is refused; nil when it is not.
	Err *Error
}

// What Reset keeps of a batch, so that a pool of them stays small.
const (
	keepBatchValues  = 16 << 10
	keepBatchScratch = 64 << 10
)

// Reset empties b. It keeps the memory, unless one batch made it large.
func (b *Batch) Reset() {
	b.Model, b.RequestID = nil, nil
	values := 0
	all := b.Items[:cap(b.Items)]
	for i := range all {
		r := &all[i].Request
		r.Reset()
		all[i].Err = nil
		values += cap(r.Features) + cap(r.Entities) + cap(r.Context)
	}
	b.Items = b.Items[:0]
	if values > keepBatchValues {
		b.Items = nil
	}
	if cap(b.scratch) > keepBatchScratch {
		b.scratch = nil
	}
}

// next is a new item at the end of the batch, with memory used before.
func (b *Batch) next() *Item {
	n := len(b.Items)
	if n < cap(b.Items) {
		b.Items = b.Items[:n+1]
	} else {
		b.Items = append(b.Items, Item{})
	}
	return &b.Items[n]
}

// DecodeBatch reads the body of POST /predict/batch into b, which it resets
// first. An instance that asks for something wrong is refused alone, in its
// Item. An error of the whole, an *Error, is a syntax error anywhere, or
// something wrong outside of the instances; nothing in b but RequestID may then
// be used. Nothing can be scored before all is read: a syntax error or the
// default model may come last.
func (d *Decoder) DecodeBatch(body []byte, b *Batch) error {
	b.Reset()
	d.begin(body, b.scratch)
	err := d.batch(b)
	b.scratch = d.Arena
	d.end()
	if err != nil {
		return err
	}
	return nil
}

const batchMembers = "instances, model, request_id"

func batchMember(name []byte) int {
	switch string(name) {
	case "instances":
		return memberInstances
	case "model":
		return memberModel
	case "request_id":
		return memberRequestID
	}
	return 0
}

func (d *Decoder) batch(b *Batch) *Error {
	if err := d.body(func(i int) (int, *Error) { return d.batchObject(i, b) }); err != nil {
		return err
	}
	for i := range b.Items {
		if r := &b.Items[i].Request; len(r.Model) == 0 {
			r.Model = b.Model
		}
	}
	return nil
}

// batchObject reads the object at i that is the body.
func (d *Decoder) batchObject(i int, b *Batch) (next int, err *Error) {
	start, seen := i, 0
	unknown := d.OpenNames()
	i, more := d.Open(i, '}')
	for more {
		at := i
		var key []byte
		if key, i, err = d.Key(i); err != nil {
			return i, err
		}
		m := batchMember(key)
		if seen&m != 0 {
			return i, d.Duplicate(at, key)
		}
		seen |= m
		switch m {
		case memberModel:
			b.Model, i, err = d.id(i, 1, key)
		case memberRequestID:
			b.RequestID, i, err = d.requestID(i, 1, key)
		case memberInstances:
			i, err = d.instances(i, key, b)
		default:
			i, err = d.unknown(at, i, 0, key, &unknown, batchMembers)
		}
		if err != nil {
			return i, err
		}
		if i, more, err = d.More(i, '}'); err != nil {
			return i, err
		}
	}
	d.CloseNames(&unknown)
	if len(b.Items) == 0 {
		d.refuse(start, []byte("instances"), "is required: a list of at least one request")
	}
	return i, nil
}

// instances reads the list at i.
func (d *Decoder) instances(i int, key []byte, b *Batch) (next int, err *Error) {
	return d.list(i, key, "requests",
		func(i int) (int, *Error) { return d.instance(i, &b.next().Request) },
		func(fault *Error) { b.Items[len(b.Items)-1].Err = fault })
}

// instance reads one element of the list.
func (d *Decoder) instance(i int, req *router.Request) (next int, err *Error) {
	return d.element(i, "an instance", func(i int) (int, *Error) { return d.request(i, 2, req) })
}
