//go:build !linux

package serving

// inBackground runs f: threads have priorities of their own on Linux alone.
func inBackground(f func()) { f() }
