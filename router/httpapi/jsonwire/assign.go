package jsonwire

import "hotpath/router"

// AssignBatch is the decoded body of POST /v1/assign, pooled and reused: one request,
// or several. What router.Request says about ownership holds for all of it.
type AssignBatch struct {
	// RequestID is the caller's identifier of the whole; empty when it sent none.
	RequestID []byte
	// Single says that the body is the one item itself, not a list.
	Single bool
	// Items are the requests in the order sent, never none.
	Items []Assign

	whole   Assign
	scratch []byte
}

// Assign is one request for an assignment.
type Assign struct {
	// Request is whom it is about; it has no features.
	Request router.Request
	// Experiment that is asked about; empty: the model's.
	Experiment []byte
	// Look says that nobody is exposed by this.
	Look bool
	// Err is why this item alone is refused; nil when it is not.
	Err *Error

	seen int
}

func (a *Assign) reset() {
	a.Request.Reset()
	a.Experiment, a.Look, a.Err, a.seen = nil, false, nil, 0
}

// Reset empties b. It keeps the memory, unless one batch made it large.
func (b *AssignBatch) Reset() {
	b.RequestID, b.Single = nil, false
	b.whole.reset()
	values := 0
	all := b.Items[:cap(b.Items)]
	for i := range all {
		all[i].reset()
		values += cap(all[i].Request.Entities) + cap(all[i].Request.Context)
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
func (b *AssignBatch) next() *Assign {
	n := len(b.Items)
	if n < cap(b.Items) {
		b.Items = b.Items[:n+1]
	} else {
		b.Items = append(b.Items, Assign{})
	}
	return &b.Items[n]
}

// DecodeAssign reads the body of POST /v1/assign into b, which it resets first. It
// refuses as DecodeBatch does: an instance that asks for something wrong alone, in
// its item.
func (d *Decoder) DecodeAssign(body []byte, b *AssignBatch) error {
	b.Reset()
	d.begin(body, b.scratch)
	err := d.body(func(i int) (int, *Error) { return d.assignBatch(i, b) })
	b.scratch = d.Arena
	d.end()
	if err == nil {
		return nil
	}
	if b.RequestID == nil {
		b.RequestID = b.whole.Request.RequestID
	}
	return err
}

// The members of a request for an assignment beside those of a prediction.
const (
	memberExperiment = memberInstances << (1 + iota)
	memberExpose
)

const (
	assignMembers      = "user_id, experiment, model, entities, context, request_id, expose"
	assignBatchMembers = assignMembers + ", instances"
)

func assignMember(name []byte) int {
	switch string(name) {
	case "features":
		return 0
	case "experiment":
		return memberExperiment
	case "expose":
		return memberExpose
	}
	return requestMember(name)
}

func assignBatchMember(name []byte) int {
	if string(name) == "instances" {
		return memberInstances
	}
	return assignMember(name)
}

// assignBatch reads the object at i that is the body. Beside instances, the members
// that say whom or what it is about are each instance's own.
func (d *Decoder) assignBatch(i int, b *AssignBatch) (next int, err *Error) {
	start := i
	seen, i, err := d.object(i, 0, assignBatchMembers, assignBatchMember, func(m, i int, key []byte) (int, *Error) {
		if m == memberInstances {
			return d.list(i, key, "requests",
				func(i int) (int, *Error) { return d.assignInstance(i, b.next()) },
				func(fault *Error) { b.Items[len(b.Items)-1].Err = fault })
		}
		return d.assignValue(m, i, 1, key, &b.whole)
	})
	if err != nil {
		return i, err
	}
	b.whole.seen, b.RequestID = seen, b.whole.Request.RequestID
	if b.Single = seen&memberInstances == 0; b.Single {
		d.requireUnit(start, &b.whole)
		item := b.next()
		*item, b.whole = b.whole, *item
		return i, nil
	}
	switch {
	case seen&(memberUserID|memberEntities|memberContext) != 0:
		d.refuse(start, []byte("instances"), "excludes user_id, entities and context beside it: put them into the instances")
	case len(b.Items) == 0:
		d.refuse(start, []byte("instances"), "is empty: a list of at least one request is wanted")
	}
	for j := range b.Items {
		b.Items[j].inherit(&b.whole)
	}
	return i, nil
}

// inherit takes over what the batch says for all of its instances.
func (a *Assign) inherit(whole *Assign) {
	if len(a.Request.Model) == 0 && len(a.Experiment) == 0 {
		a.Request.Model, a.Experiment = whole.Request.Model, whole.Experiment
	}
	if a.seen&memberExpose == 0 {
		a.Look = whole.Look
	}
}

func (d *Decoder) assignInstance(i int, a *Assign) (next int, err *Error) {
	return d.element(i, "an instance", func(start int) (int, *Error) {
		seen, i, err := d.object(start, 2, assignMembers, assignMember, func(m, i int, key []byte) (int, *Error) {
			return d.assignValue(m, i, 3, key, a)
		})
		if a.seen = seen; err == nil {
			d.requireUnit(start, a)
		}
		return i, err
	})
}

// assignValue reads the value of one known member.
func (d *Decoder) assignValue(m, i, depth int, key []byte, a *Assign) (next int, err *Error) {
	switch m {
	case memberExperiment:
		a.Experiment, i, err = d.id(i, depth, key)
	case memberExpose:
		var expose bool
		expose, i, err = d.bool(i, depth, key)
		a.Look = !expose
	default:
		i, err = d.member(m, i, depth, key, &a.Request)
	}
	return i, err
}

// requireUnit refuses a request that says nothing about whom it is about.
func (d *Decoder) requireUnit(start int, a *Assign) {
	if a.seen&memberUserID == 0 && len(a.Request.Entities) == 0 && len(a.Request.Context) == 0 {
		d.refuse(start, []byte("user_id"), `is required where neither entities nor context say whom to assign: a string, such as "user_id":"u1"`)
	}
}
