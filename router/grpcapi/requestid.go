package grpcapi

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

// requestIDs makes ids for requests that bring none: a random prefix of the process
// and a counter, which is unique without asking the kernel each time.
type requestIDs struct {
	prefix string
	next   atomic.Uint64
}

func (r *requestIDs) init() {
	var b [6]byte
	rand.Read(b[:])
	r.prefix = hex.EncodeToString(b[:]) + "-"
}

func (r *requestIDs) append(dst []byte) []byte {
	return strconv.AppendUint(append(dst, r.prefix...), r.next.Add(1), 36)
}
