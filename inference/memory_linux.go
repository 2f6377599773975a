//go:build linux && cgo

package inference

/*
#include <malloc.h>

static size_t allocated(void) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
#else
	struct mallinfo m = mallinfo();
	return (size_t)(unsigned)m.uordblks + (unsigned)m.hblkhd;
#endif
}
*/
import "C"

// limitArenas keeps glibc from making a malloc arena per thread: ONNX Runtime's
// buffers would otherwise be spread over many and never given back.
func limitArenas() { C.mallopt(C.M_ARENA_MAX, 2) }

// trimMemory gives freed memory back to the system. Without it the resident set
// grows with every model that is loaded and closed, since glibc keeps the pages.
func trimMemory() { C.malloc_trim(0) }

// AllocatedBytes is what C's allocator has handed out: ONNX Runtime's memory, and
// none of Go's.
func AllocatedBytes() int64 { return int64(C.allocated()) }
