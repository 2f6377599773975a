package router

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

// RequestIDs makes ids for requests that bring none: a random prefix of the
// process and a counter, which is unique without asking the kernel each time. A
// transport has one.
type RequestIDs struct {
	prefix string
	next   atomic.Uint64
}

// Init chooses the prefix. Call it once, before the first Append.
func (r *RequestIDs) Init() {
	var b [6]byte
	rand.Read(b[:])
	r.prefix = hex.EncodeToString(b[:]) + "-"
}

// Append adds the next id to dst.
func (r *RequestIDs) Append(dst []byte) []byte {
	return strconv.AppendUint(append(dst, r.prefix...), r.next.Add(1), 36)
}
