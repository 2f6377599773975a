package features

import (
	"strconv"
	"time"
	"unsafe"

	"github.com/redis/rueidis"

	"hotpath/models"
	"hotpath/resilience/redislink"
)

// fieldScan walks the values of one HMGET reply, in either form: the text that
// redislink wrapped, or, for replies too large to wrap, the client's array.
type fieldScan struct {
	text  []byte
	at    int
	array []rueidis.RedisMessage
	count int
}

// newFieldScan opens a reply; false when it is not one of a HMGET of n fields.
func newFieldScan(m *rueidis.RedisMessage, n int) (fieldScan, bool) {
	if m.IsArray() {
		array, err := m.ToArray()
		return fieldScan{array: array, count: n}, err == nil && len(array) == n
	}
	text, err := m.ToString()
	if err != nil || text == "" {
		return fieldScan{}, false
	}
	f := fieldScan{text: unsafe.Slice(unsafe.StringData(text), len(text)), count: n}
	got, good := f.header('*')
	return f, good && got == n
}

// header reads a line such as $12 and returns its number.
func (f *fieldScan) header(t byte) (int, bool) {
	if f.at >= len(f.text) || f.text[f.at] != t {
		return 0, false
	}
	from := f.at + 1
	for f.at < len(f.text) && f.text[f.at] != '\r' {
		f.at++
	}
	to := f.at
	f.at += 2
	if f.at > len(f.text) {
		return 0, false
	}
	return redislink.ReplySize(f.text[from:to])
}

// next is the next value. present is false for a field that the hash lacks;
// good is false when the reply is broken, which ends the walk.
func (f *fieldScan) next() (value []byte, present, good bool) {
	if f.array != nil {
		m := &f.array[0]
		f.array = f.array[1:]
		if m.IsNil() {
			return nil, false, true
		}
		s, err := m.ToString()
		return unsafe.Slice(unsafe.StringData(s), len(s)), err == nil, err == nil
	}
	if f.at < len(f.text) && f.text[f.at] == '_' {
		f.at += 3
		return nil, false, true
	}
	n, good := f.header('$')
	if !good || n < 0 {
		return nil, false, good
	}
	end := f.at + n
	if end+2 > len(f.text) {
		return nil, false, false
	}
	value = f.text[f.at:end]
	f.at = end + 2
	return value, true, true
}

// decode fills the unset slots of a plan from a reply. Values get the origin as:
// OriginStore, or OriginCopy for a recent copy. The reply is only read, so that
// it can be kept as a copy and read by several requests at once. False means
// that the reply is no answer to the plan's read; slots not yet filled stay unset.
func (v *View) decode(p *plan, m *rueidis.RedisMessage, row *models.Row, origins []models.Origin, as models.Origin) bool {
	f, good := newFieldScan(m, len(p.fields))
	if !good {
		return false
	}
	age := time.Duration(-1) // unknown
	for i := range p.fields {
		value, present, good := f.next()
		if !good {
			return false
		}
		if i == 0 && p.stamped {
			age = ageOf(value, time.Now())
			continue
		}
		for at := p.first[i]; at >= 0; at = v.slots[at].same {
			if origins[at] != models.OriginUnset {
				continue
			}
			if !present {
				origins[at] = models.OriginMissing
				continue
			}
			origins[at] = v.fill(&v.slots[at], row, value, age, as)
		}
	}
	return true
}

// fill stores one value, or leaves the default and says why.
func (v *View) fill(s *slot, row *models.Row, value []byte, age time.Duration, as models.Origin) models.Origin {
	if s.maxAge > 0 && (age < 0 || age > s.maxAge) {
		return models.OriginStale
	}
	verdict := badTooLong
	if len(value) <= v.store.opts.MaxValueBytes {
		if s.width == 1 {
			verdict = s.put(row, 0, value)
		} else if verdict, _ = s.putArray(row, value, fromStore); verdict != ok {
			v.restore(s, row)
		}
	}
	switch verdict {
	case ok:
		return as
	case badTooLong:
		v.store.metrics.errors[kindOversize].Inc()
	default:
		v.store.metrics.errors[kindUnparsable].Inc()
	}
	return models.OriginInvalid
}

// ageOf reads a timestamp field: -1 when there is none, which makes values with
// a maximum age stale. A writer whose clock is ahead writes fresh values.
func ageOf(stamp []byte, now time.Time) time.Duration {
	if len(stamp) == 0 || len(stamp) > 20 {
		return -1
	}
	ms, err := strconv.ParseInt(unsafe.String(unsafe.SliceData(stamp), len(stamp)), 10, 64)
	if err != nil || ms <= 0 {
		return -1
	}
	return max(0, now.Sub(time.UnixMilli(ms)))
}
