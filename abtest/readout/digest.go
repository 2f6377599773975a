package readout

import "encoding/binary"

// The hash is in the manner of FNV-1a, with the last steps of MurmurHash3. It is the
// same in every process that is given no seed, so that a recorded log gives the same
// sample. Whoever knows the seed can choose ids that all stay, or that share a digest.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
	mixPrime  = 0x9e3779b97f4a7c15
)

// digestPrefix begins the digest of a unit by what it is of.
func digestPrefix(unitName string) uint64 {
	h := uint64(fnvOffset)
	for i := range len(unitName) {
		h = (h ^ uint64(unitName[i])) * fnvPrime
	}
	return h * fnvPrime // a zero byte
}

// digest goes on from a prefix, eight bytes at a time. Its lower bits choose the
// sample. Assignment has another hash of the id, mixed with a salt, so that one says
// nothing about the other.
func digest(prefix uint64, id []byte) uint64 {
	h := prefix ^ uint64(len(id))
	for len(id) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(id)) * mixPrime
		h ^= h >> 32
		id = id[8:]
	}
	for _, b := range id {
		h = (h ^ uint64(b)) * fnvPrime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
