//go:build !linux

package inference

// Only glibc keeps freed pages and makes an arena per thread.
func limitArenas() {}
func trimMemory()  {}
