//go:build !linux

package inference

// Only glibc keeps freed pages and makes an arena per thread.
func limitArenas() {}
func trimMemory()  {}

// AllocatedBytes is 0: it is not known.
func AllocatedBytes() int64 { return 0 }
