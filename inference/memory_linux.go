//go:build linux && cgo

package inference

// #include <malloc.h>
import "C"

// limitArenas keeps glibc from making a malloc arena per thread: ONNX Runtime's
// buffers would otherwise be spread over many and never given back.
func limitArenas() { C.mallopt(C.M_ARENA_MAX, 2) }

// trimMemory gives freed memory back to the system. Without it the resident set
// grows with every model that is loaded and closed, since glibc keeps the pages.
func trimMemory() { C.malloc_trim(0) }
