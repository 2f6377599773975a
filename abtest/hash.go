package abtest

import "math/bits"

// The domains keep hashes for different purposes independent even where their
// salts are the same text.
const (
	domainAssign  = "assign"
	domainLayer   = "layer"
	domainHoldout = "holdout"
	domainPercent = "percent"
	domainRamp    = "ramp"
	domainShadow  = "shadow"
	domainSlot    = "slot"
)

// fnv1a is the 64-bit FNV-1a hash.
func fnv1a[T string | []byte](b T) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(b) {
		h = (h ^ uint64(b[i])) * 0x100000001b3
	}
	return h
}

// fmix64 is the finaliser of MurmurHash3: a bijection in which every input bit
// changes every output bit with a probability near one half. FNV-1a alone
// barely moves the upper bits for the last byte of a key.
func fmix64(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// hashUnit digests a unit once for all experiments and layers.
func hashUnit(unit []byte) uint64 { return fmix64(fnv1a(unit)) }

// hashKey digests a purpose and its salt, at Compile.
func hashKey(domain, salt string) uint64 { return fmix64(fnv1a(domain + "\x00" + salt)) }

// bucketOf maps a unit under a key to 0..Buckets-1, by multiply-high; the
// shares differ from one another by less than 2^-50.
func bucketOf(key, unit uint64) uint16 {
	hi, _ := bits.Mul64(fmix64(key^unit), Buckets)
	return uint16(hi)
}
