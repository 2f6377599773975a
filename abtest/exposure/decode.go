package exposure

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hotpath/abtest"
)

// ErrUnknown says of a line that it is sound, but of a type or schema that this
// release does not know.
var ErrUnknown = errors.New("exposures: a record of an unknown type or schema")

// Decoder reads the lines that AppendExposure and AppendFeedback write. Fields that
// it does not know it skips. It belongs to one goroutine.
type Decoder struct {
	json   *jsontext.Decoder
	line   bytes.Reader
	names  map[string]string
	text   []byte // what the record's texts are made of
	record record

	event    Event
	feedback Feedback
}

// record is a line as it stands: the fields of either type, nil where absent.
type record struct {
	kind, at, unit, id, experiment, variant, served []byte
	reason, model, via, code, plan, request         []byte
	outcome, feedbackID                             []byte
	degraded                                        []string
	schema, bucket, version, generation, latency    int64
	score, value                                    float64
	hasScore, nonFinite                             bool
}

// NewDecoder makes a decoder.
func NewDecoder() *Decoder { return &Decoder{names: map[string]string{}} }

// Decode reads a line: one of the two is not nil, and valid until the next call.
// Strings stay valid.
func (d *Decoder) Decode(line []byte) (*Event, *Feedback, error) {
	d.record = record{degraded: d.record.degraded[:0]}
	// Texts are no longer unquoted than quoted: so they never move.
	d.text = slices.Grow(d.text[:0], len(line))
	if err := d.members(line); err != nil {
		return nil, nil, err
	}
	r := &d.record
	if r.schema != Schema {
		return nil, nil, ErrUnknown
	}
	switch string(r.kind) {
	case "exposure":
		return d.exposure()
	case "feedback":
		return d.reported()
	}
	return nil, nil, ErrUnknown
}

// members reads the line's object into the record.
func (d *Decoder) members(line []byte) error {
	d.line.Reset(line)
	if d.json == nil {
		d.json = jsontext.NewDecoder(&d.line, jsontext.AllowDuplicateNames(true))
	} else {
		d.json.Reset(&d.line, jsontext.AllowDuplicateNames(true))
	}
	if t, err := d.json.ReadToken(); err != nil {
		return err
	} else if t.Kind() != '{' {
		return fmt.Errorf("not an object but %s", t.Kind())
	}
	for d.json.PeekKind() == '"' {
		name, err := d.json.ReadValue()
		if err != nil {
			return err
		}
		// The names that are known need no unquoting; others are skipped anyhow.
		field := d.field(name[1 : len(name)-1])
		if field == nil || d.json.PeekKind() == 'n' {
			err = d.json.SkipValue()
		} else {
			err = d.value(field)
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.json.ReadToken(); err != nil { // the closing brace
		return err
	}
	if _, err := d.json.ReadToken(); err != io.EOF {
		return errors.New("something follows the object")
	}
	return nil
}

// field is where a field's value goes; nil: nowhere.
func (d *Decoder) field(name []byte) any {
	r := &d.record
	switch string(name) {
	case "type":
		return &r.kind
	case "at":
		return &r.at
	case "unit":
		return &r.unit
	case "id":
		return &r.id
	case "experiment":
		return &r.experiment
	case "variant":
		return &r.variant
	case "served_variant":
		return &r.served
	case "reason":
		return &r.reason
	case "model":
		return &r.model
	case "via":
		return &r.via
	case "code":
		return &r.code
	case "plan":
		return &r.plan
	case "request_id":
		return &r.request
	case "outcome":
		return &r.outcome
	case "feedback_id":
		return &r.feedbackID
	}
	return r.other(name)
}

// other is field for the ones that are not texts.
func (r *record) other(name []byte) any {
	switch string(name) {
	case "schema":
		return &r.schema
	case "bucket":
		return &r.bucket
	case "version":
		return &r.version
	case "generation":
		return &r.generation
	case "latency_ns":
		return &r.latency
	case "score":
		r.hasScore = true
		return &r.score
	case "value":
		return &r.value
	case "non_finite":
		return &r.nonFinite
	case "degraded":
		return &r.degraded
	}
	return nil
}

// value reads the next value into a field.
func (d *Decoder) value(field any) error {
	v, err := d.json.ReadValue()
	if err != nil {
		return err
	}
	switch to := field.(type) {
	case *[]byte:
		*to, err = d.unquote(v)
	case *int64:
		*to, err = strconv.ParseInt(string(v), 10, 64)
	case *float64:
		*to, err = strconv.ParseFloat(string(v), 64)
	case *bool:
		*to = v.Kind() == 't'
	case *[]string:
		*to, err = d.list((*to)[:0], v)
	}
	return err
}

func (d *Decoder) unquote(v []byte) ([]byte, error) {
	from := len(d.text)
	var err error
	d.text, err = jsontext.AppendUnquote(d.text, v)
	return d.text[from:len(d.text):len(d.text)], err
}

// list reads an array of texts. It is rare, so it may cost something.
func (d *Decoder) list(to []string, v jsontext.Value) ([]string, error) {
	list := jsontext.NewDecoder(bytes.NewReader(v))
	if t, err := list.ReadToken(); err != nil {
		return to, err
	} else if t.Kind() != '[' {
		return to, fmt.Errorf("not an array but %s", t.Kind())
	}
	for list.PeekKind() == '"' && len(to) < maxDegraded {
		raw, err := list.ReadValue()
		if err != nil {
			return to, err
		}
		name, err := d.unquote(raw)
		if err != nil {
			return to, err
		}
		to = append(to, d.name(name))
	}
	return to, nil
}

// maxNames bounds the names that a decoder remembers.
const maxNames = 1 << 12

// name is the text as a string: the same one each time, as names recur.
func (d *Decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	if len(d.names) == maxNames {
		clear(d.names)
	}
	s := string(b)
	d.names[s] = s
	return s
}

func (d *Decoder) exposure() (*Event, *Feedback, error) {
	r := &d.record
	at, err := parseTime(r.at)
	if err != nil {
		return nil, nil, err
	}
	reason, ok := reasonNamed(r.reason)
	if !ok {
		return nil, nil, fmt.Errorf("unknown reason %.40q", r.reason)
	}
	via, ok := viaNamed(r.via)
	if !ok {
		return nil, nil, fmt.Errorf("unknown via %.40q", r.via)
	}
	if len(r.id) == 0 || len(r.experiment) == 0 {
		return nil, nil, errors.New("an exposure lacks its id or experiment")
	}
	d.event = Event{At: at, RequestID: r.request, Unit: r.id, UnitName: d.name(r.unit), Experiment: d.name(r.experiment),
		Assigned: d.name(r.variant), Served: d.name(r.served), Reason: reason, Bucket: uint16(r.bucket), Model: d.name(r.model),
		Version: int(r.version), Generation: uint64(r.generation), Via: via, Code: d.name(r.code), LatencyNS: r.latency,
		Score: r.score, HasScore: r.hasScore, NonFinite: r.nonFinite}
	if len(r.degraded) > 0 {
		d.event.Degraded = r.degraded
	}
	if len(r.plan) == hex.EncodedLen(len(d.event.Plan)) {
		_, err = hex.Decode(d.event.Plan[:], r.plan)
	}
	return &d.event, nil, err
}

func (d *Decoder) reported() (*Event, *Feedback, error) {
	r := &d.record
	at, err := parseTime(r.at)
	if err != nil {
		return nil, nil, err
	}
	if len(r.outcome) == 0 {
		return nil, nil, errors.New("a feedback lacks its outcome")
	}
	d.feedback = Feedback{At: at, ID: r.feedbackID, RequestID: r.request, UnitName: r.unit, Unit: r.id, Experiment: r.experiment,
		Outcome: r.outcome, Value: r.value}
	return nil, &d.feedback, nil
}

func parseTime(text []byte) (int64, error) {
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		return 0, err
	}
	return t.UnixNano(), nil
}

func reasonNamed(name []byte) (abtest.Reason, bool) {
	for r := abtest.ReasonForced; ; r-- {
		if r.String() == string(name) {
			return r, true
		}
		if r == 0 {
			return 0, false
		}
	}
}

func viaNamed(name []byte) (Via, bool) {
	for i, n := range viaNames {
		if n == string(name) {
			return Via(i), true
		}
	}
	return 0, false
}
