package jsonwire

import (
	"math"
	"strconv"
	"time"
	"unsafe"

	"hotpath/abtest/exposure"
	"hotpath/models"
)

// FeedbackBatch is the decoded body of POST /feedback, pooled and reused. Its texts
// belong to the body.
type FeedbackBatch struct {
	// Single says that the body is the one outcome itself, not a list.
	Single bool
	// Items are the outcomes in the order sent, never none.
	Items []FeedbackItem

	scratch []byte
}

// FeedbackItem is one outcome, or why it is refused.
type FeedbackItem struct {
	exposure.Feedback
	Err *Error
}

// Reset empties b.
func (b *FeedbackBatch) Reset() {
	clear(b.Items)
	b.Single, b.Items = false, b.Items[:0]
	if cap(b.scratch) > keepBatchScratch {
		b.scratch = nil
	}
}

// The bounds of an outcome beside those of ids.
const (
	// maxOutcome bounds the names of an outcome and of a unit, in bytes.
	maxOutcome = 64
	// maxAhead is how far a client's clock may be ahead of ours.
	maxAhead = 5 * time.Minute
)

// DecodeFeedback reads the body of POST /feedback into b, which it resets first; now
// is when an outcome happened that does not say so. It refuses as DecodeBatch does:
// an outcome that is wrong alone, in its item.
func (d *Decoder) DecodeFeedback(body []byte, now time.Time, b *FeedbackBatch) error {
	b.Reset()
	d.begin(body, b.scratch)
	err := d.body(func(i int) (int, *Error) { return d.feedbackBatch(i, now, b) })
	b.scratch = d.Arena
	d.end()
	if err != nil {
		return err
	}
	return nil
}

// The members of an outcome.
const (
	outcomeRequestID = 1 << iota
	outcomeUserID
	outcomeUnit
	outcomeUnitID
	outcomeName
	outcomeValue
	outcomeExperiment
	outcomeAt
	outcomeID
	outcomeList
)

const (
	outcomeMembers  = "request_id, user_id, unit, unit_id, outcome, value, experiment, at, id"
	feedbackMembers = outcomeMembers + ", outcomes"
)

func outcomeMember(name []byte) int {
	switch string(name) {
	case "request_id":
		return outcomeRequestID
	case "user_id":
		return outcomeUserID
	case "unit":
		return outcomeUnit
	case "unit_id":
		return outcomeUnitID
	case "outcome":
		return outcomeName
	case "value":
		return outcomeValue
	case "experiment":
		return outcomeExperiment
	case "at":
		return outcomeAt
	case "id":
		return outcomeID
	}
	return 0
}

func feedbackMember(name []byte) int {
	if string(name) == "outcomes" {
		return outcomeList
	}
	return outcomeMember(name)
}

// feedbackBatch reads the object at i that is the body.
func (d *Decoder) feedbackBatch(i int, now time.Time, b *FeedbackBatch) (next int, err *Error) {
	start, whole := i, exposure.Feedback{At: now.UnixNano(), Value: 1}
	seen, i, err := d.object(i, 0, feedbackMembers, feedbackMember, func(m, i int, key []byte) (int, *Error) {
		if m == outcomeList {
			return d.list(i, key, "outcomes",
				func(i int) (int, *Error) {
					b.Items = append(b.Items, FeedbackItem{Feedback: exposure.Feedback{At: now.UnixNano(), Value: 1}})
					return d.outcome(i, now, &b.Items[len(b.Items)-1].Feedback)
				},
				func(fault *Error) { b.Items[len(b.Items)-1].Err = fault })
		}
		return d.outcomeValue(m, i, 1, key, now, &whole)
	})
	if err != nil {
		return i, err
	}
	if b.Single = seen&outcomeList == 0; b.Single {
		d.checkOutcome(start, seen)
		b.Items = append(b.Items, FeedbackItem{Feedback: whole})
		return i, nil
	}
	switch {
	case seen != outcomeList:
		d.refuse(start, []byte("outcomes"), "is a list of all the outcomes: put what stands beside it into them")
	case len(b.Items) == 0:
		d.refuse(start, []byte("outcomes"), "is empty: a list of at least one outcome is wanted")
	}
	return i, nil
}

func (d *Decoder) outcome(i int, now time.Time, f *exposure.Feedback) (next int, err *Error) {
	return d.element(i, "an outcome", func(start int) (int, *Error) {
		seen, i, err := d.object(start, 2, outcomeMembers, outcomeMember, func(m, i int, key []byte) (int, *Error) {
			return d.outcomeValue(m, i, 3, key, now, f)
		})
		if err == nil {
			d.checkOutcome(start, seen)
		}
		return i, err
	})
}

// outcomeValue reads the value of one known member.
func (d *Decoder) outcomeValue(m, i, depth int, key []byte, now time.Time, f *exposure.Feedback) (next int, err *Error) {
	switch m {
	case outcomeRequestID:
		f.RequestID, i, err = d.requestID(i, depth, key)
	case outcomeUserID, outcomeUnitID:
		f.Unit, i, err = d.id(i, depth, key)
	case outcomeUnit:
		f.UnitName, i, err = d.shortName(i, depth, key)
	case outcomeName:
		f.Outcome, i, err = d.shortName(i, depth, key)
	case outcomeValue:
		f.Value, i, err = d.finite(i, depth, key)
	case outcomeExperiment:
		f.Experiment, i, err = d.id(i, depth, key)
	case outcomeAt:
		f.At, i, err = d.moment(i, depth, key, now)
	case outcomeID:
		f.ID, i, err = d.id(i, depth, key)
	}
	return i, err
}

// checkOutcome refuses an outcome that nobody could join with anything.
func (d *Decoder) checkOutcome(start, seen int) {
	who := seen & (outcomeRequestID | outcomeUserID | outcomeUnit | outcomeUnitID)
	if who != outcomeRequestID && who != outcomeUserID && who != outcomeUnit|outcomeUnitID {
		d.refuse(start, []byte("request_id"), "say whose outcome it is in one way: by request_id, by user_id, or by unit and unit_id together")
	}
	if seen&outcomeName == 0 {
		d.refuse(start, []byte("outcome"), `is required: the name of what happened, such as "outcome":"purchase"`)
	}
}

// shortName reads a name of at most maxOutcome bytes.
func (d *Decoder) shortName(i, depth int, key []byte) (name []byte, next int, err *Error) {
	at := i
	if name, i, err = d.id(i, depth, key); len(name) > maxOutcome {
		d.refuse(at, key, "must be at most ", itoa(maxOutcome), " bytes long, got ", itoa(len(name)))
		name = nil
	}
	return name, i, err
}

// finite reads a number that a float64 can hold.
func (d *Decoder) finite(i, depth int, key []byte) (v float64, next int, err *Error) {
	at := i
	raw, kind, i, err := d.Value(i, depth)
	if err != nil {
		return 0, i, err
	}
	if kind != models.KindNumber {
		d.refuse(at, key, "must be a number, got ", kind.String())
		return 0, i, nil
	}
	if v, _ = strconv.ParseFloat(unsafe.String(unsafe.SliceData(raw), len(raw)), 64); math.IsInf(v, 0) {
		d.refuse(at, key, "is larger than any number that can be kept")
	}
	return v, i, nil
}

// moment reads a time of RFC 3339, which may not be ahead of now, as nanoseconds
// since 1970.
func (d *Decoder) moment(i, depth int, key []byte, now time.Time) (ns int64, next int, err *Error) {
	at := i
	raw, i, err := d.id(i, depth, key)
	if err != nil || raw == nil {
		return 0, i, err
	}
	t, bad := time.Parse(time.RFC3339, string(raw))
	switch {
	case bad != nil:
		d.refuse(at, key, "must be a time such as 2027-01-31T08:00:00Z")
	case t.After(now.Add(maxAhead)):
		d.refuse(at, key, "is in the future: the gateway's clock says ", now.UTC().Format(time.RFC3339))
	case t.Unix() < 0:
		d.refuse(at, key, "is before 1970")
	}
	return t.UnixNano(), i, nil
}
