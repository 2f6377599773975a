package abtest

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
)

// List is a compiled named list: each value once. It never changes, is safe for any
// number of goroutines, and may be a part of any number of plans. It is made for a
// million values: one look-up is a hash and mostly one comparison, and it holds no
// pointers that the garbage collector would have to follow.
type List struct {
	// text is all values in their order, end where each of them ends.
	text string
	end  []uint32
	// table finds a value by its hash: the hash's upper half beside the value's number
	// from 1; 0 is free. Its length is a power of two.
	table  []uint64
	seed   maphash.Seed
	digest []byte
}

// NewList compiles a list. The order of the values and repetitions make no difference.
func NewList(values []string) (*List, error) {
	for i, v := range values {
		if err := checkListValue(v); err != nil {
			return nil, fmt.Errorf("value %d %w", i, err)
		}
	}
	if len(values) > MaxListValues {
		return nil, fmt.Errorf("%d values, the limit is %d", len(values), MaxListValues)
	}
	return newList(values), nil
}

// checkListValue says why a text is no value of a list.
func checkListValue(v string) error {
	if v == "" || len(v) > MaxTextBytes {
		return fmt.Errorf("is %d bytes long, want 1 to %d", len(v), MaxTextBytes)
	}
	return nil
}

// newList compiles values that were checked.
func newList(values []string) *List {
	values = slices.Clone(values)
	slices.Sort(values)
	values = slices.Compact(values)
	size := 0
	for _, v := range values {
		size += len(v)
	}
	l := &List{end: make([]uint32, len(values)), seed: maphash.MakeSeed()}
	text := make([]byte, 0, size)
	for i, v := range values {
		text = append(text, v...)
		l.end[i] = uint32(len(text))
	}
	l.text = string(text)
	l.fill()
	l.sum()
	return l
}

// fill makes the table, at most two thirds full.
func (l *List) fill() {
	size := 1
	for size < l.Len()+l.Len()/2+1 {
		size *= 2
	}
	l.table = make([]uint64, size)
	for i := range l.Len() {
		h := maphash.String(l.seed, l.value(i))
		at := h & uint64(size-1)
		for l.table[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		l.table[at] = h&hashHalf | uint64(i+1)
	}
}

// hashHalf is the part of a hash that the table keeps.
const hashHalf = 0xffffffff << 32

// sum makes the digest of the values in their order.
func (l *List) sum() {
	h := sha256.New()
	w := bufio.NewWriterSize(h, 1<<16)
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(l.Len()))
	w.Write(number[:])
	for v := range l.All() {
		binary.LittleEndian.PutUint64(number[:], uint64(len(v)))
		w.Write(number[:])
		w.WriteString(v)
	}
	w.Flush() // a hash takes whatever it is given
	l.digest = h.Sum(nil)
}

// Len is the number of different values.
func (l *List) Len() int { return len(l.end) }

// Digest is a fingerprint of the values, half of a SHA-256 in hexadecimal.
func (l *List) Digest() string { return hex.EncodeToString(l.digest[:len(Digest{})]) }

// Contains says whether a value is in the list.
func (l *List) Contains(v []byte) bool {
	h := maphash.Bytes(l.seed, v)
	for at := h; ; at++ {
		entry := l.table[at&uint64(len(l.table)-1)]
		if entry == 0 {
			return false
		}
		if entry&hashHalf == h&hashHalf && l.value(int(uint32(entry))-1) == string(v) {
			return true
		}
	}
}

// All gives the values in ascending order.
func (l *List) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range l.Len() {
			if !yield(l.value(i)) {
				return
			}
		}
	}
}

func (l *List) value(i int) string {
	begin := uint32(0)
	if i > 0 {
		begin = l.end[i-1]
	}
	return l.text[begin:l.end[i]]
}
